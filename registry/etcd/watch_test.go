package etcd

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/changes"
	"github.com/hawser/hawser/internal/testserver"
)

func TestWatch(t *testing.T) {
	t.Parallel()
	s := testserver.Etcd(t, testserver.EtcdConfig{})
	writer := openAt(t, dial(t, s), Options{})
	t.Run("changes that etcd has forgotten are told as one without a name, and then it goes on", func(t *testing.T) {
		relay := startRelay(t, s)
		r := openAt(t, dialAt(t, relay.Addr()), Options{})
		r.pulse = time.Hour
		w := startWatch(t, r)
		require.NoError(t, put(t, writer, "seen"))
		w.tells(t, "seen")
		before := r.Version()
		relay.Freeze()
		relay.Drop()
		require.NoError(t, put(t, writer, "missed"))
		require.NoError(t, put(t, writer, "also missed"))
		compact(t, writer.client)
		relay.Thaw()
		relay.Drop() // and it comes back at once
		w.tells(t, "")
		require.Greater(t, r.Version(), before)
		require.NoError(t, put(t, writer, "later"))
		w.tells(t, "later")
	})
	t.Run("changes come in spite of compaction", func(t *testing.T) {
		w := startWatch(t, writer)
		for i := range 50 {
			name := fmt.Sprint("busy ", i)
			require.NoError(t, put(t, writer, name))
			compact(t, writer.client)
			w.tells(t, name)
		}
	})
	t.Run("other keys below the prefix are no changes", func(t *testing.T) {
		w := startWatch(t, writer)
		l := limiterAt(t, writer.client, LimiterOptions{})
		acquire(t, l, limited(1)).Release()
		_, err := writer.client.Put(t.Context(), writer.prefix+"connectionsX", "x")
		require.NoError(t, err)
		require.NoError(t, put(t, writer, "real"))
		require.Equal(t, "real", receiveFrom(t, "a change", w.told))
	})
	for what, wrong := range map[string]func(p *position){
		"a change that never came":   func(p *position) { p.last-- },
		"a deletion that never came": func(p *position) { p.many++ },
		"a restore of etcd":          func(p *position) { p.revision = 1 << 40 },
	} {
		t.Run("a watch finds out "+what, func(t *testing.T) {
			r := openAt(t, writer.client, Options{})
			r.pulse = 10 * time.Millisecond
			require.NoError(t, put(t, r, "one"))
			at, err := r.position(t.Context())
			require.NoError(t, err)
			wrong(&at)
			ctx, cancel := context.WithCancel(t.Context())
			w := &watch{Queue: changes.New(), r: r, at: at, cancel: cancel}
			over := make(chan error, 1)
			go func() { over <- w.follow(ctx) }() // ends with ctx
			limited, stop := context.WithTimeout(t.Context(), patience)
			defer stop()
			for change, err := range w.All(limited) {
				require.NoError(t, err)
				require.Empty(t, change.Name)
				break
			}
			cancel()
			require.ErrorIs(t, receiveFrom(t, "the end", over), context.Canceled)
		})
	}
	t.Run("a watch that misses nothing tells nothing", func(t *testing.T) {
		at := position{revision: 7, last: 5, many: 3}
		now := suspicion{known: at, last: 5, many: 3}
		require.False(t, now.missing())
		now.known.last = 6 // and it is deleted
		require.False(t, now.missing())
	})
}

func TestRevisions(t *testing.T) {
	t.Parallel()
	r := openAt(t, dial(t, testserver.Etcd(t, testserver.EtcdConfig{})), Options{})
	for i := range 3 {
		require.NoError(t, put(t, r, fmt.Sprint(i)))
	}
	c, err := r.Lookup(t.Context(), "1")
	require.NoError(t, err)
	same, err := r.Put(t.Context(), c)
	require.NoError(t, err)
	require.Equal(t, c.Revision, same.Revision, "what is stored already is not written again")
	for _, revision := range []string{"0", "-1", "007", "1e3", "x\n", hawser.AnyRevision + " "} {
		c.Revision = revision
		_, err := r.Put(t.Context(), c)
		require.ErrorIs(t, err, hawser.ErrConflict)
		c.Name = "new"
		_, err = r.Put(t.Context(), c)
		require.ErrorIs(t, err, hawser.ErrConflict)
		c.Name = "1"
	}
}

func TestCloseEndsAWatch(t *testing.T) {
	t.Parallel()
	client := dial(t, testserver.Etcd(t, testserver.EtcdConfig{}))
	for range 50 {
		r := openAt(t, client, Options{})
		changes, err := r.Watch(t.Context())
		require.NoError(t, err)
		require.NoError(t, r.Close())
		for change, err := range changes {
			require.ErrorIs(t, err, errClosed)
			require.Equal(t, hawser.Change{}, change)
		}
	}
}

func TestPulsesCountAlone(t *testing.T) {
	t.Parallel()
	counts := make(chan bool, 1000)
	note := func(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, do grpc.UnaryInvoker, options ...grpc.CallOption) error {
		if get, ok := request.(*pb.RangeRequest); ok && len(get.RangeEnd) > 0 {
			select {
			case counts <- get.CountOnly:
			default: // there are enough
			}
		}
		return do(ctx, method, request, reply, conn, options...)
	}
	client, err := clientv3.New(clientv3.Config{
		Endpoints:   testserver.Etcd(t, testserver.EtcdConfig{}).Endpoints,
		DialOptions: []grpc.DialOption{grpc.WithChainUnaryInterceptor(note)},
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	r := openAt(t, client, Options{})
	r.pulse = time.Millisecond
	startWatch(t, r)
	for i := range 3 * thoroughEvery {
		require.Equal(t, i%thoroughEvery != 0, receiveFrom(t, "a look", counts), "look %d", i)
	}
}
