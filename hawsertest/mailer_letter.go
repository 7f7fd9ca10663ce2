package hawsertest

import (
	"bytes"
	"crypto/rand"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A letter is a message that a rule makes up and knows again by its marker,
// which comes first in it. It is written in one piece unless pieces says how.
type letter struct {
	marker string
	text   string
	pieces func(w io.Writer, text string) error
	writes atomic.Int32 // calls of WriteTo
}

// mark begins every marker. What follows is of fixed length.
const mark = "hawsertest-"

func newMarker() string { return mark + rand.Text() }

// letter makes up a message with that body; its lines end in CR LF.
func (m *mails) letter(body string) *letter {
	l := m.header()
	l.text += "\r\n" + body
	return l
}

// header makes up a message that has a header alone.
func (m *mails) header() *letter {
	l := &letter{marker: newMarker()}
	l.text = strings.Join([]string{
		"Message-ID: <" + l.marker + "@hawsertest.invalid>",
		"Date: " + time.Now().Format(time.RFC1123Z),
		"From: <" + m.From + ">",
		"To: undisclosed-recipients:;",
		"Subject: a message of hawsertest", "",
	}, "\r\n")
	return l
}

// sized makes up a message of size bytes, or of its header alone if that is
// more, of lines that tell where they are.
func (m *mails) sized(size int) *letter {
	l := m.letter("")
	var b strings.Builder
	b.WriteString(l.text)
	for b.Len() < size {
		line := "0123456789 abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ +-*/ "[b.Len()%31:]
		line = line[:min(len(line), max(0, size-b.Len()-2))] + "\r\n"
		if left := size - b.Len() - len(line); left == 1 { // no room for a line end
			line = "." + line
		}
		b.WriteString(line)
	}
	l.text = b.String()
	return l
}

// WriteTo implements io.WriterTo.
func (l *letter) WriteTo(w io.Writer) (int64, error) {
	l.writes.Add(1)
	counted := &counter{w: w}
	var err error
	if l.pieces == nil {
		_, err = io.WriteString(counted, l.text)
	} else {
		err = l.pieces(counted, l.text)
	}
	return counted.n, err
}

// want is how l arrives.
func (l *letter) want() []byte { return canonical(l.text) }

// canonical is text with lines that all end in CR LF.
func canonical(text string) []byte {
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\n", "\r\n")
	if text != "" && !strings.HasSuffix(text, "\r\n") {
		text += "\r\n"
	}
	return []byte(text)
}

// counter counts what it writes to w.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// inPieces writes text in pieces of n bytes, each overwritten when Write is
// back, as an io.Writer must allow.
func inPieces(n int) func(w io.Writer, text string) error {
	return func(w io.Writer, text string) error {
		buffer := make([]byte, n)
		for len(text) > 0 {
			piece := buffer[:copy(buffer, text)]
			text = text[len(piece):]
			if _, err := w.Write(piece); err != nil {
				return err
			}
			for i := range piece {
				piece[i] = '#'
			}
		}
		return nil
	}
}

// sizedLetter has the method Size, which may not tell the truth.
type sizedLetter struct {
	*letter
	size int64
}

func (s sizedLetter) Size() int64 { return s.size }

// lenLetter has the method Len, which may not tell the truth.
type lenLetter struct {
	*letter
	size int
}

func (l lenLetter) Len() int { return l.size }

// markerOf is the first marker in data, "" if there is none near its beginning.
func markerOf(data []byte) string {
	const length = len(mark) + 26 // rand.Text
	data = data[:min(len(data), 16<<10)]
	at := bytes.Index(data, []byte(mark))
	if at < 0 || len(data)-at < length {
		return ""
	}
	return string(data[at : at+length])
}

// unwritten fails t if l's WriteTo was called.
func unwritten(t testing.TB, l *letter) {
	t.Helper()
	if l.writes.Load() > 0 {
		t.Errorf("WriteTo was called %d times for a message that cannot be sent", l.writes.Load())
	}
}
