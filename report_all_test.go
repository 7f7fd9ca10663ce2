package hawser_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestManagerTestAll(t *testing.T) {
	t.Parallel()
	conns := func(n int) []hawser.Connection {
		list := make([]hawser.Connection, n)
		for i := range list {
			list[i] = named(fmt.Sprintf("c%03d", i), ftp, "")
			list[i].Host = list[i].Name + ".example.com"
		}
		return list
	}
	t.Run("reports every connection once", func(t *testing.T) {
		t.Parallel()
		seen := map[string]int{}
		for r := range newManager(t, &fakeDialer{}, conns(50)...).TestAll(t.Context()) {
			assert.NoError(t, r.Err)
			seen[r.Name]++
		}
		require.Len(t, seen, 50)
		for name, n := range seen {
			require.Equal(t, 1, n, name)
		}
	})
	t.Run("tests eight at once", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			var now, most atomic.Int64
			d := &fakeDialer{dial: func(context.Context, hawser.Connection) (hawser.Session, error) {
				raise(&most, now.Add(1))
				defer now.Add(-1)
				time.Sleep(time.Second) // of the bubble's clock
				return &fakeSession{}, nil
			}}
			start := time.Now()
			for range newManager(t, d, conns(24)...).TestAll(t.Context()) {
			}
			require.EqualValues(t, 8, most.Load())
			require.Equal(t, 3*time.Second, time.Since(start))
		})
	})
	t.Run("tests two at once of a server, and no more than its limit", func(t *testing.T) {
		t.Parallel()
		for limit, want := range map[int]int64{0: 2, 1: 1, 5: 2} {
			synctest.Test(t, func(t *testing.T) {
				var now, most, others atomic.Int64
				d := &fakeDialer{dial: func(_ context.Context, c hawser.Connection) (hawser.Session, error) {
					if !strings.EqualFold(c.Host, "one.example.com") {
						others.Add(1)
						return &fakeSession{}, nil
					}
					raise(&most, now.Add(1))
					time.Sleep(time.Second) // of the bubble's clock
					now.Add(-1)
					return &fakeSession{}, nil
				}}
				list := conns(20)
				for i := range 16 {
					list[i].Host, list[i].Limits.Sessions = "one.example.com", limit
				}
				list[1].Host = "ONE.example.com"
				seen := 0
				for r := range newManager(t, d, list...).TestAll(t.Context()) {
					if seen++; seen == 5 { // the four of other servers come first
						require.EqualValues(t, 4, others.Load())
					}
					require.NoError(t, r.Err)
				}
				require.Equal(t, 20, seen)
				require.Equal(t, want, most.Load(), "limit %d", limit)
			})
		}
	})
	t.Run("a context that ends is a report of its own", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			d := &fakeDialer{dial: func(ctx context.Context, _ hawser.Connection) (hawser.Session, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}}
			named, alone := 0, 0
			for r := range newManager(t, d, conns(30)...).TestAll(ctx) {
				assert.ErrorIs(t, r.Err, context.DeadlineExceeded)
				if r.Name == "" {
					alone++
					continue
				}
				named++
			}
			require.Equal(t, 8, named)
			require.Equal(t, 1, alone)
		})
	})
	t.Run("breaking out of the loop ends the tests that still run", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) { // which fails if a goroutine is left
			d := &fakeDialer{}
			d.dial = func(ctx context.Context, _ hawser.Connection) (hawser.Session, error) {
				if d.calls() == 1 {
					return &fakeSession{}, nil
				}
				<-ctx.Done()
				return nil, ctx.Err()
			}
			for range newManager(t, d, conns(30)...).TestAll(t.Context()) {
				break
			}
			require.LessOrEqual(t, d.calls(), 10)
		})
	})
	t.Run("a panic in the loop leaves nothing running", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			require.Panics(t, func() {
				for range newManager(t, &fakeDialer{}, conns(30)...).TestAll(t.Context()) {
					panic("boom")
				}
			})
		})
	})
	t.Run("a Registry that fails in the middle is a report of its own", func(t *testing.T) {
		t.Parallel()
		m := &hawser.Manager{Registry: failingRegistry{conns: conns(3), err: errFake}, Dialer: &fakeDialer{}}
		good, bad := 0, 0
		for r := range m.TestAll(t.Context()) {
			if r.Err == nil {
				good++
				continue
			}
			bad++
			assert.ErrorIs(t, r.Err, errFake)
			assert.EqualError(t, r.Err, "test: lookup: fake failure")
			assert.Empty(t, r.Name)
		}
		require.Equal(t, 3, good)
		require.Equal(t, 1, bad)
	})
	t.Run("without a Registry there is one report of that", func(t *testing.T) {
		t.Parallel()
		n := 0
		for r := range (&hawser.Manager{}).TestAll(t.Context()) {
			n++
			require.EqualError(t, r.Err, "manager has no Registry")
		}
		require.Equal(t, 1, n)
	})
	t.Run("the Registry may be changed inside the loop", func(t *testing.T) {
		t.Parallel()
		m := newManager(t, &fakeDialer{}, conns(20)...)
		for r := range m.TestAll(t.Context()) {
			require.NoError(t, m.Registry.(*hawser.Memory).Delete(t.Context(), r.Name, hawser.AnyRevision))
		}
	})
}

// raise makes most n, if it is less.
func raise(most *atomic.Int64, n int64) {
	for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
	}
}
