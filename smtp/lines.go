package smtp

import (
	"bytes"
	"context"
	"errors"
	"sync"
)

// bufferSize is how many bytes of a message are held at once. A message that fits
// is read to its end before anything of it is sent.
const bufferSize = 128 << 10

// lines are what a message writes, with each line ended by CR LF: an LF alone,
// and a CR alone, must not be sent (RFC 5321, section 2.3.8), and count as ends.
type lines struct {
	ctx   context.Context // of the Send that it belongs to
	buf   []byte
	cr    bool         // the last byte was a CR, which is not in buf yet
	total int64        // bytes that went through buf
	spill func() error // takes what is in buf and empties it
	err   error        // why nothing more is taken
	whole bool         // all of the message was taken
}

// Write takes p. Once it has failed it does so for ever: a message that passes
// over the error is not taken for whole.
func (l *lines) Write(p []byte) (int, error) {
	lf, cr := -1, -1 // the next of each at or behind n
	for n := 0; n < len(p); {
		if err := l.room(); err != nil {
			return n, err
		}
		if lf < n {
			lf = indexFrom(p, n, '\n')
		}
		if cr < n {
			cr = indexFrom(p, n, '\r')
		}
		n = l.take(p, n, min(lf, cr, n+bufferSize))
	}
	return len(p), nil
}

// room makes some, or says why nothing more is taken.
func (l *lines) room() error {
	if l.err == nil && len(l.buf) >= bufferSize {
		l.err = l.spill()
	}
	if l.err == nil {
		l.err = l.ctx.Err()
	}
	return l.err
}

// indexFrom is where c is in p at or behind n; len(p) if it is not there.
func indexFrom(p []byte, n int, c byte) int {
	if i := bytes.IndexByte(p[n:], c); i >= 0 {
		return n + i
	}
	return len(p)
}

// take appends p[n:end], in which no line ends, and the end of the line if it is
// there. It returns how much of p was taken.
func (l *lines) take(p []byte, n, end int) int {
	before := len(l.buf)
	if l.cr {
		l.cr = false
		l.buf = append(l.buf, '\r', '\n')
		if p[n] == '\n' {
			l.total += 2
			return n + 1
		}
	}
	l.buf = append(l.buf, p[n:min(end, len(p))]...)
	if end < len(p) {
		switch p[end] {
		case '\r':
			l.cr = true
			end++
		case '\n':
			l.buf = append(l.buf, '\r', '\n')
			end++
		}
	}
	l.total += int64(len(l.buf) - before)
	return min(end, len(p))
}

// isEmpty reports whether nothing was written.
func (l *lines) isEmpty() bool { return l.total == 0 && !l.cr }

// finish ends the last line, which the end of a message wants.
func (l *lines) finish() {
	l.whole = true
	if l.cr || l.total > 0 && !bytes.HasSuffix(l.buf, []byte("\n")) {
		l.cr = false
		l.buf = append(l.buf, '\r', '\n')
		l.total += 2
	}
}

// header is what of the message's header is in buf, while that begins with it.
func (l *lines) header() []byte {
	if bytes.HasPrefix(l.buf, []byte("\r\n")) {
		return nil
	}
	header, _, _ := bytes.Cut(l.buf, []byte("\r\n\r\n"))
	return header
}

// A pen is what a message writes by: lines, until the message has returned.
// One that writes later than that, or in a goroutine of its own, does no harm to
// the messages after it.
type pen struct {
	mu    sync.Mutex // guards lines
	lines *lines     // nil: the message has returned
}

// Write writes to the lines.
func (p *pen) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lines == nil {
		return 0, errors.New("the message writes after its WriteTo has returned")
	}
	return p.lines.Write(b)
}

func (p *pen) drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lines = nil
}

// isSevenBit reports whether p holds no byte of more than seven bits.
func isSevenBit(p []byte) bool {
	for _, b := range p {
		if b >= 0x80 {
			return false
		}
	}
	return true
}

// appendStuffed appends p to dst with a dot before each line that begins with one
// (RFC 5321, section 4.5.2). begins says whether p begins a line.
func appendStuffed(dst, p []byte, begins bool) []byte {
	if begins && len(p) > 0 && p[0] == '.' {
		dst = append(dst, '.')
	}
	for {
		at := bytes.Index(p, []byte("\n."))
		if at < 0 {
			return append(dst, p...)
		}
		dst = append(append(dst, p[:at+1]...), '.')
		p = p[at+1:]
		dst = append(dst, p[0])
		p = p[1:]
	}
}
