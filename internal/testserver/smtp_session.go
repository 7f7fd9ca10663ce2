package testserver

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// smtpLine is the longest line of a client in bytes; AUTH needs 12288 (RFC 4954, section 4).
const smtpLine = 16 << 10

// smtpSession is one connection. One goroutine owns it.
type smtpSession struct {
	server  *SMTP
	number  int
	raw     *gatedConn // below TLS
	control net.Conn
	lines   *bufio.Reader
	out     *bufio.Writer
	secure  bool // TLS is on
	over    bool // the session is to end

	greeted  bool // by HELO or EHLO
	extended bool // by EHLO
	loggedIn bool
	user     string

	command string // the one that is answered
	taken   int    // messages
	mail    smtpTransaction
	scratch []byte // to copy chunks by; nil before the first
}

// flusher says what is waiting before it listens, so that the replies to commands that came together go together (RFC
// 2920, section 3.2).
type flusher struct {
	net.Conn
	out *bufio.Writer
}

func (f flusher) Read(b []byte) (int, error) {
	if err := f.out.Flush(); err != nil {
		return 0, err
	}
	return f.Conn.Read(b)
}

// serve answers commands until the session ends.
func (s *smtpSession) serve(ctx context.Context) {
	s.use(s.raw)
	if s.server.cfg.TLS == SMTPImplicit {
		if s.handshake(ctx) != nil {
			return
		}
	}
	s.reply(220, "", "localhost ESMTP hawser test server")
	for !s.over {
		line, err := s.readLine()
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			s.reply(500, "5.5.2", "that line is too long")
			s.over = true
		case err != nil:
			return
		default:
			s.obey(ctx, line)
		}
	}
	s.leave()
}

// leave hangs up. Closing a connection with something unread resets it, and a reset may overtake the last reply, so
// the client has a moment to hang up too.
func (s *smtpSession) leave() {
	const moment = time.Second
	_ = s.out.Flush()
	if secure, ok := s.control.(*tls.Conn); ok {
		_ = secure.CloseWrite()
	}
	_ = s.raw.CloseWrite()
	_ = s.raw.SetReadDeadline(time.Now().Add(moment))
	_, _ = io.Copy(io.Discard, s.raw)
}

func (s *smtpSession) use(c net.Conn) {
	s.control, s.out = c, bufio.NewWriter(c)
	s.lines = bufio.NewReaderSize(flusher{c, s.out}, smtpLine)
}

// handshake begins TLS, and forgets what was said before (RFC 3207, section 4.2).
func (s *smtpSession) handshake(ctx context.Context) error {
	secure := tls.Server(s.raw, s.server.tls)
	if err := secure.HandshakeContext(ctx); err != nil {
		return err
	}
	s.use(secure)
	s.secure, s.greeted, s.extended, s.loggedIn, s.user = true, false, false, false, ""
	s.mail = smtpTransaction{}
	return nil
}

// readLine hears a line, and notes it.
func (s *smtpSession) readLine() (string, error) {
	line, err := s.lines.ReadSlice('\n')
	if err != nil {
		return "", err
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(line), "\n"), "\r")
	s.server.note(text)
	return text, nil
}

// obey answers one command.
func (s *smtpSession) obey(ctx context.Context, line string) {
	verb, arg, _ := strings.Cut(line, " ")
	verb = strings.ToUpper(verb)
	s.command = line
	command, known := s.server.commands[verb]
	switch {
	case !command.content && s.hasty(command.alone):
	case strings.ContainsAny(line, "\x00\r"):
		s.reply(501, "5.5.2", "there is a control character in that")
	case !known:
		s.reply(500, "5.5.2", "that is no command here")
	default:
		command.run(ctx, s, arg)
	}
}

// hasty refuses a client that went on before it was answered, where it must not, and ends the session.
func (s *smtpSession) hasty(alone bool) bool {
	switch {
	case s.lines.Buffered() == 0:
		return false
	case !s.server.offers("PIPELINING"):
		s.reply(500, "5.5.0", "Pipelining not supported")
	case alone:
		s.reply(554, "5.5.0", "that wants its answer first")
	default:
		return false
	}
	s.over = true
	return true
}

// reply says text, which may have several lines (RFC 5321, section 4.2.1).
func (s *smtpSession) reply(code int, enhanced, text string) {
	s.say(s.words(code, enhanced, text))
}

// words are what reply would say. enhanced is empty where RFC 2034 wants no such code.
func (s *smtpSession) words(code int, enhanced, text string) string {
	if enhanced != "" && s.server.offers("ENHANCEDSTATUSCODES") {
		text = enhanced + " " + text
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		separator := "-"
		if i == len(lines)-1 {
			separator = " "
		}
		lines[i] = fmt.Sprintf("%d%s%s", code, separator, line)
	}
	return s.changed(strings.Join(lines, "\n"))
}

// changed is a reply after the hook has seen it.
func (s *smtpSession) changed(reply string) string {
	if hook := s.server.cfg.Reply; hook != nil {
		return hook(s.command, reply)
	}
	return reply
}

// refuses reports whether a reply is of the kind that undoes what it answers.
func refuses(reply string) bool {
	return strings.HasPrefix(reply, "4") || strings.HasPrefix(reply, "5")
}

func (s *smtpSession) say(reply string) {
	if reply == "" {
		return
	}
	if strings.HasPrefix(reply, "421") {
		s.over = true
	}
	// A connection that is gone shows when the next line is read.
	_, _ = s.out.WriteString(strings.ReplaceAll(reply, "\n", "\r\n") + "\r\n")
}
