package hawsertest

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/require"
)

// fakeProtocol has lines: the server greets, then answers LOGIN and PING.
const fakeProtocol hawser.Protocol = "fake"

// fakeServer serves fakeProtocol until the test ends, and returns its address.
func fakeServer(t *testing.T) net.Addr {
	l := listen(t)
	go func() { // ends with l
		for conn, err := l.Accept(); err == nil; conn, err = l.Accept() {
			go serveFake(conn) // ends with its client's connection
		}
	}()
	return l.Addr()
}

func serveFake(conn net.Conn) {
	defer conn.Close()
	_, _ = fmt.Fprintln(conn, "hello")
	lines := bufio.NewScanner(conn)
	for lines.Scan() {
		switch line := lines.Text(); {
		case line == "PING", line == plain("job", "correct horse"):
			_, _ = fmt.Fprintln(conn, "ok")
		default:
			_, _ = fmt.Fprintln(conn, "denied")
		}
	}
}

func plain(user, password string) string {
	return "LOGIN " + base64.StdEncoding.EncodeToString([]byte("\x00"+user+"\x00"+password))
}

// testDialer runs the suite on a fakeDialer with a bug, "" for none.
func testDialer(bug string) func(t *testing.T) {
	return func(t *testing.T) {
		host, port, err := net.SplitHostPort(fakeServer(t).String())
		require.NoError(t, err)
		good := hawser.Connection{Name: "good", Protocol: fakeProtocol, Host: host, Auth: hawser.Auth{User: "job", Password: hawser.NewSecret("correct horse")}}
		_, err = fmt.Sscan(port, &good.Port)
		require.NoError(t, err)
		denied := good.Clone()
		denied.Name, denied.Auth.Password = "denied", hawser.NewSecret("wrong staple")
		TestDialer(t, DialerHarness{Dialer: &fakeDialer{bug: bug}, Good: good, Denied: denied})
	}
}

func TestDialerOfFake(t *testing.T) { testDialer("")(t) }

// fakeDialer is a correct driver of fakeProtocol, but for its bug.
type fakeDialer struct {
	bug string
	one sync.Mutex // for a bug
}

func (d *fakeDialer) Dial(ctx context.Context, c hawser.Connection) (hawser.Session, error) {
	if c.Timeout == 0 {
		c.Timeout = hawser.DefaultTimeout
	}
	s := &fakeSession{d: d, c: c, dial: ctx}
	if s.is("one Dial at a time") {
		if !d.one.TryLock() {
			return d.failed(s, c, hawser.PhaseConnect, hawser.ErrBusy)
		}
		defer d.one.Unlock()
		time.Sleep(10 * time.Millisecond) // in which another dials
	}
	phase, err := s.login(ctx)
	if err == nil {
		return s, nil
	}
	if s.conn != nil {
		_ = s.Close()
	}
	return d.failed(s, c, phase, err)
}

func (d *fakeDialer) failed(s *fakeSession, c hawser.Connection, phase hawser.Phase, err error) (hawser.Session, error) {
	e := &hawser.Error{Op: "open", Phase: phase, Name: c.Name, Protocol: c.Protocol, Addr: c.Addr(), Err: err}
	switch d.bug {
	case "dialer: a bare error":
		return nil, err
	case "dialer: an error without a name":
		e.Name = ""
	case "dialer: an error without an address":
		e.Addr = ""
	case "dialer: every phase is login":
		e.Phase = hawser.PhaseLogin
	case "dialer: a session beside an error":
		return s, e
	case "dialer: a wrong password is temporary":
		e.Err, e.Temporary = errors.New("busy"), true
	case "dialer: the password in an error":
		e.Err = fmt.Errorf("%w: %q", err, c.Auth.Password.Reveal())
	case "dialer: the encoded password in an error":
		e.Err = fmt.Errorf("%w: %s", err, plain(c.Auth.User, c.Auth.Password.Reveal()))
	}
	return nil, e
}

// fakeSession keeps the context of Dial for one of its bugs alone.
type fakeSession struct {
	d    *fakeDialer
	dial context.Context
	conn net.Conn
	in   *bufio.Reader

	mu     sync.Mutex // guards all below
	c      hawser.Connection
	ended  bool
	closed bool
}

func (s *fakeSession) is(bug string) bool { return s.d.bug == "dialer: "+bug }

func (s *fakeSession) login(ctx context.Context) (hawser.Phase, error) {
	if s.is("connects first") {
		if conn, err := net.Dial("tcp", s.c.Addr()); err == nil {
			_ = conn.Close()
		}
	}
	if s.is("Dial ignores its context") {
		ctx = context.WithoutCancel(ctx)
	}
	conn, err := (&net.Dialer{Timeout: s.c.Timeout}).DialContext(ctx, "tcp", s.c.Addr())
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return hawser.PhaseConnect, err
	}
	s.conn, s.in = conn, bufio.NewReader(conn)
	s.step(ctx, hawser.PhaseConnect, nil)
	if s.is("a goroutine is left") {
		go func() { select {} }()
	}
	err = s.authenticate(ctx)
	s.step(ctx, hawser.PhaseLogin, err)
	return hawser.PhaseLogin, err
}

func (s *fakeSession) authenticate(ctx context.Context) error {
	if _, err := s.exchange(ctx, "", ""); err != nil {
		return err
	}
	line := plain(s.c.Auth.User, s.c.Auth.Password.Reveal())
	shown := "LOGIN ***"
	if s.is("the wire log shows the password") {
		shown = line
	}
	answer, err := s.exchange(ctx, line, shown)
	if err == nil && answer != "ok" {
		return hawser.ErrAuth
	}
	return err
}

func (s *fakeSession) step(ctx context.Context, phase hawser.Phase, err error) {
	if s.is("steps are not reported") && phase == hawser.PhaseLogin {
		return
	}
	for _, t := range hawser.ContextTraces(ctx) {
		if t.Step != nil {
			t.Step(s.c.Name, hawser.Step{Phase: phase, Err: err})
		}
	}
}

// exchange sends line, if there is one, and reads an answer.
func (s *fakeSession) exchange(ctx context.Context, line, shown string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	s.tell(ctx, true, shown)
	limit := time.Now().Add(s.c.Timeout)
	if s.is("Timeout is ignored") {
		limit = time.Time{}
	}
	_ = s.conn.SetDeadline(limit)
	stop := context.AfterFunc(ctx, func() { _ = s.conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if line != "" {
		_, _ = fmt.Fprintln(s.conn, line) // what fails here fails below
	}
	answer, err := s.in.ReadString('\n')
	if err != nil {
		return "", s.lost(ctx, err)
	}
	answer = strings.TrimSuffix(answer, "\n")
	s.tell(ctx, false, answer)
	return answer, nil
}

func (s *fakeSession) lost(ctx context.Context, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	switch {
	case ctx.Err() != nil && !s.is("a context gives a timeout"):
		return ctx.Err()
	case errors.Is(err, os.ErrDeadlineExceeded), s.is("a lost connection is an EOF"):
		return err
	}
	return fmt.Errorf("%w: %w", hawser.ErrLost, err)
}

func (s *fakeSession) tell(ctx context.Context, sent bool, text string) {
	if text == "" {
		return
	}
	s.mu.Lock()
	m := hawser.Message{Connection: s.c.Name, Protocol: s.c.Protocol, Log: s.c.Log, Text: text}
	s.mu.Unlock()
	switch {
	case s.is("messages have line ends"):
		m.Text += "\r\n"
	case s.is("nothing received is logged") && !sent:
		return
	}
	for _, t := range hawser.ContextTraces(ctx) {
		if sent && t.Sent != nil {
			t.Sent(m)
		}
		if !sent && t.Received != nil {
			t.Received(m)
		}
	}
}

func (s *fakeSession) Ping(ctx context.Context) error {
	switch {
	case s.is("Ping asks nobody"):
		return nil
	case s.is("Ping fails"):
		return errors.New("unknown command")
	case s.is("the context of Dial ends the session") && s.dial.Err() != nil:
		return s.dial.Err()
	case s.is("Ping ignores its context"):
		ctx = context.WithoutCancel(ctx)
	case s.is("Close waits for Ping"):
		s.mu.Lock()
		defer s.mu.Unlock()
		_, err := s.in.ReadString('\n')
		return err
	}
	_, err := s.exchange(ctx, "PING", "PING")
	return err
}

func (s *fakeSession) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed && !s.is("a second Close fails") {
		return nil
	}
	s.closed = true
	return s.conn.Close()
}

func (s *fakeSession) Lease(_ context.Context, c hawser.Connection) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.is("Lease keeps the name") {
		s.c.Name = c.Name
	}
	s.c.Log = c.Log
	return nil
}

func (s *fakeSession) Reusable() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.ended && !s.closed || s.is("always Reusable")
}
