package control

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/hawser/hawser"
)

// A Life is that of a session which does one thing at a time: whose turn it is,
// in whose name, and why it ended. All methods may be called concurrently.
type Life struct {
	addr string        // host:port
	turn chan struct{} // holds one token while no operation runs
	over chan struct{} // closed with the first end
	end  func()        // frees what the session holds

	mu    sync.Mutex // guards all below
	c     hawser.Connection
	cause error // why the session ended; nil while it lives
}

// NewLife begins the life of a session to c. end is called once, by whoever ends
// the session first, and must not wait.
func NewLife(c hawser.Connection, end func()) *Life {
	l := &Life{addr: c.Addr(), turn: make(chan struct{}, 1), over: make(chan struct{}), end: end, c: nameOf(c)}
	l.turn <- struct{}{}
	return l
}

// nameOf keeps of c what errors tell.
func nameOf(c hawser.Connection) hawser.Connection {
	return hawser.Connection{Name: c.Name, Protocol: c.Protocol}
}

// Addr is the host:port of the server.
func (l *Life) Addr() string { return l.addr }

// Name is that of the connection in whose name the session is used.
func (l *Life) Name() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.c.Name
}

// Over is closed when the session has ended.
func (l *Life) Over() <-chan struct{} { return l.over }

// Cause is why the session ended; nil while it lives.
func (l *Life) Cause() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cause
}

// Lease makes c's user the one who is named in errors. The error is why the
// session ended.
func (l *Life) Lease(c hawser.Connection) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cause == nil {
		l.c = nameOf(c)
	}
	return l.cause
}

// Lose ends the session because of err, if it has not ended before.
func (l *Life) Lose(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cause != nil {
		return
	}
	l.cause = err
	l.end()
	close(l.over)
}

// Begin takes the turn, when it is free.
func (l *Life) Begin(ctx context.Context) error {
	switch cause := l.Cause(); {
	case ctx.Err() != nil:
		return ctx.Err()
	case cause != nil:
		return cause
	}
	select {
	case <-l.turn:
		return nil
	case <-l.over:
		return l.Cause()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// TryBegin takes the turn if nobody has it.
func (l *Life) TryBegin() bool {
	select {
	case <-l.turn:
		return true
	default:
		return false
	}
}

// Finish gives the turn back.
func (l *Life) Finish() { l.turn <- struct{}{} }

// Idle reports whether nobody has the turn.
func (l *Life) Idle() bool { return len(l.turn) == 1 }

// Settle is the end of an operation under ctx that came to err: it ends the
// session if that has left the two sides out of step, or if ctx cut it off.
func (l *Life) Settle(ctx context.Context, err error, cut bool) error {
	lost := errors.Is(err, hawser.ErrLost)
	cause := l.Cause()
	switch {
	case cut:
		l.Lose(fmt.Errorf("%w: an operation was cut by the end of its context", hawser.ErrLost))
	case lost:
		l.Lose(err)
	}
	switch {
	case lost && ctx.Err() != nil:
		return ctx.Err()
	case lost && cause != nil: // by Close, or noticed before
		return cause
	}
	return err
}

// Fail is err as an error of the session's operation op.
func (l *Life) Fail(op string, err error) *hawser.Error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return &hawser.Error{Op: op, Name: l.c.Name, Protocol: l.c.Protocol, Addr: l.addr, Err: err}
}
