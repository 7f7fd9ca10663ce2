package hawser_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPoolReuses(t *testing.T) {
	t.Parallel()
	t.Run("the session that was given back last, for its next user", func(t *testing.T) {
		t.Parallel()
		d := &fakeServers{}
		m := newManager(t, d, job("bank", "a"), job("same", "a"))
		s, first := lease(t, m, "bank")
		require.NoError(t, s.Close())
		_, second := lease(t, m, "same")
		require.Same(t, first, second)
		require.Equal(t, "same", *second.user.Load())
		require.Zero(t, second.pings.Load(), "no round trip")
		require.Equal(t, 1, d.dialed())
		got := stats(t, m)
		require.Equal(t, []string{"bank", "same"}, got.Names)
		require.Equal(t, "ftp a:21 as jobs", got.Server)
		require.EqualValues(t, 1, got.Reused)
	})
	t.Run("no session of another login, server or way, and none in use", func(t *testing.T) {
		t.Parallel()
		other, via := job("password", "a"), job("via", "a")
		other.Auth.Password = hawser.NewSecret("second")
		via.Via = "gate"
		d := &fakeServers{}
		m := newManager(t, d, job("bank", "a"), other, job("host", "b"), via, named("gate", ssh, ""))
		s, first := lease(t, m, "bank")
		_, second := lease(t, m, "bank")
		require.NotSame(t, first, second)
		require.NoError(t, s.Close())
		for _, name := range []string{"password", "host", "via"} {
			_, another := lease(t, m, name)
			require.NotSame(t, first, another, name)
		}
	})
	t.Run("none that is not Reusable, or not Leasable", func(t *testing.T) {
		t.Parallel()
		d := &fakeServers{}
		m := newManager(t, d, job("bank", "a"))
		s, first := lease(t, m, "bank")
		first.soiled.Store(true)
		require.NoError(t, s.Close())
		require.True(t, first.closed.Load())
		_, second := lease(t, m, "bank")
		require.NotSame(t, first, second)
		require.EqualValues(t, 1, stats(t, m).ClosedBroken)

		once := &fakeDialer{}
		m = newManager(t, once, job("bank", "a"))
		for range 2 {
			s, err := m.Open(t.Context(), "bank")
			require.NoError(t, err)
			require.NoError(t, s.Close())
		}
		require.Equal(t, 2, once.calls())
		require.EqualValues(t, 2, stats(t, m).ClosedUsed)
	})
	t.Run("nothing that died while it was idle", func(t *testing.T) {
		t.Parallel()
		d := &fakeServers{}
		m := newManager(t, d, limited(job("bank", "a"), 1))
		s, first := lease(t, m, "bank")
		require.NoError(t, s.Close())
		first.soiled.Store(true)
		_, second := lease(t, m, "bank")
		require.NotSame(t, first, second)
		require.True(t, first.closed.Load())
	})
	t.Run("a session given back twice for one other alone", func(t *testing.T) {
		t.Parallel()
		d := &fakeServers{}
		m := newManager(t, d, job("bank", "a"))
		s, _ := lease(t, m, "bank")
		require.NoError(t, s.Close())
		_, first := lease(t, m, "bank")
		require.NoError(t, s.Close(), "later calls return nil")
		require.ErrorIs(t, s.Ping(t.Context()), net.ErrClosed)
		_, second := lease(t, m, "bank")
		require.NotSame(t, first, second)
	})
}

func TestPoolLimits(t *testing.T) {
	t.Parallel()
	t.Run("the smallest of the names that lead to a server, 8 by default", func(t *testing.T) {
		t.Parallel()
		m := newManager(t, &fakeServers{}, job("bank", "a"), limited(job("same", "a"), 3))
		lease(t, m, "bank")
		require.Equal(t, 8, stats(t, m).Sessions)
		lease(t, m, "same")
		require.Equal(t, 3, stats(t, m).Sessions)
	})
	t.Run("who waits longest is served first", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			d := &fakeServers{}
			m := newManager(t, d, limited(job("bank", "a"), 1))
			s, _ := lease(t, m, "bank")
			var turns []int
			for i := range 5 {
				go func() {
					s, err := m.Open(t.Context(), "bank")
					if assert.NoError(t, err) {
						turns = append(turns, i)
						assert.NoError(t, s.Close())
					}
				}()
				synctest.Wait()
			}
			require.Equal(t, 5, stats(t, m).Waiting)
			require.NoError(t, s.Close())
			synctest.Wait()
			require.Equal(t, []int{0, 1, 2, 3, 4}, turns)
			require.Equal(t, 1, d.dialed())
		})
	})
	t.Run("an idle session of another definition makes room", func(t *testing.T) {
		t.Parallel()
		other := limited(job("other", "a"), 1)
		other.FTP.Mode = hawser.Auto
		d := &fakeServers{}
		m := newManager(t, d, limited(job("bank", "a"), 1), other)
		s, first := lease(t, m, "bank")
		require.NoError(t, s.Close())
		_, second := lease(t, m, "other")
		require.NotSame(t, first, second)
		require.True(t, first.closed.Load())
		require.Equal(t, 1, d.most["a:21 first"])
		require.EqualValues(t, 1, stats(t, m).ClosedExcess)
	})
	t.Run("a smaller limit holds at once for what is idle", func(t *testing.T) {
		t.Parallel()
		d := &fakeServers{}
		m := newManager(t, d, limited(job("bank", "a"), 3))
		a, _ := lease(t, m, "bank")
		b, _ := lease(t, m, "bank")
		c, _ := lease(t, m, "bank")
		require.NoError(t, a.Close())
		edit(t, m, "bank", func(c *hawser.Connection) { c.Limits.Sessions = 1 })
		require.Eventually(t, func() bool { return d.opened() == 2 }, soon, time.Millisecond)
		require.NoError(t, b.Close())
		require.Equal(t, 1, d.opened())
		require.NoError(t, c.Close())
		require.Equal(t, 1, d.opened())
	})
	t.Run("a dial that failed gives its place back", func(t *testing.T) {
		t.Parallel()
		d := &fakeServers{before: func(hawser.Connection) error { return errRefused }}
		m := newManager(t, d, limited(job("bank", "a"), 1))
		for range 3 {
			_, err := m.Open(t.Context(), "bank")
			require.ErrorIs(t, err, errRefused)
		}
		require.Zero(t, stats(t, m).Open)
	})
}

// soon bounds what takes no time, on a busy machine.
const soon = 10 * time.Second

func TestPoolBusy(t *testing.T) {
	t.Parallel()
	t.Run("after limits.wait, and says what is used up", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			c := limited(job("bank", "a"), 2)
			c.Limits.Wait = time.Minute
			m := newManager(t, &fakeServers{}, c)
			lease(t, m, "bank")
			lease(t, m, "bank")
			start := time.Now()
			_, err := m.Open(t.Context(), "bank")
			require.ErrorIs(t, err, hawser.ErrBusy)
			require.EqualError(t, err, "open bank: ftp a:21: pool: session limit reached: all 2 of limits.sessions are in use, and none was given back within limits.wait, 1m0s")
			require.True(t, hawser.Retryable(err))
			require.Equal(t, time.Minute, time.Since(start))
			require.Zero(t, stats(t, m).Waiting)
			require.EqualValues(t, 1, stats(t, m).Refused)
		})
	})
	t.Run("when the context ends, which it matches too", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			m := newManager(t, &fakeServers{}, limited(job("bank", "a"), 1))
			s, _ := lease(t, m, "bank")
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := m.Open(ctx, "bank")
			require.ErrorIs(t, err, hawser.ErrBusy)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.False(t, hawser.Retryable(err))
			require.NoError(t, s.Close())
			lease(t, m, "bank")
		})
	})
}

func TestPoolNestedUse(t *testing.T) {
	t.Parallel()
	use := func(ctx context.Context, m *hawser.Manager, name string, fn func(context.Context) error) error {
		return hawser.Use(ctx, m, name, func(ctx context.Context, _ *poolSession) error { return fn(ctx) })
	}
	nothing := func(context.Context) error { return nil }
	t.Run("that would wait for itself is an error at once", func(t *testing.T) {
		t.Parallel()
		m := newManager(t, &fakeServers{}, limited(job("bank", "a"), 1), limited(job("same", "a"), 1))
		for _, name := range []string{"bank", "same"} {
			err := use(t.Context(), m, "bank", func(ctx context.Context) error { return use(ctx, m, name, nothing) })
			require.ErrorIs(t, err, hawser.ErrBusy)
			require.ErrorContains(t, err, "this job has one of them in use itself, and could wait for itself")
		}
	})
	t.Run("works while there is room, and of another server", func(t *testing.T) {
		t.Parallel()
		m := newManager(t, &fakeServers{}, limited(job("bank", "a"), 2), limited(job("shop", "b"), 1))
		require.NoError(t, use(t.Context(), m, "bank", func(ctx context.Context) error {
			return errors.Join(use(ctx, m, "bank", nothing), use(ctx, m, "shop", nothing))
		}))
	})
	t.Run("may wait for others once it holds nothing itself", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			m := newManager(t, &fakeServers{}, limited(job("bank", "a"), 1))
			var kept context.Context
			require.NoError(t, use(t.Context(), m, "bank", func(ctx context.Context) error {
				kept = ctx
				return nil
			}))
			s, _ := lease(t, m, "bank")
			time.AfterFunc(time.Second, func() { assert.NoError(t, s.Close()) })
			require.NoError(t, use(kept, m, "bank", nothing))
		})
	})
}

func TestPoolServesTenThousand(t *testing.T) {
	t.Parallel()
	d := &fakeServers{}
	m := newManager(t, d, job("bank", "a"))
	var everybody sync.WaitGroup
	for range 10_000 {
		everybody.Go(func() {
			assert.NoError(t, hawser.Use(t.Context(), m, "bank", func(ctx context.Context, s *poolSession) error { return s.Ping(ctx) }))
		})
	}
	everybody.Wait()
	assert.LessOrEqual(t, d.most["a:21 first"], 8)
	got := stats(t, m)
	assert.EqualValues(t, 10_000, got.Opened+got.Reused)
	assert.Equal(t, got.Open, got.Idle)
	require.NoError(t, m.Close())
	assert.Zero(t, d.opened())
}
