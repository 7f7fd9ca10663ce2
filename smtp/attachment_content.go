package smtp

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
)

const (
	lineBytes   = lineWidth / 4 * 3 // of content in a line of base64
	linesAtOnce = 256
)

// writeTo writes the content in base64. Errors that are not of w name a.
func (a Attachment) writeTo(w io.Writer) (err error) {
	opened, err := a.Open()
	if err != nil {
		return a.failed(err)
	}
	if opened == nil {
		return a.failed(errors.New("open returned nothing to read"))
	}
	defer func() { // also if reading panics
		if closed := opened.Close(); err == nil && closed != nil {
			err = a.failed(closed)
		}
	}()
	return encodeLines(w, &content{a: a, r: opened})
}

func (a Attachment) failed(err error) error {
	return fmt.Errorf("attachment %q: %w", a.base(), err)
}

// content reads an attachment, and fails where it has another size than it said.
type content struct {
	a    Attachment
	r    io.Reader
	n    int64
	idle int // reads in a row that gave nothing
}

func (c *content) Read(p []byte) (int, error) {
	const patience = 100 // as package bufio has it
	n, err := c.r.Read(p)
	c.n += int64(n)
	if c.idle++; n > 0 {
		c.idle = 0
	}
	switch {
	case c.idle == patience:
		return 0, c.a.failed(io.ErrNoProgress)
	case c.a.sized() && c.n > c.a.Size:
		return 0, c.a.failed(fmt.Errorf("is longer than the %d bytes that it was to have", c.a.Size))
	case err == io.EOF && c.a.sized() && c.n < c.a.Size:
		return 0, c.a.failed(fmt.Errorf("ends after %d of %d bytes: %w", c.n, c.a.Size, io.ErrUnexpectedEOF))
	case err != nil && err != io.EOF:
		return 0, c.a.failed(err)
	}
	return n, err
}

// encodeLines writes r in base64, in lines without an end of the last (RFC
// 2045, section 6.8). go-message does the same with many small writes and an
// allocation for each line.
func encodeLines(w io.Writer, r io.Reader) error {
	in := make([]byte, linesAtOnce*lineBytes)
	out := make([]byte, 0, linesAtOnce*(lineWidth+2))
	for first := true; ; first = false {
		n, err := fill(r, in)
		if err != nil && err != io.EOF {
			return err
		}
		out = out[:0]
		for rest := in[:n]; len(rest) > 0; {
			line := rest[:min(lineBytes, len(rest))]
			if !first || len(out) > 0 {
				out = append(out, "\r\n"...)
			}
			out = base64.StdEncoding.AppendEncode(out, line)
			rest = rest[len(line):]
		}
		if _, failed := w.Write(out); failed != nil || err == io.EOF {
			return failed
		}
	}
}

// fill reads until p is full or r ends. Unlike io.ReadFull it leaves the error of
// r as it is: io.ErrUnexpectedEOF is of a source that was cut short.
func fill(r io.Reader, p []byte) (int, error) {
	n := 0
	for n < len(p) {
		got, err := r.Read(p[n:])
		n += got
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// base64Size returns how many bytes encodeLines writes for n.
func base64Size(n int64) int64 {
	if n == 0 {
		return 0
	}
	return (n+2)/3*4 + (n-1)/lineBytes*2
}
