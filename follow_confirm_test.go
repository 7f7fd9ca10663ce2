package hawser_test

import (
	"context"
	"fmt"
	"iter"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/require"
)

// The age of a definition counts from when the Registry last stood by it.
func TestAWatchConfirmsWhatItDoesNotTellOf(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		reg := &flaky{Memory: hawser.NewMemory(job("bank", "a"), job("other", "x"))}
		m := &hawser.Manager{Registry: reg, Dialer: &fakeServers{}}
		t.Cleanup(func() { _ = m.Close() })
		s, _ := lease(t, m, "bank")
		require.NoError(t, s.Close())
		synctest.Wait()
		s, _ = lease(t, m, "bank")
		require.NoError(t, s.Close())
		time.Sleep(time.Hour)
		s, _ = lease(t, m, "bank") // works, without a lookup
		require.NoError(t, s.Close())
		reg.mu.Lock()
		reg.broken = errDown
		reg.mu.Unlock()
		c := job("other", "y") // another name is put: the Version grows
		c.Revision = hawser.AnyRevision
		_, err := reg.Put(t.Context(), c)
		require.NoError(t, err)
		synctest.Wait()
		_, err = m.Open(t.Context(), "bank")
		require.NoError(t, err)
	})
}

// briefWatch is a Registry whose watch ends at once.
type briefWatch struct {
	*hawser.Memory
	lookups, watches atomic.Int64
}

func (b *briefWatch) Lookup(ctx context.Context, name string) (hawser.Connection, error) {
	b.lookups.Add(1)
	return b.Memory.Lookup(ctx, name)
}

func (b *briefWatch) Watch(context.Context) (iter.Seq2[hawser.Change, error], error) {
	b.watches.Add(1)
	return func(yield func(hawser.Change, error) bool) { yield(hawser.Change{}, errDown) }, nil
}

// Each try has all names looked up.
func TestAWatchThatEndsAtOnceIsTriedLessAndLess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var conns []hawser.Connection
		for i := range 100 {
			c := job(fmt.Sprint("n", i), fmt.Sprint("h", i))
			c.Limits.Idle = time.Hour
			conns = append(conns, c)
		}
		reg := &briefWatch{Memory: hawser.NewMemory(conns...)}
		m := &hawser.Manager{Registry: reg, Dialer: &fakeServers{}}
		t.Cleanup(func() { _ = m.Close() })
		for i := range 100 {
			s, _ := lease(t, m, fmt.Sprint("n", i))
			require.NoError(t, s.Close())
		}
		w, l := reg.watches.Load(), reg.lookups.Load()
		time.Sleep(time.Minute)
		t.Log("in a minute: watches", reg.watches.Load()-w, "lookups", reg.lookups.Load()-l)
		require.Less(t, reg.watches.Load()-w, int64(60))
	})
}

// Also with sessions that had ended before.
func TestNamesThatAreGoneAreForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		memory := hawser.NewMemory()
		m := &hawser.Manager{Registry: memory, Dialer: &fakeServers{}}
		t.Cleanup(func() { _ = m.Close() })
		for i := range 100 {
			c := job(fmt.Sprint("n", i), fmt.Sprint("h", i))
			_, err := memory.Put(t.Context(), c)
			require.NoError(t, err)
			s, _ := lease(t, m, c.Name)
			require.NoError(t, s.Close())
			time.Sleep(2 * time.Minute) // limits.idle
			require.NoError(t, memory.Delete(t.Context(), c.Name, hawser.AnyRevision))
			synctest.Wait()
		}
		time.Sleep(time.Hour)
		require.Empty(t, m.Stats())
	})
}

// An error says whose it is.
func TestCloseDuringALookupNamesTheConnection(t *testing.T) {
	t.Parallel()
	var m *hawser.Manager
	reg := &brokenOne{Registry: hawser.NewMemory()}
	m = &hawser.Manager{Registry: closing{reg, &m}, Dialer: &fakeServers{}}
	_, err := m.Open(t.Context(), "bank")
	require.EqualError(t, err, "open bank: manager is closed: use of closed network connection")
}

type closing struct {
	hawser.Registry
	m **hawser.Manager
}

func (c closing) Lookup(ctx context.Context, name string) (hawser.Connection, error) {
	_ = (*c.m).Close()
	return c.Registry.Lookup(ctx, name)
}

// numbered is a Registry that says the same revision of whatever it has, as one that
// was restored from a backup may.
type numbered struct{ *hawser.Memory }

func (n numbered) Lookup(ctx context.Context, name string) (hawser.Connection, error) {
	c, err := n.Memory.Lookup(ctx, name)
	c.Revision = "1"
	return c, err
}

func TestARevisionIsNoProofThatNothingChanged(t *testing.T) {
	t.Parallel()
	m := &hawser.Manager{Registry: numbered{hawser.NewMemory(job("bank", "a"))}, Dialer: &fakeServers{}}
	t.Cleanup(func() { _ = m.Close() })
	s, _ := lease(t, m, "bank")
	require.NoError(t, s.Close())
	c := job("bank", "b")
	c.Revision = hawser.AnyRevision
	_, err := m.Registry.(hawser.Writer).Put(t.Context(), c)
	require.NoError(t, err)
	_, next := lease(t, m, "bank")
	require.Equal(t, "b:21 first", next.at)
}
