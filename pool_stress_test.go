package hawser_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestPoolUnderFaults lets many jobs loose on a few sessions, while sessions
// break, dials fail, contexts end and definitions change. What must hold: no
// server sees more sessions than its limit, no session has two users, an open
// after a change uses the new definition, and nothing is left open.
func TestPoolUnderFaults(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		limiter hawser.Limiter
		limit   int
	}{
		{"alone", nil, 4},
		{"with a limiter", newSharedLimit(3), 3},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			d := &fakeServers{before: func(hawser.Connection) error {
				if rand.N(10) == 0 {
					return errRefused
				}
				return nil
			}}
			m := newManager(t, d, limited(job("bank", "a"), 4), limited(job("same", "a"), 4), limited(job("shop", "b"), 2))
			m.Limiter = row.limiter
			var everybody sync.WaitGroup
			for i := range 40 {
				everybody.Go(func() { workUnderFaults(t, m, i) })
			}
			for i := range 50 {
				edit(t, m, "bank", func(c *hawser.Connection) { c.Auth.Password = hawser.NewSecret(fmt.Sprint("no ", i)) })
				edit(t, m, "shop", func(c *hawser.Connection) { c.Limits.Sessions = 1 + i%2 })
			}
			everybody.Wait()
			for at, most := range d.most {
				assert.LessOrEqual(t, most, row.limit, at)
			}
			assert.Eventually(t, func() bool {
				return !slices.ContainsFunc(m.Stats(), func(s hawser.PoolStats) bool { return s.Open != s.Idle || s.Waiting > 0 })
			}, soon, time.Millisecond, "what is neither idle nor in use is closed soon")
			require.NoError(t, m.Close())
			assert.Zero(t, d.opened())
			if l, ok := row.limiter.(*sharedLimit); ok {
				assert.Zero(t, l.taken())
			}
		})
	}
}

func workUnderFaults(t *testing.T, m *hawser.Manager, seed int) {
	t.Helper()
	random := rand.New(rand.NewPCG(uint64(seed), 1))
	for range 100 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		if random.IntN(20) == 0 {
			cancel()
		}
		name := []string{"bank", "same", "shop"}[random.IntN(3)]
		err := hawser.Use(ctx, m, name, func(ctx context.Context, s *poolSession) error {
			if s.users.Add(1) != 1 {
				t.Errorf("%v has two users", s)
			}
			defer s.users.Add(-1)
			if random.IntN(10) == 0 {
				s.soiled.Store(true)
			}
			return s.Ping(ctx)
		})
		if err != nil && !errors.Is(err, errRefused) && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		cancel()
	}
}

// TestPoolOpensWarmWithFewAllocations is the goal of DESIGN, section 7, but for the
// time, which a benchmark tells.
func TestPoolOpensWarmWithFewAllocations(t *testing.T) {
	d := &fakeServers{}
	m := newManager(t, d, job("bank", "a"))
	openWarm(t, m)
	require.Eventually(t, func() bool { // until the change that the watch begins with is behind
		before := d.dialed()
		return testing.AllocsPerRun(1, func() { openWarm(t, m) }) < 10 && d.dialed() == before
	}, soon, time.Millisecond)
	allocs := testing.AllocsPerRun(100, func() { openWarm(t, m) })
	assert.Less(t, allocs, 10.0)
	assert.Equal(t, 1, d.dialed())
	assert.Zero(t, d.sessions[0].pings.Load(), "round trips")
}

func openWarm(t testing.TB, m *hawser.Manager) {
	s, err := m.Open(t.Context(), "bank")
	if err != nil {
		t.Fatal(err)
	}
	_ = s.Close()
}

// BenchmarkWarmOpen opens and gives back a session that is in the pool.
func BenchmarkWarmOpen(b *testing.B) {
	m := newManager(b, &fakeServers{}, job("bank", "a"))
	openWarm(b, m)
	b.ReportAllocs()
	for b.Loop() {
		openWarm(b, m)
	}
}
