package bounded_test

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/bounded"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const timeout = 10 * time.Second

// A session is ended by its first loss, which ends its calls.
type session struct {
	bounded.Caller
	once  sync.Once
	ended chan struct{}
	cause error // set when ended is closed
}

func newSession() *session {
	s := &session{ended: make(chan struct{})}
	s.Timeout = timeout
	s.Lost = func(err error) { s.once.Do(func() { s.cause = err; close(s.ended) }) }
	return s
}

// wait is a call that the server answers after d, or not if the session ends.
func (s *session) wait(d time.Duration) func() (int, error) {
	return func() (int, error) {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			return 7, nil
		case <-s.ended:
			return 0, net.ErrClosed
		}
	}
}

func inBubble(t *testing.T, name string, test func(t *testing.T, s *session)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			s := newSession()
			test(t, s)
			s.Lost(errors.New("the test is over"))
			s.Wait()
		})
	})
}

func TestDo(t *testing.T) {
	t.Parallel()
	inBubble(t, "it returns what the call returns", func(t *testing.T, s *session) {
		got, err := bounded.Do(t.Context(), &s.Caller, s.wait(time.Second), nil)
		require.NoError(t, err)
		assert.Equal(t, 7, got)
		_, err = bounded.Do(t.Context(), &s.Caller, func() (int, error) { return 0, os.ErrExist }, nil)
		require.ErrorIs(t, err, os.ErrExist)
		time.Sleep(100 * timeout)
		assert.NoError(t, s.cause, "no watch goes on")
	})
	inBubble(t, "an ended context calls nothing", func(t *testing.T, s *session) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := bounded.Do(ctx, &s.Caller, func() (int, error) { t.Error("called"); return 0, nil }, nil)
		require.ErrorIs(t, err, context.Canceled)
	})
	inBubble(t, "a context that ends abandons the call, whose result goes to late", func(t *testing.T, s *session) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		late := make(chan int, 1)
		begun := time.Now()
		_, err := bounded.Do(ctx, &s.Caller, s.wait(5*time.Second), func(v int) { late <- v })
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, time.Second, time.Since(begun))
		assert.Equal(t, 7, <-late)
		assert.Equal(t, 5*time.Second, time.Since(begun))
		time.Sleep(100 * timeout)
		assert.NoError(t, s.cause)
	})
	inBubble(t, "an abandoned call that fails has nothing for late", func(t *testing.T, s *session) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := bounded.Do(ctx, &s.Caller, func() (int, error) {
			_, _ = s.wait(5 * time.Second)()
			return 1, os.ErrExist
		}, func(int) { t.Error("late was called") })
		require.ErrorIs(t, err, context.DeadlineExceeded)
		time.Sleep(timeout)
	})
	inBubble(t, "late may be nil", func(t *testing.T, s *session) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := bounded.Do(ctx, &s.Caller, s.wait(5*time.Second), nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		time.Sleep(timeout)
	})
	inBubble(t, "a call without an answer ends the session after Timeout", func(t *testing.T, s *session) {
		begun := time.Now()
		_, err := bounded.Do(t.Context(), &s.Caller, s.wait(time.Hour), nil)
		require.Error(t, err)
		<-s.ended
		assert.Equal(t, timeout, time.Since(begun))
		require.ErrorIs(t, s.cause, hawser.ErrLost)
		assert.ErrorIs(t, s.cause, os.ErrDeadlineExceeded)
		assert.ErrorContains(t, s.cause, "no answer within 10s")
	})
	inBubble(t, "the session has ended when Do tells of the loss", func(t *testing.T, s *session) {
		_, err := bounded.Do(t.Context(), &s.Caller, func() (int, error) { // hangs on
			time.Sleep(time.Hour)
			return 0, nil
		}, nil)
		require.ErrorIs(t, err, hawser.ErrLost)
		select {
		case <-s.ended:
		default:
			t.Error("it lives")
		}
		begun := time.Now()
		s.Wait()
		assert.Equal(t, 2*time.Second, time.Since(begun), "not even Wait waits for ever")
		time.Sleep(time.Hour)
	})
	inBubble(t, "an abandoned call without an answer ends the session after Timeout", func(t *testing.T, s *session) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begun := time.Now()
		_, err := bounded.Do(ctx, &s.Caller, s.wait(time.Hour), nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		<-s.ended
		assert.Equal(t, timeout, time.Since(begun))
		assert.ErrorIs(t, s.cause, hawser.ErrLost)
	})
	inBubble(t, "what comes from the server keeps a call alive", func(t *testing.T, s *session) {
		s.Silence = func() time.Duration { return time.Second }
		got, err := bounded.Do(t.Context(), &s.Caller, s.wait(5*timeout), nil)
		require.NoError(t, err)
		assert.Equal(t, 7, got)
	})
	inBubble(t, "but not for ever", func(t *testing.T, s *session) {
		s.Silence = func() time.Duration { return time.Second }
		begun := time.Now()
		_, err := bounded.Do(t.Context(), &s.Caller, s.wait(time.Hour), nil)
		require.Error(t, err)
		<-s.ended
		assert.InDelta(t, (10 * timeout).Seconds(), time.Since(begun).Seconds(), timeout.Seconds())
	})
	inBubble(t, "silence before the call began does not count", func(t *testing.T, s *session) {
		s.Silence = func() time.Duration { return time.Hour }
		got, err := bounded.Do(t.Context(), &s.Caller, s.wait(timeout-1), nil)
		require.NoError(t, err)
		assert.Equal(t, 7, got)
	})
	inBubble(t, "nothing starts after Wait", func(t *testing.T, s *session) {
		s.Wait()
		_, err := bounded.Do(t.Context(), &s.Caller, func() (int, error) { t.Error("called"); return 0, nil }, nil)
		require.ErrorIs(t, err, net.ErrClosed)
		assert.False(t, s.Go(func() { t.Error("called") }))
		time.Sleep(100 * timeout)
		assert.NoError(t, s.cause, "no watch goes on")
	})
	inBubble(t, "Wait waits for abandoned calls and what was started by Go", func(t *testing.T, s *session) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begun := time.Now()
		assert.True(t, s.Go(func() { time.Sleep(1500 * time.Millisecond) }))
		_, err := bounded.Do(ctx, &s.Caller, s.wait(2*time.Second), nil)
		require.Error(t, err)
		s.Wait()
		assert.Equal(t, 2*time.Second, time.Since(begun))
	})
}

func TestDoWhenAllHappensAtOnce(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name         string
		answer, stop time.Duration
	}{
		{"the answer and the end of the context", time.Second, time.Second},
		{"the answer and the end of the time", timeout, time.Hour},
		{"the end of the context and of the time", time.Hour, timeout},
		{"all three", timeout, timeout},
	} {
		t.Run(row.name+": a result is either returned or given to late", func(t *testing.T) {
			t.Parallel()
			for range 100 {
				synctest.Test(t, func(t *testing.T) {
					s := newSession()
					ctx, cancel := context.WithTimeout(t.Context(), row.stop)
					defer cancel()
					var made, late atomic.Int64
					got, err := bounded.Do(ctx, &s.Caller, func() (int, error) {
						v, err := s.wait(row.answer)()
						if err == nil {
							made.Add(1)
						}
						return v, err
					}, func(int) { late.Add(1) })
					s.Lost(errors.New("the test is over"))
					s.Wait()
					returned := int64(0)
					if err == nil {
						returned = 1
						assert.Equal(t, 7, got)
					}
					assert.Equal(t, made.Load(), returned+late.Load())
				})
			}
		})
	}
}
