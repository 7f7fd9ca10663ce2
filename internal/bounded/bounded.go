// Package bounded runs calls that know no context, so that each wait for a
// server ends with a context or after a time, and nothing that was started is
// forgotten.
package bounded

import (
	"context"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/hawser/hawser"
)

// A Caller runs the blocking calls of one session. Its methods may be called
// concurrently.
type Caller struct {
	// Timeout bounds how long the server may be silent during a call.
	Timeout time.Duration
	// Silence tells how long nothing has come from the server; nil: since the
	// call began. It keeps a call alive whose answer stands in line behind a
	// long transfer, though not for ever: after patience times Timeout the
	// answer is as good as lost.
	Silence func() time.Duration
	// Lost ends the session, which ends every call that is under way. It is
	// told why; later calls of it do nothing.
	Lost func(error)

	running sync.WaitGroup
	mu      sync.Mutex // guards closing, and that nothing starts once it is set
	closing bool
}

// Wait returns when no call is under way any more; none can start from now on.
// Whoever waits has ended the session before, so that this takes a moment. It
// does not wait for ever: x/crypto can lose a channel that is opened while its
// connection breaks, and with it the call that opens it.
func (c *Caller) Wait() {
	const longest = 2 * time.Second
	c.mu.Lock()
	c.closing = true
	c.mu.Unlock()
	done := make(chan struct{})
	go func() { // ends with the last call
		c.running.Wait()
		close(done)
	}()
	timer := time.NewTimer(longest)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}

// Go runs fn in a goroutine that Wait waits for. It reports whether it did:
// not once Wait was called.
func (c *Caller) Go(fn func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return false
	}
	c.running.Go(fn)
	return true
}

// Do runs fn and returns its result. When ctx ends first, fn is abandoned and
// the error is the context's; what it returns later goes to late, if that is
// not nil. A fn that has not returned after Timeout, abandoned or not, means
// that the session is lost.
func Do[T any](ctx context.Context, c *Caller, fn func() (T, error), late func(T)) (T, error) {
	var none T
	if err := ctx.Err(); err != nil {
		return none, err
	}
	type result struct {
		value T
		err   error
	}
	results := make(chan result, 1)
	lost := make(chan error, 1)
	watchdog := c.watch(func(err error) {
		lost <- err
		c.Lost(err)
	})
	var abandoned abandonment
	started := c.Go(func() {
		value, err := fn()
		watchdog.Stop()
		if abandoned.finish() && err == nil && late != nil {
			late(value)
		}
		results <- result{value, err}
	})
	if !started {
		watchdog.Stop()
		return none, fmt.Errorf("session: %w", net.ErrClosed)
	}
	var err error
	select {
	case r := <-results:
		return r.value, r.err
	case <-ctx.Done():
		err = ctx.Err()
	case err = <-lost:
		c.Lost(err) // whoever sees the error finds the session ended
	}
	if abandoned.abandon() {
		return none, err
	}
	r := <-results // it was there at the same moment
	return r.value, r.err
}

// patience is how many times Timeout an answer may take while the server keeps
// sending other things.
const patience = 10

// A watchdog tells, once, that the server has been silent for too long.
type watchdog struct {
	mu      sync.Mutex // guards all below
	timer   *time.Timer
	stopped bool
}

// Stop ends the watch.
func (w *watchdog) Stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = true
	w.timer.Stop()
}

func (c *Caller) watch(bark func(error)) *watchdog {
	w := &watchdog{}
	start := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer = time.AfterFunc(c.Timeout, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.stopped {
			return
		}
		if left := c.Left(time.Since(start)); left > 0 {
			w.timer.Reset(left)
			return
		}
		w.stopped = true
		bark(NoAnswer(c.Timeout))
	})
	return w
}

// Left is how long the answer to a call that is age old may still take.
func (c *Caller) Left(age time.Duration) time.Duration {
	if age >= patience*c.Timeout {
		return 0
	}
	silence := age
	if c.Silence != nil {
		silence = min(age, c.Silence())
	}
	return c.Timeout - silence
}

// NoAnswer is the error of a wait that a Connection's Timeout ended.
func NoAnswer(timeout time.Duration) error {
	return fmt.Errorf("%w: no answer within %v: %w", hawser.ErrLost, timeout, os.ErrDeadlineExceeded)
}

// An abandonment settles who has the result of a call: its caller, or nobody.
type abandonment struct {
	mu                 sync.Mutex // guards both
	finished, deserted bool
}

// finish reports whether nobody waits any more.
func (a *abandonment) finish() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.finished = true
	return a.deserted
}

// abandon reports whether the call had not finished.
func (a *abandonment) abandon() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.deserted = !a.finished
	return a.deserted
}
