package etcd

import (
	"context"
	"crypto/rand"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
)

// limiterAt returns a Limiter that is closed at the end of the test.
func limiterAt(t testing.TB, client *clientv3.Client, o LimiterOptions) *Limiter {
	t.Helper()
	l, err := NewLimiter(client, o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// limited is a connection of which sessions are allowed.
func limited(sessions int) hawser.Connection {
	c := sftp("bank")
	c.Limits.Sessions = sessions
	return c
}

func acquire(t testing.TB, l *Limiter, c hawser.Connection) *place {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	p, err := l.Acquire(ctx, c)
	require.NoError(t, err)
	return p.(*place)
}

// A result is what Acquire came to.
type result struct {
	place hawser.Place
	err   error
}

// acquireLater waits in the background.
func acquireLater(ctx context.Context, l *Limiter, c hawser.Connection) <-chan result {
	done := make(chan result, 1)
	go func() { // ends with Acquire
		p, err := l.Acquire(ctx, c)
		done <- result{p, err}
	}()
	return done
}

func receiveFrom[T any](t testing.TB, what string, from <-chan T) (got T) {
	t.Helper()
	select {
	case got = <-from:
	case <-time.After(patience):
		require.FailNow(t, "still waiting", what)
	}
	return got
}

// keys returns the keys of l's places, of all Limiters.
func keys(t testing.TB, client *clientv3.Client, l *Limiter) []string {
	t.Helper()
	got, err := client.Get(t.Context(), l.prefix, clientv3.WithPrefix(), clientv3.WithSort(clientv3.SortByCreateRevision, clientv3.SortAscend))
	require.NoError(t, err)
	var all []string
	for _, kv := range got.Kvs {
		all = append(all, string(kv.Key))
	}
	return all
}

// eventuallyWaiting waits until so many stand in a queue of l.
func eventuallyWaiting(t testing.TB, l *Limiter, many int) {
	t.Helper()
	waiting := func() (n int) {
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, q := range l.queues {
			for _, p := range q.places {
				if p.created != 0 && !p.isGranted() {
					n++
				}
			}
		}
		return n
	}
	require.Eventually(t, func() bool { return waiting() == many }, patience, 10*time.Millisecond, "want %d who wait", many)
}

// eventuallyKeys waits until there are so many.
func eventuallyKeys(t testing.TB, client *clientv3.Client, l *Limiter, many int) {
	t.Helper()
	require.Eventually(t, func() bool { return len(keys(t, client, l)) == many }, patience, 10*time.Millisecond, "want %d keys", many)
}

func TestLimiter(t *testing.T) {
	t.Parallel()
	server := testserver.Etcd(t, testserver.EtcdConfig{})
	client := dial(t, server)
	fresh := func() LimiterOptions { return LimiterOptions{Prefix: "/" + rand.Text(), TTL: 30 * time.Second} }

	t.Run("never more places are held than the limit, and everybody gets his", func(t *testing.T) {
		const nodes, rounds, limit = 20, 50, 5
		o := fresh()
		var now, most atomic.Int32
		var all sync.WaitGroup
		for range nodes {
			l := limiterAt(t, dial(t, server), o)
			all.Go(func() {
				for range rounds {
					p, err := l.Acquire(t.Context(), limited(limit))
					if !assert.NoError(t, err) {
						return
					}
					n := now.Add(1)
					for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
					}
					now.Add(-1)
					p.Release()
				}
			})
		}
		all.Wait()
		require.LessOrEqual(t, most.Load(), int32(limit))
		require.Positive(t, most.Load())
	})
	t.Run("who waits is served in turn, across nodes", func(t *testing.T) {
		const nodes = 5
		o := fresh()
		first := limiterAt(t, client, o)
		held := acquire(t, first, limited(1))
		order := make(chan int, nodes)
		for i := range nodes {
			l := limiterAt(t, client, o)
			done := acquireLater(t.Context(), l, limited(1))
			go func() { // ends with Acquire
				r := <-done
				order <- i
				if r.err == nil {
					r.place.Release()
				}
			}()
			eventuallyKeys(t, client, l, i+2)
		}
		held.Release()
		for i := range nodes {
			require.Equal(t, i, receiveFrom(t, "a turn", order))
		}
		eventuallyKeys(t, client, first, 0)
	})
	t.Run("the end of a wait says what is busy, and takes the key away", func(t *testing.T) {
		o := fresh()
		holder, l := limiterAt(t, client, o), limiterAt(t, client, o)
		acquire(t, holder, limited(1))
		ctx, cancel := context.WithCancel(t.Context())
		done := acquireLater(ctx, l, limited(1))
		eventuallyWaiting(t, l, 1)
		cancel()
		err := receiveFrom(t, "the error", done).err
		require.ErrorIs(t, err, hawser.ErrBusy)
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorContains(t, err, "all 1 of limits.sessions of sftp sftp.example.com:22 as jobs are in use")
		eventuallyKeys(t, client, l, 1)
	})
	t.Run("each server has places of its own, and each name of one shares them", func(t *testing.T) {
		l := limiterAt(t, client, fresh())
		acquire(t, l, limited(1))
		other := limited(1)
		other.Host = "other.example.com"
		acquire(t, l, other).Release()
		same := limited(2)
		same.Name, same.Auth.Password = "another name", hawser.SecretRef("env:CHANGED")
		acquire(t, l, same)
		require.Equal(t, 2, l.Held())
		ctx, cancel := context.WithCancel(t.Context())
		done := acquireLater(ctx, l, same)
		eventuallyWaiting(t, l, 1)
		cancel()
		require.ErrorIs(t, receiveFrom(t, "the error", done).err, hawser.ErrBusy)
	})
	t.Run("a place is released once, and its key goes", func(t *testing.T) {
		l := limiterAt(t, client, fresh())
		p := acquire(t, l, limited(5))
		require.Len(t, keys(t, client, l), 1)
		p.Release()
		p.Release()
		require.Zero(t, l.Held())
		eventuallyKeys(t, client, l, 0)
	})
	t.Run("a key that somebody else removes is a place that is lost", func(t *testing.T) {
		o := fresh()
		holder, l := limiterAt(t, client, o), limiterAt(t, client, o)
		p := acquire(t, holder, limited(1))
		done := acquireLater(t.Context(), l, limited(1))
		eventuallyWaiting(t, l, 1)
		all := keys(t, client, l)
		_, err := client.Delete(t.Context(), all[1]) // who waits stands at the end again
		require.NoError(t, err)
		eventuallyKeys(t, client, l, 2)
		_, err = client.Delete(t.Context(), all[0])
		require.NoError(t, err)
		receiveFrom(t, "the place that was lost", p.Recalled())
		require.NoError(t, receiveFrom(t, "the place", done).err)
	})
	t.Run("a lease that etcd ended recalls the places, and there are new ones", func(t *testing.T) {
		o := fresh()
		o.TTL = 3 * time.Second
		l := limiterAt(t, client, o)
		p := acquire(t, l, limited(1))
		_, err := client.Revoke(t.Context(), p.lease.id)
		require.NoError(t, err)
		receiveFrom(t, "the place that was lost", p.Recalled())
		again := acquire(t, l, limited(1))
		require.NotEqual(t, p.lease.id, again.lease.id)
		p.Release()
		again.Release()
		eventuallyKeys(t, client, l, 0)
	})
	t.Run("Close recalls what is held and frees it at once", func(t *testing.T) {
		o := fresh()
		l, other := limiterAt(t, client, o), limiterAt(t, client, o)
		p := acquire(t, l, limited(1))
		waiting := acquireLater(t.Context(), l, limited(1))
		eventuallyWaiting(t, l, 1)
		require.NoError(t, l.Close())
		require.NoError(t, l.Close())
		receiveFrom(t, "the place that was recalled", p.Recalled())
		require.ErrorContains(t, receiveFrom(t, "who waits", waiting).err, "closed")
		acquire(t, other, limited(1))
		_, err := l.Acquire(t.Context(), limited(1))
		require.ErrorIs(t, err, errLimiterClosed)
		p.Release()
	})
	t.Run("what cannot be limited is refused", func(t *testing.T) {
		l := limiterAt(t, client, fresh())
		_, err := l.Acquire(t.Context(), limited(0))
		require.ErrorIs(t, err, hawser.ErrInvalid)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = l.Acquire(ctx, limited(1))
		require.ErrorIs(t, err, context.Canceled)
		_, err = NewLimiter(client, LimiterOptions{TTL: -1})
		require.ErrorIs(t, err, hawser.ErrInvalid)
	})
}

func TestLimiterRecalls(t *testing.T) {
	t.Parallel()
	client := dial(t, testserver.Etcd(t, testserver.EtcdConfig{}))
	t.Run("a place that is idle moves to the node that wants one, the oldest first", func(t *testing.T) {
		o := LimiterOptions{Prefix: "moves", TTL: 30 * time.Second}
		a, b := limiterAt(t, client, o), limiterAt(t, client, o)
		held := []*place{acquire(t, a, limited(3)), acquire(t, a, limited(3)), acquire(t, a, limited(3))}
		for _, oldest := range held {
			done := acquireLater(t.Context(), b, limited(3))
			receiveFrom(t, "the oldest place", oldest.Recalled())
			oldest.Release()
			require.NoError(t, receiveFrom(t, "the place", done).err)
		}
		require.Equal(t, 0, a.Held())
		require.Equal(t, 3, b.Held())
	})
	t.Run("nothing is recalled while there is room", func(t *testing.T) {
		o := LimiterOptions{Prefix: "room", TTL: 30 * time.Second}
		a, b := limiterAt(t, client, o), limiterAt(t, client, o)
		p := acquire(t, a, limited(2))
		acquire(t, b, limited(2))
		require.False(t, p.isRecalled())
	})
}
