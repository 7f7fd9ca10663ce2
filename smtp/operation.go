package smtp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/hawser/hawser"
)

const (
	// mostPerLink is how many messages are sent on one connection. OpenSMTPD takes
	// no more, and others grow slow or suspicious.
	mostPerLink = 100
	// quiet is how long a connection may be silent before it is asked whether it
	// still stands. Some servers close it after ten seconds.
	quiet = 5 * time.Second
)

// An operation is what has the turn of a session: it speaks on its link and may
// replace that.
type operation struct {
	s       *Session
	ctx     context.Context // of the caller; an operation lives as long as the call
	link    *link           // nil: none is open
	fresh   bool            // the link was opened by this operation
	release func() (cut bool)
	cut     bool // the end of ctx has cut off what was under way
}

// do runs fn as one operation of ctx.
func (s *Session) do(ctx context.Context, fn func(*operation) error) (err error) {
	if s.reading.Load() {
		return fmt.Errorf("%w: a message is being read, and an SMTP session does one thing at a time; use another session", hawser.ErrBusy)
	}
	if err := s.life.Begin(ctx); err != nil {
		return err
	}
	defer s.life.Finish()
	defer s.way.Log().Listen(ctx)()
	o := &operation{s: s, ctx: ctx, link: s.current(), release: func() bool { return false }}
	if o.link != nil {
		o.release = o.link.Bind(ctx)
	}
	// Also where fn, which calls code of the user, panics.
	defer func() { err = s.life.Settle(ctx, err, o.release() || o.cut) }()
	return fn(o)
}

// drop closes the link without a word, so that the server takes nothing that was
// begun on it for whole.
func (o *operation) drop() {
	if o.link == nil {
		return
	}
	_ = o.link.Close()
	o.use(nil)
}

// use makes l the link of the session.
func (o *operation) use(l *link) {
	o.release()
	o.release = func() bool { return false }
	o.link = l
	o.s.mu.Lock()
	o.s.link = l
	o.s.mu.Unlock()
	if l == nil {
		return
	}
	o.release = l.Bind(o.ctx)
	if o.s.Cause() != nil { // closed meanwhile
		_ = l.Close()
	}
}

// prepare makes sure that there is a link which takes another message. One on
// which the server has hung up, or said what nobody asked for, is left: nothing is
// lost, for nothing is under way.
func (o *operation) prepare() error {
	l := o.link
	if l == nil {
		return o.renew()
	}
	stirred := l.Stirred()
	switch {
	case stirred && o.alive():
		return o.renew()
	case l.open && !o.reset():
		return o.renew()
	case l.sent >= mostPerLink:
		l.quit()
		return o.renew()
	case time.Since(l.spoke) < quiet:
		return nil
	}
	r, err := l.noop()
	if errors.Is(err, hawser.ErrLost) && o.alive() || err == nil && r.Class() != 2 {
		return o.renew()
	}
	return err
}

// alive reports whether the operation is to go on.
func (o *operation) alive() bool { return o.ctx.Err() == nil && o.s.Cause() == nil }

// reset ends the transaction before, which has not come to its end. If the server
// does not say that it has done so, the next message could go to recipients of the
// one before.
func (o *operation) reset() bool {
	r, err := exchange(o.link.Conn, "RSET")
	o.link.open = err != nil || r.Class() != 2
	return !o.link.open
}

// renew opens a new link in the place of the old one.
func (o *operation) renew() error {
	o.drop()
	ctx, cancel := context.WithCancel(o.ctx)
	defer cancel()
	o.s.mu.Lock()
	c := o.s.c
	o.s.abort = cancel
	o.s.mu.Unlock()
	if cause := o.s.Cause(); cause != nil {
		return cause
	}
	l, err := openLink(ctx, o.s.way, c)
	o.s.mu.Lock()
	o.s.abort = nil
	o.s.mu.Unlock()
	switch {
	case err == nil:
		o.fresh = true
		o.use(l)
		return nil
	case o.ctx.Err() != nil:
		return o.ctx.Err()
	case o.s.Cause() != nil:
		return fmt.Errorf("session: %w", net.ErrClosed)
	}
	return fmt.Errorf("a new connection of the session: %w", err)
}
