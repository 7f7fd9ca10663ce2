// Package opening keeps account of opening one session: the phase it is in,
// how long each took, what time is left, and how a failure reads.
package opening

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/hawser/hawser"
)

// An Opening is the account of one dial. Phases follow one another; its
// methods may be called from the goroutines of one handshake, one at a time.
type Opening struct {
	c      hawser.Connection
	parent context.Context // of the caller; an Opening lives as long as the dial
	ctx    context.Context // ends with parent or when the time is up
	cancel context.CancelCauseFunc

	mu      sync.Mutex // guards all below
	phase   hawser.Phase
	start   time.Time // of the phase
	timer   *time.Timer
	left    time.Duration // when the timer was started
	running time.Time     // since when the timer runs; zero while it is paused
	timeUp  bool
	paused  time.Duration // in all
	reached bool          // there is a connection
}

// Start begins the account of a dial of c under ctx, whose time is
// c.Timeout. The caller calls Close.
func Start(ctx context.Context, c hawser.Connection) *Opening {
	o := &Opening{c: c, parent: ctx, left: Timeout(c)}
	ctx, o.cancel = context.WithCancelCause(ctx)
	o.ctx = context.WithValue(ctx, key{}, o)
	o.running = time.Now()
	o.timer = time.AfterFunc(o.left, o.expire)
	return o
}

// Timeout is c.Timeout or what stands for its zero.
func Timeout(c hawser.Connection) time.Duration {
	if c.Timeout == 0 {
		return hawser.DefaultTimeout
	}
	return c.Timeout
}

// Context is what bounds every step of the dial.
func (o *Opening) Context() context.Context { return o.ctx }

// Close ends Context and the timer.
func (o *Opening) Close() {
	o.timer.Stop()
	o.cancel(nil)
}

func (o *Opening) expire() {
	o.mu.Lock()
	o.timeUp = true
	o.mu.Unlock()
	o.cancel(o.noAnswer())
}

func (o *Opening) noAnswer() error {
	return fmt.Errorf("no answer within %v: %w", Timeout(o.c), os.ErrDeadlineExceeded)
}

// Unhurried runs fn, which may ask a person, while the clock stands still. It
// gives fn the caller's own context.
func (o *Opening) Unhurried(fn func(context.Context) error) error {
	start := time.Now()
	err := o.hold(fn)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.paused += time.Since(start)
	return err
}

// hold runs fn while the clock stands still.
func (o *Opening) hold(fn func(context.Context) error) error {
	o.mu.Lock()
	o.timer.Stop()
	o.left -= time.Since(o.running)
	o.mu.Unlock()

	err := fn(o.parent)

	o.mu.Lock()
	defer o.mu.Unlock()
	o.running = time.Now()
	o.timer.Reset(max(o.left, 0))
	return err
}

// key is that of the Opening in its Context.
type key struct{}

// Unhurried runs fn while the clock of the dial that ctx is the Context of stands
// still. It is for a Transport, which does not know of the Opening: what asks a
// person, or has a clock of its own. Without a dial it only runs fn.
func Unhurried(ctx context.Context, fn func(context.Context) error) error {
	if o, ok := ctx.Value(key{}).(*Opening); ok {
		return o.hold(fn)
	}
	return fn(ctx)
}

// IsOver reports whether ctx has ended, or is about to because its deadline has
// passed: package net looks at that by itself, and may be the first to see it.
func IsOver(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ctx.Err() != nil || ok && !time.Now().Before(deadline)
}

// Ended is the error of what ctx, which is over, cut short: that of the time that
// was up, where ctx is the Context of a dial, and else the context's own.
func Ended(ctx context.Context) error {
	if cause := context.Cause(ctx); errors.Is(cause, os.ErrDeadlineExceeded) {
		return cause
	}
	if ctx.Err() == nil {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}

// Paused is how long the method Unhurried took in all.
func (o *Opening) Paused() time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.paused
}

// Enter begins a phase.
func (o *Opening) Enter(phase hawser.Phase) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.phase, o.start = phase, time.Now()
}

// Phase is the one entered last.
func (o *Opening) Phase() hawser.Phase {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.phase
}

// Done ends the phase well and reports it.
func (o *Opening) Done(detail string) {
	o.mu.Lock()
	o.reached = o.reached || o.phase == hawser.PhaseConnect
	o.mu.Unlock()
	o.report(detail, nil)
}

// Fail ends the phase with err, reports it, and returns what Dial returns: an
// *hawser.Error that says where it happened. The end of the caller's context
// counts before whatever that end caused, and the end of the time likewise.
func (o *Opening) Fail(err error) error {
	o.mu.Lock()
	phase, timeUp, reached := o.phase, o.timeUp, o.reached
	o.mu.Unlock()
	e := &hawser.Error{
		Op: "open", Phase: phase, Name: o.c.Name, Protocol: o.c.Protocol, Addr: o.c.Addr(), Err: err,
	}
	var before *hawser.Error
	var dns *net.DNSError
	switch {
	case o.parent.Err() != nil && errors.Is(err, hawser.ErrProxy) && errors.Is(err, o.parent.Err()):
		e.Phase = hawser.PhaseProxy // it says who was waited for
	case o.parent.Err() != nil:
		e.Err = o.parent.Err()
	case errors.Is(err, hawser.ErrProxy):
		e.Phase, e.Temporary = hawser.PhaseProxy, isTemporary(err)
	case timeUp:
		e.Err = WithHint(o.noAnswer(), hintOf(err))
		e.Temporary = repeatable(phase)
	case errors.As(err, &before):
		e = before
	case errors.As(err, &dns):
		e.Phase = hawser.PhaseResolve
		e.Temporary = dns.IsTimeout || dns.IsTemporary
	case errors.Is(err, hawser.ErrAuth), errors.Is(err, hawser.ErrUntrusted), errors.Is(err, hawser.ErrInvalid):
		// Also where a loss is the reason, such as a store of keys that cannot be read.
	case IsLoss(err):
		e.Temporary = repeatable(phase)
	}
	if reached && hintOf(e.Err) == "" {
		e.Err = WithHint(e.Err, o.silence(e))
	}
	o.report("", e)
	return e
}

// isTemporary asks err, of a proxy or a jump host, whether trying again later may
// succeed.
func isTemporary(err error) bool {
	var t interface{ Temporary() bool }
	return errors.As(err, &t) && t.Temporary()
}

// repeatable reports whether a loss in phase may be over at the next try. One
// among the secrets is a file that is not there. And some servers hang up
// instead of refusing a login; trying that again could lock the account.
func repeatable(phase hawser.Phase) bool {
	return phase != hawser.PhaseSecrets && phase != hawser.PhaseLogin
}

func (o *Opening) report(detail string, err error) {
	o.mu.Lock()
	s := hawser.Step{Phase: o.phase, Took: time.Since(o.start), Detail: detail, Err: err}
	o.mu.Unlock()
	var e *hawser.Error
	if errors.As(err, &e) {
		s.Phase = e.Phase
	}
	Report(o.parent, o.c.Name, s)
}

// Report tells the traces of ctx of a step of opening the connection called name.
func Report(ctx context.Context, name string, s hawser.Step) {
	for _, t := range hawser.ContextTraces(ctx) {
		if t.Step != nil {
			t.Step(name, s)
		}
	}
}

// IsLoss reports whether err is of the byte stream, not of what was said on
// it: refused, reset, closed, cut off.
func IsLoss(err error) bool {
	var netError net.Error
	var errno syscall.Errno
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.ErrClosedPipe) ||
		errors.Is(err, net.ErrClosed) || errors.As(err, &netError) || errors.As(err, &errno)
}
