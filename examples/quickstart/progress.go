package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// A bar shows how far a file is: on a terminal in one line that it writes over
// and over, elsewhere once at the end.
type bar struct {
	out      io.Writer
	terminal bool
	total    int64
	start    time.Time

	mu    sync.Mutex // guards shown
	shown time.Time
}

func newBar(out io.Writer, total int64) *bar {
	b := &bar{out: out, total: total, start: time.Now()}
	if f, ok := out.(*os.File); ok {
		info, err := f.Stat()
		b.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return b
}

// progress is a hook of hawser.Trace.
func (b *bar) progress(_ string, done, _ int64) {
	const rest = 50 * time.Millisecond // between two looks
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.terminal || time.Since(b.shown) < rest {
		return
	}
	b.shown = time.Now()
	b.show(done)
}

func (b *bar) done() {
	if b.terminal {
		fmt.Fprint(b.out, "\r")
	}
	b.show(b.total)
	fmt.Fprintln(b.out)
}

func (b *bar) show(done int64) {
	const width = 30
	full := width
	if b.total > 0 {
		full = int(done * width / b.total)
	}
	if b.terminal {
		fmt.Fprint(b.out, "\r")
	}
	took := time.Since(b.start)
	fmt.Fprintf(b.out, "   [%s%s] %4d MiB  %5.0f MiB/s  %s ", strings.Repeat("=", full), strings.Repeat(" ", width-full),
		done>>20, float64(done)/(1<<20)/took.Seconds(), took.Round(10*time.Millisecond))
}

// A lockedWriter takes one Write at a time: the output of a command and the
// wire log come from several goroutines.
type lockedWriter struct {
	mu sync.Mutex
	io.Writer
}

func (w *lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.Writer.Write(p)
}

// indented moves each line to the right of the headlines.
type indented struct{ out io.Writer }

func (w indented) Write(p []byte) (int, error) {
	for line := range bytes.Lines(p) {
		if _, err := fmt.Fprintf(w.out, "   | %s\n", bytes.TrimRight(line, "\r\n")); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}
