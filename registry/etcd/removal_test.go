package etcd

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"

	"github.com/hawser/hawser/internal/testserver"
)

// A lateTxn is one that is given up before etcd gets to it.
type lateTxn struct {
	next chan struct{}     // holds a token for the one that is to be late
	held chan func() error // does it after all
}

// client is one whose transactions are late when they are told to be.
func (l *lateTxn) client(t testing.TB, s *testserver.EtcdServer) *clientv3.Client {
	t.Helper()
	hold := func(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, do grpc.UnaryInvoker, options ...grpc.CallOption) error {
		if strings.HasSuffix(method, "KV/Txn") {
			select {
			case <-l.next:
				l.held <- func() error {
					return do(context.WithoutCancel(ctx), method, request, reply, conn, options...)
				}
				<-ctx.Done()
				return ctx.Err()
			default:
			}
		}
		return do(ctx, method, request, reply, conn, options...)
	}
	client, err := clientv3.New(clientv3.Config{
		Endpoints: s.Endpoints, DialOptions: []grpc.DialOption{grpc.WithChainUnaryInterceptor(hold)},
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// eventuallyRemoved waits until etcd has heard of all that l gave back.
func eventuallyRemoved(t testing.TB, l *Limiter) {
	t.Helper()
	require.Eventually(t, func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return len(l.removing) == 0
	}, patience, 10*time.Millisecond)
}

func TestGivenUp(t *testing.T) {
	t.Parallel()
	s := testserver.Etcd(t, testserver.EtcdConfig{})
	late := &lateTxn{next: make(chan struct{}, 1), held: make(chan func() error, 1)}
	l := limiterAt(t, late.client(t, s), LimiterOptions{TTL: 6 * time.Second})
	client := dial(t, s)
	other := limited(1)
	other.Host = "other.example.com"
	p := acquire(t, l, other) // for which the lease is kept
	giveUp := func() func() error {
		late.next <- struct{}{}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		done := acquireLater(ctx, l, limited(1))
		do := receiveFrom(t, "the late transaction", late.held)
		cancel()
		require.ErrorIs(t, receiveFrom(t, "the error", done).err, context.Canceled)
		return do
	}

	t.Run("a place that etcd gets to after it was given back is not made", func(t *testing.T) {
		do := giveUp()
		eventuallyRemoved(t, l)
		require.NoError(t, do())
		require.Equal(t, []string{p.key}, keys(t, client, l))
		acquire(t, limiterAt(t, client, LimiterOptions{}), limited(1)).Release()
		acquire(t, l, limited(1)).Release()
	})
	t.Run("a lease with many tombstones ends after its last place, and they with it", func(t *testing.T) {
		l.mu.Lock()
		p.lease.tombstones = mostTombstones - 1
		l.mu.Unlock()
		do := giveUp()
		eventuallyRemoved(t, l)
		require.NotEqual(t, p.lease.id, acquire(t, l, limited(1)).lease.id)
		require.False(t, p.isRecalled())
		p.Release()
		require.Eventually(t, func() bool {
			got, err := client.Get(t.Context(), l.ended, clientv3.WithPrefix())
			return err == nil && got.Count == 0
		}, patience, 10*time.Millisecond)
		require.ErrorContains(t, do(), "lease not found")
	})
	t.Run("a lease that etcd has ended has nothing to remove", func(t *testing.T) {
		held := acquire(t, l, other)
		do := giveUp()
		eventuallyRemoved(t, l)
		_, err := client.Revoke(t.Context(), held.lease.id)
		require.NoError(t, err)
		l.mu.Lock()
		l.discard(held.q.prefix+"late", held.lease, true)
		l.mu.Unlock()
		eventuallyRemoved(t, l)
		require.ErrorContains(t, do(), "lease not found")
	})
}

func TestLeaseRests(t *testing.T) {
	t.Parallel()
	of := func(left time.Duration) *lease {
		q := line(time.Now(), "a1")
		s := &lease{l: q.l, ttl: 15 * time.Second, until: time.Now().Add(left)}
		q.places["q/0"].lease = s
		return s
	}
	t.Run("a third of what is left", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, 5*time.Second, of(time.Hour).rest())
		require.LessOrEqual(t, of(3*time.Second).rest(), time.Second)
		require.Zero(t, of(-time.Second).rest())
	})
	t.Run("one that may have ended is lost before it is renewed, with its places", func(t *testing.T) {
		t.Parallel()
		s := of(time.Hour)
		s.expire()
		require.False(t, s.isLost)
		s = of(-time.Second)
		s.expire()
		require.True(t, s.isLost)
		require.True(t, s.l.queues["q"].places["q/0"].isRecalled())
		require.Equal(t, 5*time.Second, s.rest())
	})
}

func TestLimiterOfARestoredEtcd(t *testing.T) {
	t.Parallel()
	client := dial(t, testserver.Etcd(t, testserver.EtcdConfig{}))
	l := limiterAt(t, client, LimiterOptions{TTL: 60 * time.Second})
	kept, lost := acquire(t, l, limited(3)), acquire(t, l, limited(3))
	revision := func() int64 {
		got, err := client.Get(t.Context(), "none")
		require.NoError(t, err)
		return got.Header.Revision
	}
	l.mu.Lock()
	kept.q.revision += 3000 // the backup is so much older, and does not have the second place
	lost.created += 3000
	l.mu.Unlock()
	before := revision()
	_, err := client.Delete(t.Context(), lost.key)
	require.NoError(t, err)
	acquire(t, l, limited(3))
	receiveFrom(t, "the place that etcd forgot", lost.Recalled())
	require.False(t, kept.isRecalled())
	require.Less(t, revision(), before+20)
	done := acquireLater(t.Context(), l, limited(2)) // is not told by a watch of the future
	eventuallyWaiting(t, l, 1)
	kept.Release()
	require.NoError(t, receiveFrom(t, "the place", done).err)
}

func TestReplace(t *testing.T) {
	t.Parallel()
	q := line(time.Now(), "a1")
	p := q.places["q/0"]
	now := q.moment
	q.replace(nil, 90, moment{revision: 80})
	require.Len(t, q.entries, 1, "a late answer is old")
	q.replace(nil, 40, now)
	require.Empty(t, q.entries)
	require.True(t, p.isRecalled(), "a restored etcd does not have it")
	require.Equal(t, moment{40, 1}, q.moment)
	q.replace(nil, 39, now)
	require.Equal(t, moment{40, 1}, q.moment, "the same restore is noticed once")
}
