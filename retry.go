package hawser

import (
	"context"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"time"
)

// Retry dials again, after a growing pause, what failed with a [Retryable]
// error. It is safe for concurrent use while nobody changes its fields.
type Retry struct {
	Dialer   Dialer
	Attempts int           // in all; 0: 3
	Pause    time.Duration // before the second attempt; doubled before each further one; 0: 1s
}

var _ interface {
	Dialer
	io.Closer
} = (*Retry)(nil)

// Dial returns the first Session that opens, or the error of the last attempt.
// A ctx that ends during a pause leaves it at the attempts made so far. Under
// [Manager.Test] there is one.
func (r *Retry) Dial(ctx context.Context, c Connection) (Session, error) {
	if r.Dialer == nil {
		return nil, &Error{Op: "open", Phase: PhaseLookup, Name: c.Name, Protocol: c.Protocol, Err: errors.New("retry has no Dialer")}
	}
	attempts, pause := r.Attempts, r.Pause
	if attempts == 0 {
		attempts = 3
	}
	if ctx.Value(onceKey{}) != nil {
		attempts = 1
	}
	if pause <= 0 {
		pause = time.Second
	}
	for {
		pause = min(pause, math.MaxInt64/4) // twice that, and what jitter adds, still fits
		s, err := r.Dialer.Dial(ctx, c)
		attempts--
		if err == nil || attempts < 1 || !Retryable(err) || !sleep(ctx, jitter(pause)) {
			return s, err
		}
		pause *= 2
	}
}

// Close closes the wrapped Dialer if it is an io.Closer.
func (r *Retry) Close() error {
	if closer, ok := r.Dialer.(io.Closer); ok {
		return closer.Close()
	}
	return nil
}

// jitter spreads the jobs that lost one server, so that they do not all come
// back at the same moment.
func jitter(d time.Duration) time.Duration {
	return d - d/4 + rand.N(d/2+1)
}

// sleep reports whether d passed before ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
