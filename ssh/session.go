package ssh

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	xssh "golang.org/x/crypto/ssh"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/bounded"
	"github.com/hawser/hawser/internal/opening"
	"github.com/hawser/hawser/internal/wirelog"
)

// A Session is a logged-in SSH connection. It is a hawser.Runner, and up to
// [Session.Parallelism] goroutines may use it at once.
type Session struct {
	addr   string // host:port
	conn   xssh.Conn
	socket *socket
	log    *wirelog.Log
	calls  *bounded.Caller
	pinger pinger
	ended  chan struct{} // closed with the first end
	shut   chan struct{} // closed with the first Close
	once   sync.Once     // closes shut

	mu    sync.Mutex // guards all below
	c     hawser.Connection
	cause error // why the session ended; nil while it lives
	busy  int   // channels that are open and commands that run
}

var _ interface {
	fmt.Formatter
	hawser.Session
	hawser.Leasable
	hawser.Parallel
	hawser.Runner
} = (*Session)(nil)

// newSession takes over conn and its channels, which x/crypto wants served.
func newSession(c hawser.Connection, conn xssh.Conn, sock *socket, log *wirelog.Log, channels <-chan xssh.NewChannel, requests <-chan *xssh.Request) *Session {
	s := &Session{
		addr: c.Addr(), conn: conn, socket: sock, log: log,
		c:     withoutSecrets(c),
		ended: make(chan struct{}),
		shut:  make(chan struct{}),
	}
	s.calls = &bounded.Caller{Timeout: opening.Timeout(c), Silence: sock.silence, Lost: s.end}
	poison := s.poison
	sock.poison.Store(&poison)
	s.calls.Go(func() { refuseChannels(channels) })
	s.calls.Go(func() { xssh.DiscardRequests(requests) }) // also answers the server's keepalives
	s.calls.Go(func() {
		err := conn.Wait()
		s.end(fmt.Errorf("%w: the connection ended: %w", hawser.ErrLost, err))
	})
	if interval := keepAlive(c); interval > 0 {
		s.calls.Go(func() { s.keepAlive(interval) })
	}
	return s
}

// withoutSecrets keeps of c what a session needs for its errors.
func withoutSecrets(c hawser.Connection) hawser.Connection {
	return hawser.Connection{Name: c.Name, Protocol: c.Protocol, Host: c.Host, Port: c.Port}
}

// poison has x/crypto write something that is never sent; see
// [socket.stopWriting]. It does not wait for long, because in the middle of a key
// exchange x/crypto writes nothing else.
func (s *Session) poison() {
	const moment = 100 * time.Millisecond
	done := make(chan struct{})
	started := s.calls.Go(func() {
		defer close(done)
		_, _, _ = s.conn.SendRequest("ignored", false, nil)
	})
	if !started { // nothing else is sent either
		return
	}
	timer := time.NewTimer(moment)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}

func refuseChannels(channels <-chan xssh.NewChannel) {
	for ch := range channels {
		_ = ch.Reject(xssh.UnknownChannelType, "no channels are accepted")
	}
}

// Ping makes one round trip, keepalive@openssh.com.
func (s *Session) Ping(ctx context.Context) error {
	defer s.log.Listen(ctx)()
	if err := s.pinger.ping(ctx, s); err != nil {
		return s.Fail("ping", err)
	}
	return nil
}

// Close ends the session and everything that runs in it. It may be called at
// any time, but not from within a Stdin, Stdout or Stderr of a command.
func (s *Session) Close() error {
	s.end(fmt.Errorf("session: %w", net.ErrClosed))
	s.once.Do(func() { close(s.shut) })
	s.calls.Wait()
	return nil
}

// Lease makes c's user the one who is named in errors and messages.
func (s *Session) Lease(_ context.Context, c hawser.Connection) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cause != nil {
		return s.cause
	}
	s.c = withoutSecrets(c)
	s.log.Lease(c)
	return nil
}

// Reusable is false once the session ended and while a command or a stream is
// open in it.
func (s *Session) Reusable() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cause == nil && s.busy == 0
}

// Parallelism is how many commands a server lets run at once on one
// connection by default, with two to spare (OpenSSH: MaxSessions 10).
func (s *Session) Parallelism() int { return 8 }

// Addr is the host:port of the server.
func (s *Session) Addr() string { return s.addr }

// Format writes what the session is connected to, whatever the verb: what is
// inside changes while it is looked at.
func (s *Session) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "ssh session with ", s.addr) }

// Ended is closed when the session is over; [Session.Cause] says why then.
func (s *Session) Ended() <-chan struct{} { return s.ended }

// Cause is why the session ended: it matches hawser.ErrLost, or net.ErrClosed
// after Close. It is nil while the session lives.
func (s *Session) Cause() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cause
}

// Lose ends the session because of err, as Close does but without waiting. It
// is for a protocol above SSH that finds the server silent or confused.
func (s *Session) Lose(err error) { s.end(err) }

// end keeps the first cause and unblocks whatever waits for the server.
func (s *Session) end(cause error) {
	s.mu.Lock()
	first := s.cause == nil
	if first {
		s.cause = cause
		close(s.ended)
	}
	s.mu.Unlock()
	if first {
		_ = s.socket.Close() // ends conn.Wait, and through it the mux and all channels
	}
}

// Fail wraps err as the failure of an operation. Where the session is over,
// the cause of that counts more than what it did to the operation.
func (s *Session) Fail(op string, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cause != nil && !isContext(err) {
		err = s.cause
	}
	return &hawser.Error{Op: op, Name: s.c.Name, Protocol: s.c.Protocol, Addr: s.c.Addr(), Err: err}
}

// settle returns the cause of the session's end where err is a consequence of
// it: x/crypto tells its calls of a broken connection a moment before Wait.
func (s *Session) settle(err error) error {
	if isContext(err) || errors.Is(err, hawser.ErrLost) {
		return err
	}
	const moment = 250 * time.Millisecond
	timer := time.NewTimer(moment)
	defer timer.Stop()
	select {
	case <-s.ended:
		return s.Cause()
	case <-timer.C:
		return err
	}
}

// lost is why the session is over, which matches hawser.ErrLost, or nil while it
// lives. It is for whoever is told by x/crypto that a channel ended.
func (s *Session) lost() error {
	err := s.socket.pulse.verdict()
	if err == nil {
		return nil
	}
	cause := s.broken(err)
	if !errors.Is(cause, hawser.ErrLost) { // closed here, but not by who asks
		cause = fmt.Errorf("%w: %w", hawser.ErrLost, cause)
	}
	return cause
}

// broken ends the session, if it has not ended, because of an err that only a
// connection that broke can give, and returns the cause.
func (s *Session) broken(err error) error {
	err = s.settle(err)
	if !errors.Is(err, hawser.ErrLost) {
		err = fmt.Errorf("%w: %w", hawser.ErrLost, err)
	}
	s.end(err)
	return s.Cause()
}

func (s *Session) opened() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy++
}

func (s *Session) closed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy--
}
