package smtp

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/control"
)

// A Session is a logged-in SMTP session. It is a hawser.Mailer for one goroutine
// at a time; Close may be called at any time. A message that calls its own session
// while it writes itself gets hawser.ErrBusy.
//
// A session may be of several connections, one after the other: it opens a new
// one after each 100 messages, where the server has closed the old one while
// nothing was said, or wants no more messages on it, and after a message that was
// given up half way. It logs in anew there, and asks nobody again about the
// server's certificate.
//
// It ends with Close, with an error that matches hawser.ErrLost, and with a context
// that ends during an operation; see [Session.Cause].
type Session struct {
	way       *control.Way
	life      *control.Life
	endWithin time.Duration // for the reply to the end of a message

	reading atomic.Bool // a message writes itself, and may call this session, whose turn it has

	// Of whoever has the turn, to be used again.
	buf, scratch []byte

	mu    sync.Mutex // guards all below
	c     hawser.Connection
	link  *link              // nil: none is open, and the next operation opens one
	abort context.CancelFunc // of the opening of a link that is under way; nil: none is
}

var _ interface {
	fmt.Formatter
	hawser.Session
	hawser.Leasable
	hawser.Mailer
} = (*Session)(nil)

func newSession(way *control.Way, c hawser.Connection, l *link) *Session {
	s := &Session{way: way, c: c, link: l, endWithin: endWithin}
	s.life = control.NewLife(c, s.end)
	return s
}

// Ping makes one round trip, NOOP, or opens a connection where none is open.
func (s *Session) Ping(ctx context.Context) error {
	err := s.do(ctx, func(o *operation) error {
		if o.link == nil {
			return o.renew()
		}
		r, err := o.link.noop()
		if err == nil && r.Class() != 2 {
			err = refusal("NOOP", r)
		}
		return err
	})
	if err != nil {
		return s.life.Fail("ping", err)
	}
	return nil
}

// Close ends the session, with a QUIT if nothing is under way. A message that is
// under way is not submitted, unless its end is. Later calls return nil.
func (s *Session) Close() error {
	if s.life.TryBegin() { // nobody speaks
		if l := s.current(); l != nil && s.Cause() == nil {
			l.quit()
		}
	}
	s.life.Lose(fmt.Errorf("session: %w", net.ErrClosed))
	return nil
}

// Lease makes c's user the one who is named in errors and messages.
func (s *Session) Lease(_ context.Context, c hawser.Connection) error {
	if err := s.life.Lease(c); err != nil {
		return err
	}
	s.mu.Lock()
	s.c.Name, s.c.Log = c.Name, c.Log
	s.mu.Unlock()
	s.way.Log().Lease(c)
	return nil
}

// Reusable is false once the session ended and while a message is under way.
func (s *Session) Reusable() bool { return s.Cause() == nil && s.life.Idle() }

// Addr is the host:port of the server.
func (s *Session) Addr() string { return s.life.Addr() }

// Format writes what the session is connected to, whatever the verb: what is
// inside changes while it is looked at, and holds secrets.
func (s *Session) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "smtp session with ", s.Addr()) }

// Cause is why the session ended: it matches hawser.ErrLost, or net.ErrClosed
// after Close. It is nil while the session lives.
func (s *Session) Cause() error { return s.life.Cause() }

// end frees what the session holds; see [control.NewLife].
func (s *Session) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.link != nil {
		_ = s.link.Close()
	}
	if s.abort != nil {
		s.abort()
	}
}

// keep keeps a buffer for the next message, if it is no burden to an idle session.
func (s *Session) keep(buf []byte) {
	const most = 32 << 10
	if s.buf = buf; cap(buf) > most {
		s.buf = nil
	}
	if cap(s.scratch) > most {
		s.scratch = nil
	}
}

func (s *Session) current() *link {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.link
}
