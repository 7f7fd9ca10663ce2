package hawser_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The name with the smallest limit was deleted.
func TestALimitThatGrowsServesWhoWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, &fakeServers{}, limited(job("bank", "a"), 8), limited(job("same", "a"), 1))
		s, _ := lease(t, m, "same")
		require.NoError(t, s.Close())
		lease(t, m, "bank")
		got := make(chan error, 1)
		go func() {
			_, err := m.Open(t.Context(), "bank")
			got <- err
		}()
		synctest.Wait()
		require.NoError(t, m.Registry.(*hawser.Memory).Delete(t.Context(), "same", hawser.AnyRevision))
		synctest.Wait()
		st := stats(t, m)
		require.Equal(t, 8, st.Sessions)
		assert.Zero(t, st.Waiting, "8 places, 1 in use, and somebody waits")
		require.NoError(t, <-got)
	})
}

// slowClose takes a while to close.
type slowClose struct {
	*poolSession
	d time.Duration
}

func (s slowClose) Unwrap() hawser.Session { return s.poolSession }

func (s slowClose) Close() error {
	time.Sleep(s.d)
	return s.poolSession.Close()
}

type dialFunc func(ctx context.Context, c hawser.Connection) (hawser.Session, error)

func (f dialFunc) Dial(ctx context.Context, c hawser.Connection) (hawser.Session, error) {
	return f(ctx, c)
}

// It may wait for a session that is being closed, and finds its own to be the last.
func TestNestedUseUnderASmallerLimitEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &fakeServers{}
		m := newManager(t, dialFunc(func(ctx context.Context, c hawser.Connection) (hawser.Session, error) {
			s, err := d.Dial(ctx, c)
			return slowClose{s.(*poolSession), time.Second}, err
		}), limited(job("bank", "a"), 2))
		s, err := m.Open(t.Context(), "bank")
		require.NoError(t, err)
		err = hawser.Use(t.Context(), m, "bank", func(ctx context.Context, _ hawser.Session) error {
			require.NoError(t, s.Close()) // one idle
			edit(t, m, "bank", func(c *hawser.Connection) { c.Limits.Sessions = 1 })
			synctest.Wait()
			start := time.Now()
			err := hawser.Use(ctx, m, "bank", func(context.Context, hawser.Session) error { return nil })
			t.Log(time.Since(start), err)
			assert.Less(t, time.Since(start), 10*time.Second)
			return nil
		})
		require.NoError(t, err)
	})
}

// The place that it asks for may be its own.
func TestNestedUseWithALimiterEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, &fakeServers{}, job("bank", "a"))
		m.Limiter = newSharedLimit(1)
		err := hawser.Use(t.Context(), m, "bank", func(ctx context.Context, _ *poolSession) error {
			start := time.Now()
			err := hawser.Use(ctx, m, "bank", func(context.Context, *poolSession) error { return nil })
			t.Log(time.Since(start), err)
			assert.Less(t, time.Since(start), 10*time.Second)
			return nil
		})
		require.NoError(t, err)
	})
}

// Whoever recovers from it goes on.
func TestAPanicOfADialFreesItsPlace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		boom := true
		d := &fakeServers{before: func(hawser.Connection) error {
			if boom {
				panic("boom")
			}
			return nil
		}}
		l := newSharedLimit(1)
		c := limited(job("bank", "a"), 1)
		m := newManager(t, d, c)
		m.Limiter = l
		func() {
			defer func() { _ = recover() }()
			_, _ = m.Open(t.Context(), "bank")
		}()
		boom = false
		assert.Zero(t, l.taken())
		_, err := m.Open(t.Context(), "bank")
		require.NoError(t, err)
	})
}

// Whoever recovers from it goes on.
func TestAPanicOfATraceGivesTheSessionBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, &fakeServers{}, limited(job("bank", "a"), 1))
		s, _ := lease(t, m, "bank")
		require.NoError(t, s.Close())
		ctx := hawser.WithTrace(t.Context(), &hawser.Trace{Step: func(_ string, st hawser.Step) {
			if st.Phase == hawser.PhasePool {
				panic("boom")
			}
		}})
		func() {
			defer func() { _ = recover() }()
			_, _ = m.Open(ctx, "bank")
		}()
		ctx2, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		_, err := m.Open(ctx2, "bank")
		assert.NoError(t, err)
	})
}

// limits.wait is of an open, not of a definition.
func TestChangesDoNotLengthenAWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := limited(job("bank", "a"), 1)
		c.Limits.Wait = time.Minute
		m := newManager(t, &fakeServers{}, c)
		lease(t, m, "bank")
		go func() {
			for i := range 3 {
				time.Sleep(19 * time.Second)
				edit(t, m, "bank", func(c *hawser.Connection) { c.Auth.Password = hawser.NewSecret(fmt.Sprint("no ", i)) })
			}
		}()
		start := time.Now()
		_, err := m.Open(t.Context(), "bank")
		require.ErrorIs(t, err, hawser.ErrBusy)
		require.LessOrEqual(t, time.Since(start), time.Minute)
	})
}

// Who waited longest is served first, whatever was changed meanwhile.
func TestAChangeDoesNotCostTheTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		other := limited(job("other", "a"), 1)
		other.FTP.Mode = hawser.Auto
		m := newManager(t, &fakeServers{}, limited(job("bank", "a"), 1), other)
		s, _ := lease(t, m, "other")
		var turns []string
		open := func(name string) {
			go func() {
				s, err := m.Open(t.Context(), name)
				if assert.NoError(t, err) {
					turns = append(turns, name)
					assert.NoError(t, s.Close())
				}
			}()
			synctest.Wait()
		}
		open("bank")
		open("other")
		edit(t, m, "bank", func(c *hawser.Connection) { c.Auth.Password = hawser.NewSecret("second") })
		synctest.Wait()
		require.NoError(t, s.Close())
		synctest.Wait()
		require.Equal(t, []string{"bank", "other"}, turns)
	})
}

// limits.wait is of queue and Limiter together.
func TestTheLimiterDoesNotLengthenAWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := limited(job("bank", "a"), 1)
		c.Limits.Wait = time.Minute
		l := newSharedLimit(1)
		one, two := newManager(t, &fakeServers{}, c), newManager(t, &fakeServers{}, c)
		one.Limiter, two.Limiter = l, l
		s, inner := lease(t, one, "bank")
		_ = s
		_ = inner
		go func() { // takes the local place of two, and asks
			ctx, cancel := context.WithTimeout(t.Context(), 59*time.Second)
			defer cancel()
			_, err := two.Open(ctx, "bank")
			assert.Error(t, err)
		}()
		synctest.Wait()
		start := time.Now()
		_, err := two.Open(t.Context(), "bank")
		require.ErrorIs(t, err, hawser.ErrBusy)
		t.Log(time.Since(start))
		require.LessOrEqual(t, time.Since(start), time.Minute)
	})
}

type stuck struct {
	*poolSession
	freed chan struct{}
	once  *sync.Once
}

func (s stuck) Unwrap() hawser.Session { return s.poolSession }

func (s stuck) Ping(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-s.freed:
		return hawser.ErrLost
	}
}

func (s stuck) Close() error {
	s.once.Do(func() { close(s.freed) })
	return s.poolSession.Close()
}

// Two sessions: one is asked whether it lives, one is idle, of another definition.
func TestASlowCheckDoesNotKeepAnIdleSessionFromMakingRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		other := limited(job("other", "a"), 2)
		other.FTP.Mode = hawser.Auto
		d := &fakeServers{}
		m := newManager(t, dialFunc(func(ctx context.Context, c hawser.Connection) (hawser.Session, error) {
			s, err := d.Dial(ctx, c)
			return stuck{s.(*poolSession), make(chan struct{}), &sync.Once{}}, err
		}), limited(job("bank", "a"), 2), other)
		a, err := m.Open(t.Context(), "bank")
		require.NoError(t, err)
		b, err := m.Open(t.Context(), "bank")
		require.NoError(t, err)
		require.NoError(t, a.Close())
		time.Sleep(4 * time.Second)
		require.NoError(t, b.Close())
		time.Sleep(4500 * time.Millisecond) // a is pinged, b is idle
		require.Equal(t, 2, stats(t, m).Idle)
		start := time.Now()
		_, err = m.Open(t.Context(), "other")
		require.NoError(t, err)
		require.Less(t, time.Since(start), time.Second)
	})
}

// It would live until the timeout.
func TestAChangeEndsASessionThatIsChecked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &fakeServers{}
		m := newManager(t, dialFunc(func(ctx context.Context, c hawser.Connection) (hawser.Session, error) {
			s, err := d.Dial(ctx, c)
			return stuck{s.(*poolSession), make(chan struct{}), &sync.Once{}}, err
		}), job("bank", "a"))
		s, inner := lease(t, m, "bank")
		require.NoError(t, s.Close())
		time.Sleep(9 * time.Second)
		edit(t, m, "bank", func(c *hawser.Connection) { c.Host = "b" })
		time.Sleep(20 * time.Second)
		require.True(t, inner.closed.Load())
	})
}
