package hawser_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The Registry failed a moment ago; what the same process has put since is asked for all the same.
func TestOpenAfterPutDoesNotHeedAFailureBefore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &hawser.Manager{}
		reg := outage(t, m)
		s, _ := lease(t, m, "bank") // last good; sets the pause
		require.NoError(t, s.Close())
		reg.fail(nil) // it is back
		c := job("bank", "b")
		c.Revision = hawser.AnyRevision
		_, err := reg.Put(t.Context(), c)
		require.NoError(t, err)
		_, next := lease(t, m, "bank")
		require.Equal(t, "b:21 first", next.at)
	})
}

// brokenOne is an unwatched Registry one name of which cannot be read.
type brokenOne struct {
	hawser.Registry
	hawser.Writer
	bad  map[string]error
	hang map[string]bool
	n    atomic.Int64
}

func (b *brokenOne) Lookup(ctx context.Context, name string) (hawser.Connection, error) {
	b.n.Add(1)
	if b.hang[name] {
		<-ctx.Done()
		return hawser.Connection{}, ctx.Err()
	}
	if err := b.bad[name]; err != nil {
		return hawser.Connection{}, err
	}
	return b.Registry.Lookup(ctx, name)
}

// A row of a database may be broken.
func TestOneNameThatCannotBeReadIsNoFailureOfOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		memory := hawser.NewMemory(job("bank", "a"), job("sick", "z"))
		reg := &brokenOne{Registry: memory, Writer: memory, bad: map[string]error{}}
		m := &hawser.Manager{Registry: reg, Dialer: &fakeServers{}}
		t.Cleanup(func() { _ = m.Close() })
		for _, name := range []string{"bank", "sick"} {
			s, _ := lease(t, m, name)
			require.NoError(t, s.Close())
		}
		reg.bad["sick"] = errors.New("row sick: bad sealed secret")
		s, _ := lease(t, m, "sick")
		require.NoError(t, s.Close())
		edit(t, m, "bank", func(c *hawser.Connection) { c.Host = "b" })
		_, next := lease(t, m, "bank")
		assert.Equal(t, "b:21 first", next.at)
		// and with Stale < 0 bank fails with the error of sick
		m2 := &hawser.Manager{Registry: reg, Dialer: &fakeServers{}, Stale: -1}
		t.Cleanup(func() { _ = m2.Close() })
		delete(reg.bad, "sick")
		for _, name := range []string{"bank", "sick"} {
			s, _ := lease(t, m2, name)
			require.NoError(t, s.Close())
		}
		reg.bad["sick"] = errors.New("row sick: bad sealed secret")
		_, err := m2.Open(t.Context(), "sick")
		require.Error(t, err)
		_, err = m2.Open(t.Context(), "bank")
		assert.NoError(t, err)
	})
}

// A job that has three seconds is not to spend them on a Registry.
func TestRegistryThatHangsDoesNotHoldUpShortJobs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		memory := hawser.NewMemory(job("bank", "a"))
		reg := &brokenOne{Registry: memory, Writer: memory, hang: map[string]bool{}}
		m := &hawser.Manager{Registry: reg, Dialer: &fakeServers{}}
		t.Cleanup(func() { _ = m.Close() })
		s, _ := lease(t, m, "bank")
		require.NoError(t, s.Close())
		reg.hang["bank"] = true
		failed := 0
		for range 20 {
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			s, err := m.Open(ctx, "bank")
			if err != nil {
				failed++
				t.Log(err)
			} else {
				require.NoError(t, s.Close())
			}
			cancel()
		}
		require.Zero(t, failed)
	})
}

// Nobody may open the name again for hours.
func TestChangeToldBetweenLookupAndDialIsFollowed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, &fakeServers{}, job("bank", "a"), job("warm", "w"))
		s, _ := lease(t, m, "warm") // so that the watch stands
		require.NoError(t, s.Close())
		synctest.Wait()
		var once sync.Once
		ctx := hawser.WithTrace(t.Context(), &hawser.Trace{Step: func(_ string, st hawser.Step) {
			if st.Phase == hawser.PhaseLookup {
				once.Do(func() {
					edit(t, m, "bank", func(c *hawser.Connection) { c.Host = "b" })
					synctest.Wait()
				})
			}
		}})
		s, err := m.Open(ctx, "bank")
		require.NoError(t, err)
		inner, _ := hawser.As[*poolSession](s)
		t.Log(inner.at)
		require.NoError(t, s.Close())
		time.Sleep(50 * time.Second)
		require.True(t, inner.at == "b:21 first" || inner.closed.Load(), "old session still open 50 s after the change")
	})
}

// gated holds one answer back.
type gated struct {
	*hawser.Memory
	gate chan struct{}
	on   atomic.Bool
}

func (g *gated) Lookup(ctx context.Context, name string) (hawser.Connection, error) {
	c, err := g.Memory.Lookup(ctx, name)
	if name == "bank" && g.on.CompareAndSwap(true, false) {
		<-g.gate
	}
	return c, err
}

// The lookup was under way when the change was told.
func TestAnswerThatWasOvertakenByAChangeIsFollowed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		reg := &gated{Memory: hawser.NewMemory(job("bank", "a"), job("warm", "w")), gate: make(chan struct{})}
		m := &hawser.Manager{Registry: reg, Dialer: &fakeServers{}}
		t.Cleanup(func() { _ = m.Close() })
		lease(t, m, "warm")
		synctest.Wait()
		reg.on.Store(true)
		var old *poolSession
		go func() {
			s, err := m.Open(t.Context(), "bank")
			if assert.NoError(t, err) {
				old, _ = hawser.As[*poolSession](s)
				assert.NoError(t, s.Close())
			}
		}()
		synctest.Wait()
		c := job("bank", "b")
		c.Revision = hawser.AnyRevision
		_, err := reg.Put(t.Context(), c)
		require.NoError(t, err)
		synctest.Wait()
		close(reg.gate)
		time.Sleep(50 * time.Second)
		synctest.Wait()
		require.True(t, old.at == "b:21 first" || old.closed.Load(), old.at)
	})
}

// Also where no old definition may serve.
func TestRefreshGoesOnUntilTheRegistryAnswers(t *testing.T) {
	t.Parallel()
	for _, stale := range []time.Duration{-1, 0} {
		t.Run(fmt.Sprint(stale), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				reg := &flaky{Memory: hawser.NewMemory(job("bank", "a"))}
				m := &hawser.Manager{Stale: stale, Registry: reg, Dialer: &fakeServers{}}
				t.Cleanup(func() { _ = m.Close() })
				s, old := lease(t, m, "bank")
				require.NoError(t, s.Close())
				synctest.Wait()
				reg.mu.Lock()
				reg.broken = errDown
				reg.mu.Unlock()
				c := job("bank", "b")
				c.Revision = hawser.AnyRevision
				_, err := reg.Put(t.Context(), c)
				require.NoError(t, err)
				synctest.Wait()
				reg.mu.Lock()
				reg.broken = nil
				reg.mu.Unlock()
				time.Sleep(30 * time.Second)
				require.True(t, old.closed.Load())
			})
		})
	}
}
