package testserver

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"strconv"
	"strings"
)

// smtpTransaction is what MAIL began. The zero value is none.
type smtpTransaction struct {
	open      bool
	utf8      bool  // SMTPUTF8
	announced int64 // SIZE
	chunked   bool  // BDAT has begun
	mail      Mail
	body      smtpBody
}

// smtpBody gathers a message.
type smtpBody struct {
	limit   int64 // zero is none
	discard bool
	size    int64
	data    []byte
}

func (b *smtpBody) tooLong() bool { return b.limit > 0 && b.size > b.limit }

// Write keeps what is to be kept, and fails never.
func (b *smtpBody) Write(p []byte) (int, error) {
	b.size += int64(len(p))
	if b.tooLong() {
		b.data = nil
	} else if !b.discard {
		b.data = append(b.data, p...)
	}
	return len(p), nil
}

func smtpDATA(_ context.Context, s *smtpSession, arg string) {
	switch m := &s.mail; {
	case arg != "":
		s.reply(501, "5.5.4", "DATA is all there is to say")
		return
	case !m.open, m.chunked:
		s.reply(503, "5.5.1", "that is out of order")
		return
	case len(m.mail.To) == 0:
		s.reply(554, "5.5.1", "no valid recipients")
		return
	}
	reply := s.words(354, "", "End data with <CR><LF>.<CR><LF>")
	s.say(reply)
	if refuses(reply) {
		return
	}
	if readDotted(s.lines, &s.mail.body) != nil {
		s.over = true // and what came of the message is forgotten
		return
	}
	s.command = "."
	s.finish()
}

// readDotted reads content up to the line with a lone dot, and undoes the doubling of others (RFC 5321, section
// 4.5.2). Only CR LF ends a line there. If r ends before, w has had what came.
func readDotted(r *bufio.Reader, w io.Writer) error {
	for begins, cr := true, false; ; {
		piece, err := r.ReadSlice('\n')
		if begins && string(piece) == ".\r\n" {
			return nil
		}
		content := piece
		if begins {
			content = bytes.TrimPrefix(piece, []byte("."))
		}
		if _, err := w.Write(content); err != nil {
			return err
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
		begins = bytes.HasSuffix(piece, []byte("\r\n")) || cr && piece[0] == '\n'
		cr = piece[len(piece)-1] == '\r'
	}
}

// smtpBDAT takes a chunk (RFC 3030, section 2), and skips one that comes out of order.
func smtpBDAT(_ context.Context, s *smtpSession, arg string) {
	count, tail, more := strings.Cut(arg, " ")
	size, err := strconv.ParseUint(count, 10, 63)
	last := strings.EqualFold(tail, "LAST")
	if err != nil || more && !last {
		s.reply(501, "5.5.4", "want BDAT size [LAST]")
		s.over = true // Nobody knows where the next command begins.
		return
	}
	m := &s.mail
	ready := m.open && len(m.mail.To) > 0
	var w io.Writer = io.Discard
	if ready {
		m.chunked, w = true, &m.body
	}
	if s.scratch == nil {
		s.scratch = make([]byte, 32<<10)
	}
	n, err := io.CopyBuffer(w, io.LimitReader(s.lines, int64(size)), s.scratch)
	if err != nil || uint64(n) < size {
		s.over = true
		return
	}
	switch {
	case !ready && m.open:
		s.reply(554, "5.5.1", "no valid recipients")
	case !ready:
		s.reply(503, "5.5.1", "MAIL comes first")
	case last:
		s.finish()
	case s.hasty(false):
	case m.body.tooLong():
		s.mail = smtpTransaction{}
		s.reply(552, "5.3.4", "the message is too long")
	default:
		s.chunk(size)
	}
}

// chunk answers one that is not the last.
func (s *smtpSession) chunk(size uint64) {
	reply := s.words(250, "2.0.0", "Ok: "+strconv.FormatUint(size, 10)+" bytes")
	if refuses(reply) {
		s.mail = smtpTransaction{}
	}
	s.say(reply)
}

// finish takes the message, which has come to its end.
func (s *smtpSession) finish() {
	m := s.mail
	s.mail = smtpTransaction{}
	if s.hasty(false) {
		return
	}
	if m.body.tooLong() {
		s.reply(552, "5.3.4", "the message is too long")
		return
	}
	mail := m.mail
	mail.ID, mail.Session, mail.User = s.server.nextID(), s.number, s.user
	mail.Size, mail.Data = m.body.size, m.body.data
	if mail.Data == nil && !m.body.discard {
		mail.Data = []byte{}
	}
	reply := s.words(250, "2.0.0", "Ok: queued as "+mail.ID)
	if !refuses(reply) {
		s.taken++
		s.server.take(mail)
	}
	s.say(reply)
}
