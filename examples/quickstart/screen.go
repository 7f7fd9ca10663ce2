package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// A screen takes one Write at a time: the wire log, the output of a command and
// the progress of a file come from several goroutines.
type screen struct {
	out      *lockedWriter
	terminal bool
}

func newScreen(out io.Writer) screen {
	s := screen{out: &lockedWriter{out: out}}
	if f, ok := out.(*os.File); ok {
		info, err := f.Stat()
		s.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return s
}

func (s *screen) say(format string, args ...any) { fmt.Fprintf(s.out, "   "+format+"\n", args...) }

func (s *screen) json(value any) error {
	text, err := json.MarshalIndent(value, "   ", "  ")
	if err != nil {
		return err
	}
	s.say("%s", text)
	return nil
}

type lockedWriter struct {
	mu  sync.Mutex // guards out
	out io.Writer
}

func (w *lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.out.Write(p)
}

// lines returns a writer that puts prefix before each line. It is for one
// goroutine at a time, and its end for the last.
func (s *screen) lines(prefix string) *lineWriter { return &lineWriter{out: s.out, prefix: prefix} }

type lineWriter struct {
	out    io.Writer
	prefix string
	rest   []byte // of a line that has not ended yet
}

func (w *lineWriter) Write(p []byte) (int, error) {
	w.rest = append(w.rest, p...)
	for {
		line, rest, ended := bytes.Cut(w.rest, []byte("\n"))
		if !ended {
			return len(p), nil
		}
		w.rest = rest
		if _, err := fmt.Fprintf(w.out, "%s%s\n", w.prefix, line); err != nil {
			return 0, err
		}
	}
}

// end writes what came after the last line end.
func (w *lineWriter) end() {
	if len(w.rest) > 0 {
		_, _ = w.Write([]byte("\n"))
	}
}

// A bar shows how far a file is: on a terminal in one line that it writes over
// and over, elsewhere in a line each quarter.
type bar struct {
	screen
	total int64
	start time.Time

	mu      sync.Mutex // guards all below
	drawn   time.Time
	quarter int64
	at      int64
}

func (s *screen) newBar(total int64) *bar {
	return &bar{screen: *s, total: total, start: time.Now()}
}

// progress is the hook of a hawser.Trace.
func (b *bar) progress(_ string, done, _ int64) {
	const pause = 50 * time.Millisecond // between two looks at a terminal
	b.mu.Lock()
	defer b.mu.Unlock()
	b.at = max(b.at, done)
	if b.terminal && time.Since(b.drawn) >= pause {
		b.drawn = time.Now()
		b.draw()
	}
	if quarter := b.at * 4 / max(b.total, 1); !b.terminal && quarter > b.quarter && quarter < 4 {
		b.quarter = quarter
		b.draw()
	}
}

// end draws the bar as far as it came.
func (b *bar) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.draw()
	if b.terminal {
		fmt.Fprintln(b.out)
	}
}

// draw must be called with mu held.
func (b *bar) draw() {
	const width, least = 32, time.Millisecond // the clock of Windows may stand still
	before, after := "", "\n"
	if b.terminal {
		before, after = "\r", "  " // hides the end of a longer line
	}
	full := int(b.at * width / max(b.total, 1))
	took := time.Since(b.start)
	rate := float64(b.at) / (1 << 20) / max(took, least).Seconds()
	fmt.Fprintf(b.out, "%s   [%s%s] %3d%%  %d MiB in %s, %.0f MiB/s%s", before, strings.Repeat("=", full),
		strings.Repeat(" ", width-full), b.at*100/max(b.total, 1), b.at>>20, short(took), rate, after)
}

// short is d with as many digits as a reader wants.
func short(d time.Duration) time.Duration {
	switch {
	case d >= time.Second:
		return d.Round(10 * time.Millisecond)
	case d >= 10*time.Millisecond:
		return d.Round(time.Millisecond)
	}
	return d.Round(10 * time.Microsecond)
}
