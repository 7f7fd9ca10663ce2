package hawsertest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
)

// fakeBody sends what is written to it, with lines that end in CR LF, but for
// the bug of its fakeMailer.
type fakeBody struct {
	s    *fakeMailer
	ctx  context.Context // of the Send that it is for
	n    int             // bytes that were written
	left int             // of the length that was told, for a bug
	line bool            // nothing of this line was written yet
	cr   bool            // CR came last
	tail []byte          // what came last
	all  []byte          // what was sent; for a bug
	kept [][]byte        // for a bug
	over bool            // for a bug: drop what comes
}

func (b *fakeBody) Write(p []byte) (int, error) {
	switch {
	case b.s.is("what was written is kept"):
		b.kept = append(b.kept, p)
		return len(p), nil
	case b.s.is("an empty Write is the end") && len(p) == 0:
		b.over = true
	case b.s.is("refuses what it may") && bytes.ContainsFunc(p, func(r rune) bool { return r > '~' }):
		return 0, errors.ErrUnsupported
	}
	return len(p), b.put(p)
}

// put sends p.
func (b *fakeBody) put(p []byte) error {
	if b.ctx.Err() != nil && !b.s.is("the context is ignored") {
		return b.s.lost(b.ctx, b.ctx.Err())
	}
	if b.s.is("line ends in pieces are forgotten") {
		b.cr = false
	}
	data := make([]byte, 0, len(p)+len(p)/10)
	for _, c := range p {
		data = b.add(data, c)
		b.n++
		b.line, b.cr = c == '\n', c == '\r'
	}
	b.tail = append(b.tail, p...)
	b.tail = b.tail[max(0, len(b.tail)-4):]
	if b.s.is("the last byte of a full packet is lost") && len(p) > 0 && len(p)%4096 == 0 {
		data = data[:len(data)-1]
	}
	return b.send(data)
}

// add appends what c is on the way.
func (b *fakeBody) add(data []byte, c byte) []byte {
	dot := c == '.' && b.line
	switch {
	case b.over:
		return data
	case c == '\n' && !b.cr && !b.s.is("LF stays as it is"):
		return append(data, "\r\n"...)
	case dot && b.s.is("dots are doubled"), dot && b.s.is("dots at the edge of a buffer are doubled") && b.n%4096 == 0:
		return append(data, ".."...)
	case b.s.is("the first line is not stuffed") && dot && b.n == 0:
		return data // the other side takes one dot away
	case b.s.is("a dot alone is the end") && dot:
		b.over = true
	case b.s.is("the eighth bit is lost"):
		c &= 0x7f
	case b.s.is("long lines are broken") && len(data) > 990 && !bytes.Contains(data[len(data)-990:], []byte("\n")):
		data = append(data, "\r\n "...)
	case b.s.is("a told length is a limit") && b.left == 0:
		return data
	}
	b.left--
	return append(data, c)
}

func (b *fakeBody) send(data []byte) error {
	if b.s.is("the wire log shows the message") {
		line, _, _ := strings.Cut(string(data), "\r\n")
		b.s.tell(b.ctx, true, line)
	}
	if b.s.is("CR alone ends a line") {
		b.all = append(b.all, data...)
	}
	for len(data) > 0 {
		some := data[:min(len(data), 64<<10)]
		data = data[len(some):]
		if err := b.s.out.Encode(parcel{Kind: "Data", Data: some}); err != nil {
			return b.s.lost(b.ctx, err)
		}
	}
	return nil
}

// end ends the last line.
func (b *fakeBody) end() error {
	for _, p := range b.kept {
		if err := b.put(p); err != nil {
			return err
		}
	}
	switch open := b.n > 0 && !b.line; {
	case open && !b.s.is("the last line stays open"):
		return b.send([]byte("\r\n"))
	case b.s.is("a header alone gets an empty line") && string(b.tail[max(0, len(b.tail)-4):]) != "\r\n\r\n":
		return b.send([]byte("\r\n"))
	}
	return nil
}

// limit is the length that msg tells, for a bug.
func (s *fakeMailer) limit(msg io.WriterTo) int {
	if told, ok := msg.(interface{ Len() int }); ok {
		return told.Len()
	}
	return -1
}
