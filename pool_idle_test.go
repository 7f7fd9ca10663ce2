package hawser_test

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPoolIdle(t *testing.T) {
	t.Parallel()
	t.Run("a session is asked now and then whether it lives, and closed after limits.idle", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			m := newManager(t, &fakeServers{}, job("bank", "a"))
			s, inner := lease(t, m, "bank")
			require.NoError(t, s.Close())
			time.Sleep(59 * time.Second)
			require.EqualValues(t, 7, inner.pings.Load(), "each 8 s")
			require.False(t, inner.closed.Load())
			time.Sleep(time.Second)
			synctest.Wait()
			require.True(t, inner.closed.Load())
			require.EqualValues(t, 1, stats(t, m).ClosedIdle)
			require.Zero(t, stats(t, m).Open)
		})
	})
	t.Run("one that does not answer is closed", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			m := newManager(t, &fakeServers{}, job("bank", "a"))
			s, inner := lease(t, m, "bank")
			require.NoError(t, s.Close())
			inner.dead.Store(true)
			time.Sleep(8 * time.Second)
			synctest.Wait()
			require.True(t, inner.closed.Load())
			require.EqualValues(t, 1, stats(t, m).ClosedBroken)
			require.Zero(t, stats(t, m).Open)
		})
	})
	t.Run("the time of whoever used it last counts", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			short := job("short", "a")
			short.Limits.Idle = time.Second
			m := newManager(t, &fakeServers{}, job("bank", "a"), short)
			s, inner := lease(t, m, "bank")
			require.NoError(t, s.Close())
			s, _ = lease(t, m, "short")
			require.NoError(t, s.Close())
			time.Sleep(time.Second)
			synctest.Wait()
			require.True(t, inner.closed.Load())
		})
	})
	t.Run("a session older than limits.lifetime is not used again", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			c := job("bank", "a")
			c.Limits.Lifetime = time.Hour
			m := newManager(t, &fakeServers{}, c)
			s, first := lease(t, m, "bank")
			time.Sleep(time.Hour)
			require.False(t, first.closed.Load(), "never in use")
			require.NoError(t, s.Close())
			require.True(t, first.closed.Load())
			s, second := lease(t, m, "bank")
			time.Sleep(time.Hour - time.Second)
			require.NoError(t, s.Close())
			time.Sleep(time.Second)
			synctest.Wait()
			require.True(t, second.closed.Load(), "while it is idle")
			require.EqualValues(t, 2, stats(t, m).ClosedLifetime)
		})
	})
}

func TestPoolShutdown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &fakeServers{}
		m := newManager(t, d, limited(job("bank", "a"), 2))
		first, idle := lease(t, m, "bank")
		second, used := lease(t, m, "bank")
		waiting := make(chan error)
		go func() {
			_, err := m.Open(t.Context(), "shop")
			assert.ErrorIs(t, err, hawser.ErrNotFound)
			require.NoError(t, first.Close())
			_, _ = lease(t, m, "bank")
			_, err = m.Open(t.Context(), "bank")
			waiting <- err
		}()
		synctest.Wait()
		ended := make(chan error)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		go func() { ended <- m.Shutdown(ctx) }()
		require.ErrorIs(t, <-waiting, net.ErrClosed, "who waits is sent home")
		require.NoError(t, second.Close())
		require.True(t, used.closed.Load(), "what is given back is closed")
		require.ErrorIs(t, <-ended, context.DeadlineExceeded)
		require.True(t, idle.closed.Load(), "what is left is closed")
		require.Zero(t, d.opened())
	})
}
