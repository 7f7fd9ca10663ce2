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

func TestManagerClose(t *testing.T) {
	t.Parallel()
	open := func(t *testing.T) (*hawser.Manager, *fakeDialer, hawser.Session) {
		t.Helper()
		d := &fakeDialer{}
		m := newManager(t, d, valid(ftp))
		s, err := m.Open(t.Context(), "bank")
		require.NoError(t, err)
		return m, d, s
	}
	t.Run("closes sessions in use and the Dialer", func(t *testing.T) {
		t.Parallel()
		m, d, s := open(t)
		require.NoError(t, m.Close())
		require.ErrorIs(t, s.Ping(t.Context()), net.ErrClosed)
		require.Equal(t, 1, d.closed)
		require.NoError(t, s.Close())
	})
	t.Run("closes nothing more when it is called again", func(t *testing.T) {
		t.Parallel()
		m, d, _ := open(t)
		require.NoError(t, m.Close())
		require.NoError(t, m.Close())
		require.ErrorIs(t, m.Shutdown(canceled(t)), context.Canceled, "a session is still in use")
		require.Equal(t, 1, d.closed)
		require.Equal(t, 1, d.sessions[0].closes())
	})
	t.Run("leaves what its user has closed", func(t *testing.T) {
		t.Parallel()
		m, d, s := open(t)
		require.NoError(t, s.Close())
		require.NoError(t, m.Close())
		require.Equal(t, 1, d.sessions[0].closes())
	})
	t.Run("makes every open after it match net.ErrClosed, without dialing", func(t *testing.T) {
		t.Parallel()
		m, d, _ := open(t)
		require.NoError(t, m.Close())
		_, err := m.Open(t.Context(), "bank")
		require.ErrorIs(t, err, net.ErrClosed)
		require.ErrorContains(t, err, "open bank: manager is closed: ")
		require.ErrorIs(t, m.Test(t.Context(), valid(ftp)).Err, net.ErrClosed)
		require.Equal(t, 1, d.calls())
	})
	t.Run("closes a session whose dial it overtook", func(t *testing.T) {
		t.Parallel()
		var m *hawser.Manager
		late := &fakeSession{}
		m = newManager(t, &fakeDialer{dial: func(context.Context, hawser.Connection) (hawser.Session, error) {
			return late, m.Close()
		}}, valid(ftp))
		_, err := m.Open(t.Context(), "bank")
		require.ErrorIs(t, err, net.ErrClosed)
		require.Equal(t, 1, late.closes())
	})
}

func TestManagerShutdown(t *testing.T) {
	t.Parallel()
	t.Run("waits for sessions in use", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			d := &fakeDialer{}
			m := newManager(t, d, valid(ftp))
			s, err := m.Open(t.Context(), "bank")
			require.NoError(t, err)
			time.AfterFunc(time.Hour, func() { assert.NoError(t, s.Close()) })
			start := time.Now()
			require.NoError(t, m.Shutdown(t.Context()))
			require.Equal(t, time.Hour, time.Since(start))
			require.Equal(t, 1, d.sessions[0].closes())
			require.Equal(t, 1, d.closed)
		})
	})
	t.Run("refuses opens while it waits", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			m := newManager(t, &fakeDialer{}, valid(ftp))
			s, err := m.Open(t.Context(), "bank")
			require.NoError(t, err)
			go func() { assert.NoError(t, m.Shutdown(t.Context())) }()
			synctest.Wait()
			_, err = m.Open(t.Context(), "bank")
			require.ErrorIs(t, err, net.ErrClosed)
			require.NoError(t, s.Close())
		})
	})
	t.Run("cuts sessions off when its context ends, and says so", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			d := &fakeDialer{}
			m := newManager(t, d, valid(ftp))
			s, err := m.Open(t.Context(), "bank")
			require.NoError(t, err)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			require.ErrorIs(t, m.Shutdown(ctx), context.DeadlineExceeded)
			require.ErrorIs(t, s.Ping(t.Context()), net.ErrClosed)
			require.Equal(t, 1, d.closed)
			require.NoError(t, s.Close())
		})
	})
	t.Run("returns at once when nothing is in use, also twice", func(t *testing.T) {
		t.Parallel()
		d := &fakeDialer{}
		m := newManager(t, d)
		require.NoError(t, m.Shutdown(t.Context()))
		require.NoError(t, m.Shutdown(t.Context()))
		require.Equal(t, 1, d.closed)
	})
	t.Run("ends for all who wait", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			m := newManager(t, &fakeDialer{}, valid(ftp))
			s, err := m.Open(t.Context(), "bank")
			require.NoError(t, err)
			for range 3 {
				go func() { assert.NoError(t, m.Shutdown(t.Context())) }()
			}
			synctest.Wait()
			require.NoError(t, s.Close())
		})
	})
}

func canceled(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}
