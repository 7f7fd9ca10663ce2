package ftp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	jftp "github.com/jlaffaye/ftp"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/opening"
	"github.com/hawser/hawser/internal/tlsconf"
	"github.com/hawser/hawser/internal/wire"
	"github.com/hawser/hawser/internal/wirelog"
)

// A Session is a logged-in FTP control connection. It is a hawser.FileSystem for
// one goroutine at a time; Close may be called at any time.
type Session struct {
	addr      string            // host:port
	settings  hawser.Connection // as dialed: data connections take the same way
	transport hawser.Transport
	tls       *tlsconf.Client // nil: in the clear
	wire      *wire.Conn
	log       *wirelog.Log
	verbs     *jftp.ServerConn
	shown     *verbConn // what verbs speaks through
	features  features
	names     names
	ways      ways
	listing   listMode
	noLook    bool          // STAT does not list
	noopEvery time.Duration // during a transfer
	home      string        // where relative names start
	turn      chan struct{} // holds one token while no operation runs
	ended     chan struct{} // closed with the first end

	mu      sync.Mutex // guards all below
	c       hawser.Connection
	cause   error // why the session ended; nil while it lives
	current *data // of the file that is open; nil: none is
}

var _ interface {
	fmt.Formatter
	hawser.Session
	hawser.Leasable
} = (*Session)(nil)

// Ping makes one round trip, NOOP.
func (s *Session) Ping(ctx context.Context) error {
	err := s.do(ctx, func() error {
		_, err := s.command("NOOP")
		return err
	})
	if err != nil {
		return s.fail("ping", err)
	}
	return nil
}

// Close ends the session, with a QUIT if nothing is under way, and closes a file
// that is open, which is not complete then. Later calls return nil.
func (s *Session) Close() error {
	select {
	case <-s.turn: // nobody speaks
		s.quit()
	default:
	}
	s.lose(fmt.Errorf("session: %w", net.ErrClosed))
	return nil
}

// quit says goodbye, and waits a moment for the answer: some servers count a
// connection that is dropped as a fault.
func (s *Session) quit() {
	if s.Cause() != nil {
		return
	}
	const moment = 500 * time.Millisecond
	timer := time.AfterFunc(moment, s.wire.Interrupt)
	defer timer.Stop()
	_, _ = s.exchange("QUIT")
}

// Lease makes c's user the one who is named in errors and messages.
func (s *Session) Lease(_ context.Context, c hawser.Connection) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cause != nil {
		return s.cause
	}
	s.c = nameOf(c)
	s.log.Lease(c)
	return nil
}

// Reusable is false once the session ended and while a file is open.
func (s *Session) Reusable() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cause == nil && s.current == nil
}

// Addr is the host:port of the server.
func (s *Session) Addr() string { return s.addr }

// Format writes what the session is connected to, whatever the verb: what is
// inside changes while it is looked at, and holds secrets.
func (s *Session) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "ftp session with ", s.addr) }

// Cause is why the session ended: it matches hawser.ErrLost, or net.ErrClosed
// after Close. It is nil while the session lives.
func (s *Session) Cause() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cause
}

// lose ends the session because of err.
func (s *Session) lose(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cause != nil {
		return
	}
	s.cause = err
	_ = s.wire.Close()
	if s.current != nil {
		s.current.drop()
	}
	close(s.ended)
}

// nameOf keeps of c what errors tell.
func nameOf(c hawser.Connection) hawser.Connection {
	return hawser.Connection{Name: c.Name, Protocol: c.Protocol, Host: c.Host, Port: c.Port, TLS: hawser.TLSOptions{Mode: c.TLS.Mode}}
}

// fail is err as an error of the session.
func (s *Session) fail(op string, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &hawser.Error{Op: op, Name: s.c.Name, Protocol: hawser.FTP, Addr: s.addr, Err: err}
}

// timeout bounds each wait for the server.
func (s *Session) timeout() time.Duration { return opening.Timeout(s.settings) }

// begin takes the turn. While a file is open, nobody gets it.
func (s *Session) begin(ctx context.Context) error {
	s.mu.Lock()
	cause, transfer := s.cause, s.current != nil
	s.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case cause != nil:
		return cause
	case transfer:
		return fmt.Errorf("%w: a file is open, and an FTP session does one thing at a time; close it first, or open another session", hawser.ErrBusy)
	}
	select {
	case <-s.turn:
		return nil
	case <-s.ended:
		return s.Cause()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// do runs fn, which exchanges commands and replies, as one operation of ctx.
func (s *Session) do(ctx context.Context, fn func() error) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.finish()
	defer s.log.Listen(ctx)()
	release := s.wire.Bind(ctx)
	err := fn()
	return s.settle(ctx, err, release())
}

// finish gives the turn back.
func (s *Session) finish() { s.turn <- struct{}{} }

// settle ends the session if err has left it out of step, or the end of ctx, by
// which it was cut.
func (s *Session) settle(ctx context.Context, err error, cut bool) error {
	lost := errors.Is(err, hawser.ErrLost)
	cause := s.Cause()
	switch {
	case cut:
		s.lose(fmt.Errorf("%w: an operation was cut by the end of its context", hawser.ErrLost))
	case lost:
		s.lose(err)
	}
	switch {
	case lost && ctx.Err() != nil:
		return ctx.Err()
	case lost && cause != nil: // by Close, or noticed before
		return cause
	}
	return err
}
