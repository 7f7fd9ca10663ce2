package ftp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	jftp "github.com/jlaffaye/ftp"

	"github.com/hawser/hawser/internal/wire"
)

// startVerbs hands the logged-in control connection to jlaffaye/ftp, which
// speaks the verbs from here on. It is replayed a greeting and a login, because
// it loses half of what a server can say in them; then it asks for the features
// and sets the type and UTF-8.
func (s *Session) startVerbs() error {
	s.shown = &verbConn{s: s}
	s.shown.replay("220 ready\r\n")
	var err error
	s.verbs, err = jftp.Dial(s.Addr(),
		jftp.DialWithDialFunc(func(string, string) (net.Conn, error) { return s.shown, nil }),
		jftp.DialWithDisabledUTF8(s.names.encoding != nil),
		jftp.DialWithWritingMDTM(true))
	if err != nil {
		return err
	}
	err = s.verbs.Login("replayed", "")
	if broken := s.shown.broken; broken != nil {
		return broken
	}
	// UTF-8 is the last thing that it asks for, and many servers have it anyway.
	if r, verb := s.shown.last, verbOf(s.shown.line); err != nil && r.Class() != 2 && verb != "FEAT" && verb != "OPTS" {
		return refusal(verb, r)
	}
	return nil
}

// verb runs one or more verbs. It is the last reply that counts, not what
// jlaffaye/ftp makes of it: it takes some good ones for refusals.
func (s *Session) verb(speak func(*jftp.ServerConn) error) error {
	s.shown.broken, s.shown.last = nil, wire.Reply{}
	err := speak(s.verbs)
	switch r := s.shown.last; {
	case s.shown.broken != nil:
		return s.shown.broken
	case r.Code == 0 && err != nil: // nothing was sent
		return err
	case !isDone(r):
		return refusal(verbOf(s.shown.line), r)
	}
	return nil
}

// A verbConn is the control connection as jlaffaye/ftp sees it: what is written
// are whole command lines, what is read is one reply at a time. It wants a
// *net.TCPAddr for an address, which it uses for nothing here.
type verbConn struct {
	s      *Session
	in     bytes.Buffer // replies to read
	out    []byte       // a line that is not whole yet: a long one comes in parts
	line   string       // the last command
	last   wire.Reply   // the reply to it
	broken error        // why there is none
}

var _ net.Conn = (*verbConn)(nil)

func (v *verbConn) replay(reply string) { v.in.WriteString(reply) }

// Write sends a command and fetches its reply.
func (v *verbConn) Write(p []byte) (int, error) {
	v.out = append(v.out, p...)
	if !bytes.HasSuffix(v.out, []byte("\n")) {
		return len(p), nil
	}
	v.line = strings.TrimRight(string(v.out), "\r\n")
	v.out = nil
	if v.line == "USER replayed" {
		v.replay("230 logged in\r\n")
		return len(p), nil
	}
	v.last, v.broken = v.s.exchange(v.line)
	if v.broken != nil {
		return 0, v.broken
	}
	reply := plain(v.last)
	if v.line == "FEAT" {
		v.s.features = parseFeatures(v.last)
		reply = strings.ToUpper(reply) // names in lower case are not known to it
	}
	v.replay(reply)
	return len(p), nil
}

// plain is a reply in the form of RFC 959, which not every server keeps to.
func plain(r wire.Reply) string {
	var text strings.Builder
	if body := r.Body(); len(body) > 0 {
		_, _ = fmt.Fprintf(&text, "%03d-\r\n", r.Code)
		for _, line := range body {
			_, _ = fmt.Fprintf(&text, " %s\r\n", strings.TrimLeft(line, " "))
		}
	}
	_, _ = fmt.Fprintf(&text, "%03d %s\r\n", r.Code, r.Text())
	return text.String()
}

// Read hands out replies that were fetched.
func (v *verbConn) Read(p []byte) (int, error) {
	if v.in.Len() == 0 {
		return 0, io.ErrNoProgress // it asks for what nobody sent
	}
	return v.in.Read(p)
}

// Close leaves the connection to its session.
func (v *verbConn) Close() error { return nil }

func (v *verbConn) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (v *verbConn) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (v *verbConn) SetDeadline(time.Time) error      { return errors.ErrUnsupported }
func (v *verbConn) SetReadDeadline(time.Time) error  { return errors.ErrUnsupported }
func (v *verbConn) SetWriteDeadline(time.Time) error { return errors.ErrUnsupported }
