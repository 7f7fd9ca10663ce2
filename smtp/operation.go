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
	// mostPerLine is how many messages are sent on one connection. OpenSMTPD takes
	// no more, and others grow slow or suspicious.
	mostPerLine = 100
	// quiet is how long a connection may be silent before it is asked whether it
	// still stands. Some servers close it after ten seconds.
	quiet = 5 * time.Second
)

// An operation is what has the turn of a session: it speaks on its line and may
// replace that.
type operation struct {
	s       *Session
	ctx     context.Context // of the caller; an operation lives as long as the call
	line    *line           // nil: none is open
	fresh   bool            // the line was opened by this operation
	release func() (cut bool)
}

// do runs fn as one operation of ctx.
func (s *Session) do(ctx context.Context, fn func(*operation) error) (err error) {
	if err := s.life.Begin(ctx); err != nil {
		return err
	}
	defer s.life.Finish()
	defer s.way.Log().Listen(ctx)()
	o := &operation{s: s, ctx: ctx, line: s.current(), release: func() bool { return false }}
	if o.line != nil {
		o.release = o.line.Bind(ctx)
	}
	// Also where fn, which calls code of the user, panics.
	defer func() { err = s.life.Settle(ctx, err, o.release()) }()
	return fn(o)
}

// drop closes the line without a word, so that the server takes nothing that was
// begun on it for whole.
func (o *operation) drop() {
	if o.line == nil {
		return
	}
	_ = o.line.Close()
	o.use(nil)
}

// use makes l the line of the session.
func (o *operation) use(l *line) {
	o.release()
	o.release = func() bool { return false }
	o.line = l
	o.s.mu.Lock()
	o.s.line = l
	o.s.mu.Unlock()
	if l == nil {
		return
	}
	o.release = l.Bind(o.ctx)
	if o.s.Cause() != nil { // closed meanwhile
		_ = l.Close()
	}
}

// prepare makes sure that there is a line which takes another message. One on
// which the server has hung up, or said what nobody asked for, is left: nothing is
// lost, for nothing is under way.
func (o *operation) prepare() error {
	l := o.line
	if l == nil {
		return o.renew()
	}
	stirred := l.Stirred()
	switch {
	case stirred && o.ctx.Err() == nil && o.s.Cause() == nil:
		return o.renew()
	case l.sent >= mostPerLine:
		l.quit()
		return o.renew()
	case time.Since(l.spoke) < quiet:
		return nil
	}
	r, err := l.noop()
	if errors.Is(err, hawser.ErrLost) && o.ctx.Err() == nil && o.s.Cause() == nil || err == nil && r.Class() != 2 {
		return o.renew()
	}
	return err
}

// renew opens a new line in the place of the old one.
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
	l, err := openLine(ctx, o.s.way, c)
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
