package hawser_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sharedLimit is a Limiter of several Managers in one process, that counts by
// address.
type sharedLimit struct {
	n int

	mu     sync.Mutex               // guards all below
	places map[string]chan struct{} // holds a token for each that is taken
	held   []*sharedPlace
}

type sharedPlace struct {
	places   chan struct{}
	recalled chan struct{}
	once     sync.Once
	released atomic.Bool
}

func newSharedLimit(n int) *sharedLimit {
	return &sharedLimit{n: n, places: map[string]chan struct{}{}}
}

func (l *sharedLimit) at(addr string) chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.places[addr] == nil {
		l.places[addr] = make(chan struct{}, l.n)
	}
	return l.places[addr]
}

// taken is how many places are held.
func (l *sharedLimit) taken() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, places := range l.places {
		n += len(places)
	}
	return n
}

func (l *sharedLimit) Acquire(ctx context.Context, c hawser.Connection) (hawser.Place, error) {
	if c.Limits.Sessions == 0 {
		return nil, fmt.Errorf("no limit")
	}
	places := l.at(c.Addr())
	select {
	case places <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", hawser.ErrBusy, ctx.Err())
	}
	p := &sharedPlace{places: places, recalled: make(chan struct{})}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held = append(l.held, p)
	return p, nil
}

// recall recalls every place.
func (l *sharedLimit) recall() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.held {
		p.once.Do(func() { close(p.recalled) })
	}
}

func (p *sharedPlace) Recalled() <-chan struct{} { return p.recalled }

func (p *sharedPlace) Release() {
	if !p.released.Swap(true) {
		<-p.places
	}
}

func TestPoolWithLimiter(t *testing.T) {
	t.Parallel()
	managers := func(t *testing.T, l *sharedLimit, d *fakeServers) (one, two *hawser.Manager) {
		t.Helper()
		one, two = newManager(t, d, job("bank", "a")), newManager(t, d, job("bank", "a"))
		one.Limiter, two.Limiter = l, l
		return one, two
	}
	t.Run("a session takes a place until it is closed", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			l, d := newSharedLimit(1), &fakeServers{}
			one, two := managers(t, l, d)
			s, _ := lease(t, one, "bank")
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := two.Open(ctx, "bank")
			require.ErrorIs(t, err, hawser.ErrBusy)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			_, err = two.Open(t.Context(), "bank")
			require.EqualError(t, err, "open bank: ftp a:21: pool: session limit reached: all 8 of limits.sessions are in use, and none was given back within limits.wait, 5m0s, on any machine")
			require.True(t, hawser.Retryable(err))
			require.NoError(t, s.Close())
			time.Sleep(time.Minute) // limits.idle
			synctest.Wait()
			lease(t, two, "bank")
			require.Equal(t, 1, d.most["a:21 first"])
		})
	})
	t.Run("an idle session that is recalled ends at once, one in use when it is given back", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			l, d := newSharedLimit(2), &fakeServers{}
			one, _ := managers(t, l, d)
			s, idle := lease(t, one, "bank")
			held, used := lease(t, one, "bank")
			require.NoError(t, s.Close())
			l.recall()
			synctest.Wait()
			require.True(t, idle.closed.Load())
			require.False(t, used.closed.Load())
			require.NoError(t, held.Close())
			require.True(t, used.closed.Load())
			require.Zero(t, l.taken())
			require.EqualValues(t, 2, stats(t, one).ClosedRecalled)
		})
	})
	t.Run("who asks for a place takes a session that is given back here meanwhile", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			l, d := newSharedLimit(1), &fakeServers{}
			one, _ := managers(t, l, d)
			s, first := lease(t, one, "bank")
			got := make(chan *poolSession)
			go func() {
				assert.NoError(t, hawser.Use(t.Context(), one, "bank", func(_ context.Context, s *poolSession) error {
					got <- s
					return nil
				}))
			}()
			synctest.Wait()
			require.Equal(t, 1, stats(t, one).Waiting)
			require.NoError(t, s.Close())
			require.Same(t, first, <-got)
			synctest.Wait()
			require.Equal(t, 1, stats(t, one).Open)
			require.Equal(t, 1, l.taken())
		})
	})
	t.Run("who asks for a place follows a change, and Close", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			l, d := newSharedLimit(1), &fakeServers{}
			one, _ := managers(t, l, d)
			s, _ := lease(t, one, "bank")
			ended := make(chan error)
			go func() {
				_, err := one.Open(t.Context(), "bank")
				ended <- err
			}()
			synctest.Wait()
			edit(t, one, "bank", func(c *hawser.Connection) { c.Auth.Password = hawser.NewSecret("second") })
			synctest.Wait()
			require.Equal(t, 1, stats(t, one).Waiting)
			go func() { assert.NoError(t, one.Shutdown(t.Context())) }()
			require.ErrorContains(t, <-ended, "manager is closed")
			require.NoError(t, s.Close())
			synctest.Wait()
			require.Zero(t, l.taken())
		})
	})
	t.Run("an idle session of another definition makes room for who asks", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			other := job("other", "a")
			other.Auth.Password = hawser.NewSecret("second")
			m := newManager(t, &fakeServers{}, job("bank", "a"), other)
			m.Limiter = newSharedLimit(1)
			s, idle := lease(t, m, "bank")
			require.NoError(t, s.Close())
			start := time.Now()
			lease(t, m, "other")
			require.Less(t, time.Since(start), time.Second)
			require.True(t, idle.closed.Load())
		})
	})
	t.Run("a dial that failed gives its place back", func(t *testing.T) {
		t.Parallel()
		l := newSharedLimit(1)
		one, _ := managers(t, l, &fakeServers{before: func(hawser.Connection) error { return errRefused }})
		for range 3 {
			_, err := one.Open(t.Context(), "bank")
			require.ErrorIs(t, err, errRefused)
		}
		require.Zero(t, l.taken())
	})
}
