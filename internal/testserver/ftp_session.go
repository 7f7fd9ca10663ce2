package testserver

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"
)

// maxLine is the longest command in bytes.
const maxLine = 8 << 10

// ftpSession is one control connection. One goroutine owns it, but for what mu guards.
type ftpSession struct {
	server  *FTP
	raw     *gatedConn // below TLS
	control net.Conn
	lines   *bufio.Reader
	tls     *tls.Config // nil without TLS
	secure  bool        // the control connection speaks TLS
	over    bool        // the session is to end

	user     string
	accepted bool // the password was right; ACCT is missing
	loggedIn bool

	command string // the one that is answered
	dir     string // where relative names start
	binary  bool   // TYPE I
	private bool   // PROT P
	restart int64  // from REST, for the next transfer
	rename  string // from RNFR, for the next RNTO
	facts   []string
	hash    string

	data    ftpData
	reader  sync.WaitGroup
	pending chan heardLine // what a background reader has read; nil if none was started

	mu           sync.Mutex // guards what follows
	transferring bool
	aborted      bool
	abort        func() // ends the transfer
}

// heardLine is a command, or the error that ended the connection. The last one of a reader says so.
type heardLine struct {
	text string
	err  error
	last bool
}

// serve answers commands until the session ends.
func (s *ftpSession) serve(ctx context.Context) {
	defer s.data.forget()
	s.use(s.raw)
	if s.server.cfg.TLS == FTPImplicit {
		if s.handshake(ctx) != nil {
			return
		}
	}
	s.reply(220, "hawser test server")
	for !s.over {
		line, err := s.next()
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			s.reply(421, "you were idle for too long")
			s.over = true
		case errors.Is(err, bufio.ErrBufferFull):
			s.reply(500, "that line is too long")
			s.over = true
		case err != nil:
			return
		default:
			s.obey(ctx, line)
		}
	}
	if secure, ok := s.control.(*tls.Conn); ok {
		_ = secure.CloseWrite()
	}
}

func (s *ftpSession) use(c net.Conn) {
	s.control, s.lines = c, bufio.NewReaderSize(c, maxLine)
}

// handshake begins TLS.
func (s *ftpSession) handshake(ctx context.Context) error {
	secure := tls.Server(s.raw, s.tls)
	if err := secure.HandshakeContext(ctx); err != nil {
		return err
	}
	s.use(secure)
	s.secure = true
	return nil
}

// next is the next command, from the background if it was heard there.
func (s *ftpSession) next() (string, error) {
	if idle := s.server.cfg.Idle; idle > 0 {
		_ = s.raw.SetReadDeadline(time.Now().Add(idle))
	}
	if s.pending == nil {
		return s.readLine()
	}
	line := <-s.pending
	if line.last {
		s.pending = nil
	}
	return line.text, line.err
}

func (s *ftpSession) readLine() (string, error) {
	line, err := s.lines.ReadSlice('\n')
	if err != nil {
		return "", err
	}
	return withoutTelnet(strings.TrimRight(string(line), "\r\n")), nil
}

// listenMeanwhile hears commands in the background while a transfer is under way, for one of them may be ABOR. The
// rest waits in pending, where next finds it. The reader stops at the first command after the transfer.
func (s *ftpSession) listenMeanwhile() {
	if s.pending != nil {
		return // One from the transfer before is still waiting for a line.
	}
	_ = s.raw.SetReadDeadline(time.Time{})
	const enough = 64 // commands that a client says during one transfer
	pending := make(chan heardLine, enough)
	s.pending = pending
	s.reader.Go(func() { // ends with the connection at the latest
		for last, n := false, 1; !last; n++ {
			text, err := s.readLine()
			last = !s.during(text, err) || n == enough
			pending <- heardLine{text: text, err: err, last: last}
		}
	})
}

// during ends the transfer if it hears ABOR or the end of the connection. It reports whether there is one that goes on.
func (s *ftpSession) during(text string, err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.transferring {
		return false
	}
	if err != nil || strings.EqualFold(text, "ABOR") {
		s.aborted = true
		s.abort()
		return false
	}
	return true
}

// begin says that a transfer begins, which abort ends.
func (s *ftpSession) begin(abort func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.transferring, s.aborted, s.abort = true, false, abort
}

// end says that the transfer has ended, and reports whether it was aborted.
func (s *ftpSession) end() (aborted bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.transferring, s.abort = false, nil
	return s.aborted
}

// obey answers one command.
func (s *ftpSession) obey(ctx context.Context, line string) {
	verb, arg, _ := strings.Cut(line, " ")
	verb = strings.ToUpper(verb)
	s.command = line
	if verb == "PASS" || verb == "ACCT" {
		s.command = verb + " ***"
	}
	s.server.note(s.command)
	command, known := s.server.commands[verb]
	switch {
	case !known:
		s.reply(500, verb+" is not understood")
		return
	case !command.free && !s.loggedIn:
		s.reply(530, "log in first")
		return
	case command.argument && arg == "":
		s.reply(501, verb+" needs an argument")
		return
	case strings.ContainsRune(arg, 0):
		s.reply(501, "there is a NUL in that")
		return
	}
	command.run(ctx, s, arg)
}

func (s *FTP) note(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard = append(s.heard, line)
}

// reply says text, which may have several lines (RFC 959, section 4.2).
func (s *ftpSession) reply(code int, text string) {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		switch {
		case i == len(lines)-1:
			lines[i] = fmt.Sprintf("%d %s", code, line)
		case i == 0:
			lines[i] = fmt.Sprintf("%d-%s", code, line)
		default:
			lines[i] = " " + line
		}
	}
	reply := strings.Join(lines, "\n")
	if hook := s.server.cfg.Reply; hook != nil {
		if reply = hook(s.command, reply); reply == "" {
			return
		}
	}
	if _, err := io.WriteString(s.control, strings.ReplaceAll(reply, "\n", "\r\n")+"\r\n"); err != nil {
		s.over = true
	}
}
