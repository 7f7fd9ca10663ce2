package ftp

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	jftp "github.com/jlaffaye/ftp"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/control"
	"github.com/hawser/hawser/internal/opening"
	"github.com/hawser/hawser/internal/tlsconf"
	"github.com/hawser/hawser/internal/wire"
	"github.com/hawser/hawser/internal/wirelog"
)

// A Session is a logged-in FTP control connection. It is a hawser.FileSystem for
// one goroutine at a time; Close may be called at any time.
type Session struct {
	life      *control.Life
	settings  hawser.Connection // as dialed: data connections take the same way
	transport hawser.Transport
	socket    net.Conn        // below TLS
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

	mu      sync.Mutex // guards all below
	current *data      // of the file that is open; nil: none is
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
		return s.life.Fail("ping", err)
	}
	return nil
}

// Close ends the session, with a QUIT if nothing is under way, and closes a file
// that is open, which is not complete then. Later calls return nil.
func (s *Session) Close() error {
	if s.life.TryBegin() { // nobody speaks
		s.quit()
	}
	s.life.Lose(fmt.Errorf("session: %w", net.ErrClosed))
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
	if err := s.life.Lease(c); err != nil {
		return err
	}
	s.log.Lease(c)
	return nil
}

// Reusable is false once the session ended, while it does something or a file is
// open, and when the server has hung up on it, or said what nobody asked for, as
// servers do that log out who is idle.
func (s *Session) Reusable() bool {
	if s.Cause() != nil || s.transferring() || !s.life.TryBegin() {
		return false
	}
	defer s.life.Finish()
	if s.wire.Stirred() {
		s.life.Lose(fmt.Errorf("%w: the server hung up, or spoke unasked, while nothing was under way", hawser.ErrLost))
	}
	return s.Cause() == nil
}

func (s *Session) transferring() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current != nil
}

// Addr is the host:port of the server.
func (s *Session) Addr() string { return s.life.Addr() }

// Format writes what the session is connected to, whatever the verb: what is
// inside changes while it is looked at, and holds secrets.
func (s *Session) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "ftp session with ", s.Addr()) }

// Cause is why the session ended: it matches hawser.ErrLost, or net.ErrClosed
// after Close. It is nil while the session lives.
func (s *Session) Cause() error { return s.life.Cause() }

// end frees what the session holds; see [control.NewLife].
func (s *Session) end() {
	_ = s.wire.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current != nil {
		s.current.drop()
	}
}

// timeout bounds each wait for the server.
func (s *Session) timeout() time.Duration { return opening.Timeout(s.settings) }

// begin takes the turn. While a file is open, nobody gets it.
func (s *Session) begin(ctx context.Context) error {
	if !s.transferring() {
		return s.life.Begin(ctx)
	}
	return cmp.Or(ctx.Err(), s.Cause(),
		fmt.Errorf("%w: a file is open, and an FTP session does one thing at a time; close it first, or open another session", hawser.ErrBusy))
}

// do runs fn, which exchanges commands and replies, as one operation of ctx.
func (s *Session) do(ctx context.Context, fn func() error) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.life.Finish()
	defer s.log.Listen(ctx)()
	release := s.wire.Bind(ctx)
	err := fn()
	return s.life.Settle(ctx, err, release())
}
