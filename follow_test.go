package hawser_test

import (
	"context"
	"errors"
	"iter"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPoolFollows(t *testing.T) {
	t.Parallel()
	t.Run("a change from the next open on, and closes what is idle at once", func(t *testing.T) {
		t.Parallel()
		d := &fakeServers{}
		m := newManager(t, d, job("bank", "a"))
		s, idle := lease(t, m, "bank")
		used, kept := lease(t, m, "bank")
		require.NoError(t, s.Close())
		edit(t, m, "bank", func(c *hawser.Connection) { c.Host = "b" })
		_, next := lease(t, m, "bank")
		require.Equal(t, "b:21 first", next.at)
		require.Eventually(t, idle.closed.Load, soon, time.Millisecond)
		require.False(t, kept.closed.Load(), "what is in use works on")
		require.NoError(t, used.Close())
		require.True(t, kept.closed.Load(), "and ends when it is given back")
	})
	t.Run("a change though nobody opens anything", func(t *testing.T) {
		t.Parallel()
		m := newManager(t, &fakeServers{}, job("bank", "a"))
		s, idle := lease(t, m, "bank")
		require.NoError(t, s.Close())
		edit(t, m, "bank", func(c *hawser.Connection) { c.Auth.Password = hawser.NewSecret("second") })
		require.Eventually(t, idle.closed.Load, soon, time.Millisecond)
	})
	t.Run("a change of the jump host, and a deletion", func(t *testing.T) {
		t.Parallel()
		m := newManager(t, &fakeServers{}, named("bank", ssh, "near"), named("near", ssh, "far"), named("far", ssh, ""))
		for _, change := range []func(){
			func() { edit(t, m, "far", func(c *hawser.Connection) { c.Port = 2222 }) },
			func() {
				require.NoError(t, m.Registry.(*hawser.Memory).Delete(t.Context(), "bank", hawser.AnyRevision))
			},
		} {
			s, idle := lease(t, m, "bank")
			require.NoError(t, s.Close())
			change()
			require.Eventually(t, idle.closed.Load, soon, time.Millisecond)
		}
		_, err := m.Open(t.Context(), "bank")
		require.ErrorIs(t, err, hawser.ErrNotFound)
		require.Empty(t, m.Stats(), "a pool that nobody needs is forgotten")
	})
	t.Run("nothing that sessions do not depend on", func(t *testing.T) {
		t.Parallel()
		m := newManager(t, &fakeServers{}, job("bank", "a"), job("same", "a"))
		s, first := lease(t, m, "bank")
		require.NoError(t, s.Close())
		s, _ = lease(t, m, "same")
		require.NoError(t, s.Close())
		edit(t, m, "bank", func(c *hawser.Connection) {
			c.Description, c.Group, c.Log.Incoming, c.Limits.Idle = "new", "new", true, time.Hour
		})
		s, second := lease(t, m, "bank")
		require.Same(t, first, second)
		require.NoError(t, s.Close())
		edit(t, m, "bank", func(c *hawser.Connection) { c.Host = "b" })
		lease(t, m, "bank")
		_, third := lease(t, m, "same")
		require.Same(t, first, third, "another name means it still")
	})
	t.Run("with those who wait", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			m := newManager(t, &fakeServers{}, limited(job("bank", "a"), 1))
			s, _ := lease(t, m, "bank")
			got := make(chan string, 3)
			for range 3 {
				go func() {
					assert.NoError(t, hawser.Use(t.Context(), m, "bank", func(_ context.Context, s *poolSession) error {
						got <- s.at
						return nil
					}))
				}()
			}
			synctest.Wait()
			edit(t, m, "bank", func(c *hawser.Connection) { c.Host = "b" })
			for range 3 {
				require.Equal(t, "b:21 first", <-got)
			}
			require.NoError(t, s.Close())
		})
	})
	t.Run("with those who are dialing", func(t *testing.T) {
		t.Parallel()
		for _, refused := range []error{nil, errRefused} {
			var once sync.Once
			var m *hawser.Manager
			d := &fakeServers{before: func(c hawser.Connection) (err error) {
				once.Do(func() {
					edit(t, m, "bank", func(c *hawser.Connection) { c.Host = "b" })
					assert.Eventually(t, func() bool { return m.Stats()[0].Names == nil }, soon, time.Millisecond, "nobody means the old one")
					err = refused
				})
				return err
			}}
			m = newManager(t, d, job("bank", "a"))
			_, s := lease(t, m, "bank")
			require.Equal(t, "b:21 first", s.at)
			require.Equal(t, 1, d.opened())
		}
	})
}

// unwatched is a Registry and no more.
type unwatched struct {
	hawser.Registry
	hawser.Writer
}

// flaky is a Registry that can be broken, and whose watch can be ended.
type flaky struct {
	*hawser.Memory

	mu      sync.Mutex // guards all below
	broken  error
	lookups int
	cut     []context.CancelFunc // of the watches
}

func (f *flaky) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.broken = err
	for _, cut := range f.cut {
		cut()
	}
	f.cut = nil
}

func (f *flaky) Lookup(ctx context.Context, name string) (hawser.Connection, error) {
	f.mu.Lock()
	f.lookups++
	err := f.broken
	f.mu.Unlock()
	if err != nil {
		return hawser.Connection{}, err
	}
	return f.Memory.Lookup(ctx, name)
}

func (f *flaky) Watch(ctx context.Context) (iter.Seq2[hawser.Change, error], error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken != nil {
		return nil, f.broken
	}
	ctx, cancel := context.WithCancel(ctx)
	f.cut = append(f.cut, cancel)
	return f.Memory.Watch(ctx)
}

func (f *flaky) asked() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.lookups
}

var errDown = errors.New("registry is down")

// outage opens bank through a registry that works, and then breaks it.
func outage(t *testing.T, m *hawser.Manager) *flaky {
	t.Helper()
	reg := &flaky{Memory: hawser.NewMemory(job("bank", "a"))}
	m.Registry, m.Dialer = reg, &fakeServers{}
	t.Cleanup(func() { _ = m.Close() })
	s, _ := lease(t, m, "bank")
	require.NoError(t, s.Close())
	synctest.Wait()
	reg.fail(errDown)
	synctest.Wait()
	return reg
}

func TestPoolOutage(t *testing.T) {
	t.Parallel()
	t.Run("the last good definition serves for a while, and a trace is told", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			m := &hawser.Manager{}
			reg := outage(t, m)
			time.Sleep(time.Minute)
			var details []string
			ctx := hawser.WithTrace(t.Context(), &hawser.Trace{Step: func(_ string, s hawser.Step) {
				if s.Phase == hawser.PhaseLookup {
					details = append(details, s.Detail)
				}
			}})
			asked := reg.asked()
			for range 10 {
				s, err := m.Open(ctx, "bank")
				require.NoError(t, err)
				require.NoError(t, s.Close())
			}
			require.LessOrEqual(t, reg.asked(), asked+1, "what is down is not asked each time")
			require.Equal(t, "last good definition, 1m0s old, for the registry fails: registry is down", details[9])
			time.Sleep(4*time.Minute + time.Second)
			_, err := m.Open(ctx, "bank")
			require.ErrorIs(t, err, errDown)
			require.EqualError(t, err, "open bank: lookup: the registry fails, and its last good answer is 5m1s old, where Manager.Stale allows 5m0s: registry is down")
		})
	})
	t.Run("what changed meanwhile is followed when it is back", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			m := &hawser.Manager{}
			reg := outage(t, m)
			s, old := lease(t, m, "bank")
			require.NoError(t, s.Close())
			time.Sleep(30 * time.Second)
			require.False(t, old.closed.Load())
			c := job("bank", "b")
			c.Revision = hawser.AnyRevision
			_, err := reg.Put(t.Context(), c)
			require.NoError(t, err)
			reg.fail(nil)
			time.Sleep(10 * time.Second)
			require.True(t, old.closed.Load(), "though nobody opened anything")
			_, next := lease(t, m, "bank")
			require.Equal(t, "b:21 first", next.at)
		})
	})
	t.Run("not at all where Stale is negative, and no longer than it says", func(t *testing.T) {
		t.Parallel()
		for stale, works := range map[time.Duration]bool{-1: false, time.Hour: true} {
			synctest.Test(t, func(t *testing.T) {
				m := &hawser.Manager{Stale: stale}
				outage(t, m)
				time.Sleep(50 * time.Minute)
				s, err := m.Open(t.Context(), "bank")
				if works {
					require.NoError(t, err)
					require.NoError(t, s.Close())
					return
				}
				require.ErrorIs(t, err, errDown)
			})
		}
	})
	t.Run("a name that was never looked up has none", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			m := &hawser.Manager{}
			outage(t, m)
			_, err := m.Open(t.Context(), "shop")
			require.EqualError(t, err, "open shop: lookup: registry is down")
		})
	})
	t.Run("a lost watch alone is made up for by looking up", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			m := &hawser.Manager{}
			reg := outage(t, m)
			reg.mu.Lock()
			reg.broken = nil
			reg.mu.Unlock()
			c := job("bank", "b")
			c.Revision = hawser.AnyRevision
			_, err := reg.Put(t.Context(), c)
			require.NoError(t, err)
			_, next := lease(t, m, "bank")
			require.Equal(t, "b:21 first", next.at)
		})
	})
}

func TestPoolWithoutWatch(t *testing.T) {
	t.Parallel()
	d := &fakeServers{}
	memory := hawser.NewMemory(job("bank", "a"))
	m := &hawser.Manager{Registry: unwatched{memory, memory}, Dialer: d}
	t.Cleanup(func() { _ = m.Close() })
	s, first := lease(t, m, "bank")
	require.NoError(t, s.Close())
	s, second := lease(t, m, "bank")
	require.Same(t, first, second)
	require.NoError(t, s.Close())
	edit(t, m, "bank", func(c *hawser.Connection) { c.Host = "b" })
	_, third := lease(t, m, "bank")
	require.Equal(t, "b:21 first", third.at)
	require.Eventually(t, first.closed.Load, soon, time.Millisecond)
}
