package smtp

import (
	"bytes"
	"context"
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
	for n := 0; n < len(p); {
		if l.err == nil && len(l.buf) >= bufferSize {
			l.err = l.spill()
		}
		if l.err == nil {
			l.err = l.ctx.Err()
		}
		if l.err != nil {
			return n, l.err
		}
		n += l.take(p[n:min(len(p), n+bufferSize)])
	}
	return len(p), nil
}

// take appends as much of p as belongs to one line and returns how much that was.
func (l *lines) take(p []byte) int {
	before := len(l.buf)
	defer func() { l.total += int64(len(l.buf) - before) }()
	if l.cr {
		l.cr = false
		l.buf = append(l.buf, '\r', '\n')
		if p[0] == '\n' {
			return 1
		}
	}
	end := bytes.IndexByte(p, '\n')
	if end < 0 {
		end = len(p)
	}
	if cr := bytes.IndexByte(p[:end], '\r'); cr >= 0 {
		l.buf = append(l.buf, p[:cr]...)
		l.cr = true
		return cr + 1
	}
	l.buf = append(l.buf, p[:end]...)
	if end == len(p) {
		return end
	}
	l.buf = append(l.buf, '\r', '\n')
	return end + 1
}

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
	header, _, _ := bytes.Cut(l.buf, []byte("\r\n\r\n"))
	return header
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
