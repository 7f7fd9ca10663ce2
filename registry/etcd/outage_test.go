package etcd

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
)

func startRelay(t testing.TB, s *testserver.EtcdServer) *testserver.Relay {
	t.Helper()
	relay, err := testserver.StartRelay(s.Addr(), testserver.RelayConfig{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = relay.Close() })
	return relay
}

func TestLimiterOutage(t *testing.T) {
	t.Parallel()
	t.Run("who holds a place keeps it over a restart of etcd, and who waits gets his", func(t *testing.T) {
		t.Parallel()
		s := testserver.Etcd(t, testserver.EtcdConfig{})
		o := LimiterOptions{TTL: 60 * time.Second}
		a, b := limiterAt(t, dial(t, s), o), limiterAt(t, dial(t, s), o)
		held := acquire(t, a, limited(2))
		given := acquire(t, a, limited(2))
		waiting := acquireLater(t.Context(), b, limited(2))
		eventuallyWaiting(t, b, 1)
		s.Stop()
		given.Release() // nobody hears it yet
		starting := acquireLater(t.Context(), limiterAt(t, dial(t, s), o), limited(3))
		s.Start(t)
		r := receiveFrom(t, "who waited before", waiting)
		require.NoError(t, r.err)
		r = receiveFrom(t, "who came while etcd was away", starting)
		require.NoError(t, r.err)
		eventuallyKeys(t, a.client, a, 3)
		require.Equal(t, 1, a.Held())
		require.Positive(t, held.lease.left())
	})
	t.Run("an etcd that is away is an error, and not that all places are taken", func(t *testing.T) {
		t.Parallel()
		_, err := limiterAt(t, dialAt(t, "127.0.0.1:1"), LimiterOptions{}).Acquire(t.Context(), limited(1))
		require.Error(t, err)
		require.NotErrorIs(t, err, hawser.ErrBusy)
		require.NotErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "no connection to 127.0.0.1:1 within 10s: dial tcp 127.0.0.1:1: connect: connection refused")
		temporary := &hawser.Error{Op: "open", Temporary: true, Err: err}
		require.True(t, hawser.Retryable(temporary))
	})
	t.Run("a context that ends before etcd answers is an error of its own", func(t *testing.T) {
		t.Parallel()
		s := testserver.Etcd(t, testserver.EtcdConfig{})
		relay := startRelay(t, s)
		relay.Freeze()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err := limiterAt(t, dialAt(t, relay.Addr()), LimiterOptions{}).Acquire(ctx, limited(1))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NotErrorIs(t, err, hawser.ErrBusy)
	})
	t.Run("who is cut off knows that his places are lost before others get them", func(t *testing.T) {
		t.Parallel()
		s := testserver.Etcd(t, testserver.EtcdConfig{})
		relay := startRelay(t, s)
		o := LimiterOptions{TTL: 3 * time.Second}
		cut, other := limiterAt(t, dialAt(t, relay.Addr()), o), limiterAt(t, dial(t, s), o)
		p := acquire(t, cut, limited(1))
		relay.Freeze()
		acquire(t, other, limited(1))
		require.True(t, p.isRecalled())
	})
	t.Run("a place that was lost without etcd counts until it is released, if etcd still has it", func(t *testing.T) {
		t.Parallel()
		s := testserver.Etcd(t, testserver.EtcdConfig{})
		o := LimiterOptions{TTL: 5 * time.Second}
		a, b := limiterAt(t, dial(t, s), o), limiterAt(t, dial(t, s), o)
		p := acquire(t, a, limited(1))
		s.Stop()
		receiveFrom(t, "the place that was lost", p.Recalled())
		s.Start(t) // from now on its lease lasts as long as at first
		require.Eventually(t, func() bool { return p.lease.renewedSince() }, patience, 10*time.Millisecond)
		waiting := acquireLater(t.Context(), b, limited(1))
		eventuallyWaiting(t, b, 1)
		again := acquireLater(t.Context(), a, limited(3))
		r := receiveFrom(t, "another place of who lost his", again)
		require.NoError(t, r.err)
		require.NotEqual(t, p.lease.id, r.place.(*place).lease.id)
		p.Release()
		r.place.Release()
		require.NoError(t, receiveFrom(t, "the place", waiting).err)
	})
	t.Run("Close says that etcd was not told", func(t *testing.T) {
		t.Parallel()
		s := testserver.Etcd(t, testserver.EtcdConfig{})
		l := limiterAt(t, dial(t, s), LimiterOptions{})
		acquire(t, l, limited(1))
		s.Stop()
		require.ErrorContains(t, l.Close(), "etcd takes them back by itself within 15s")
	})
}

// renewedSince reports whether s, which is lost, was renewed after all.
func (s *lease) renewedSince() bool {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	return s.isLost && time.Until(s.until) > 0
}

func TestRegistryOutage(t *testing.T) {
	t.Parallel()
	t.Run("a watch misses nothing of a restart", func(t *testing.T) {
		t.Parallel()
		s := testserver.Etcd(t, testserver.EtcdConfig{Login: true})
		client, err := Dial(t.Context(), Config{Endpoints: s.Endpoints, User: s.User, Password: hawser.NewSecret(s.Password)})
		require.NoError(t, err)
		t.Cleanup(func() { _ = client.Close() })
		r, writer := openAt(t, client, Options{}), openAt(t, client, Options{})
		w := startWatch(t, r)
		require.NoError(t, put(t, writer, "before"))
		w.tells(t, "before")
		s.Stop()
		s.Start(t)
		require.Eventually(t, func() bool { return put(t, writer, "after") == nil }, patience, 10*time.Millisecond)
		w.tells(t, "after")
	})
	t.Run("a watch that hangs ends with an error", func(t *testing.T) {
		t.Parallel()
		s := testserver.Etcd(t, testserver.EtcdConfig{})
		relay := startRelay(t, s)
		r := openAt(t, dialAt(t, relay.Addr()), Options{})
		r.pulse = 50 * time.Millisecond
		w := startWatch(t, r)
		relay.Freeze()
		require.ErrorContains(t, receiveFrom(t, "the error", w.failed), "no answer from")
	})
	t.Run("a watch of an etcd that is away ends with an error", func(t *testing.T) {
		t.Parallel()
		s := testserver.Etcd(t, testserver.EtcdConfig{})
		r := openAt(t, dial(t, s), Options{})
		r.pulse = 50 * time.Millisecond
		w := startWatch(t, r)
		s.Stop()
		require.ErrorContains(t, receiveFrom(t, "the error", w.failed), "etcd: watch: no connection to")
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := r.Lookup(ctx, "bank")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NotErrorIs(t, err, hawser.ErrNotFound)
		_, err = r.Put(ctx, sftp("bank"))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		_, err = r.Watch(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
	t.Run("a watch whose client is closed ends with an error", func(t *testing.T) {
		t.Parallel()
		s := testserver.Etcd(t, testserver.EtcdConfig{})
		client := dial(t, s)
		w := startWatch(t, openAt(t, client, Options{}))
		require.NoError(t, client.Close())
		require.ErrorContains(t, receiveFrom(t, "the error", w.failed), "client is closed")
	})
}

// watching is somebody who ranges over a watch.
type watching struct {
	told   chan string
	failed chan error
}

func startWatch(t testing.TB, r *Registry) *watching {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	changes, err := r.Watch(ctx)
	require.NoError(t, err)
	w := &watching{told: make(chan string, 1000), failed: make(chan error, 1)}
	over := make(chan struct{})
	t.Cleanup(func() {
		cancel()
		<-over
	})
	go func() { // ends with the watch
		defer close(over)
		for change, err := range changes {
			if err != nil {
				w.failed <- err
				return
			}
			w.told <- change.Name
		}
		w.failed <- errors.New("ended without an error")
	}()
	return w
}

// tells waits until name is told.
func (w *watching) tells(t testing.TB, name string) {
	t.Helper()
	late := time.After(patience)
	for {
		select {
		case told := <-w.told:
			if told == name {
				return
			}
		case err := <-w.failed:
			require.NoError(t, err)
		case <-late:
			require.FailNow(t, "still not told", name)
		}
	}
}

func put(t testing.TB, r *Registry, name string) error {
	t.Helper()
	c := sftp(name)
	c.Revision = hawser.AnyRevision
	_, err := r.Put(t.Context(), c)
	return err
}
