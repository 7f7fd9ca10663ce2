package hawser_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func phases(r hawser.Report) []hawser.Phase {
	var list []hawser.Phase
	for _, s := range r.Steps {
		list = append(list, s.Phase)
	}
	return list
}

func TestManagerTest(t *testing.T) {
	t.Parallel()
	t.Run("reports every step, also those of the driver, and closes", func(t *testing.T) {
		t.Parallel()
		s := &fakeSession{}
		d := &fakeDialer{dial: func(ctx context.Context, c hawser.Connection) (hawser.Session, error) {
			for _, trace := range hawser.ContextTraces(ctx) {
				trace.Step(c.Name, hawser.Step{Phase: hawser.PhaseConnect, Detail: "192.0.2.1:21"})
			}
			return s, nil
		}}
		r := newManager(t, d).Test(t.Context(), valid(ftp))
		require.NoError(t, r.Err)
		require.Equal(t, "bank", r.Name)
		require.Equal(t, []hawser.Phase{hawser.PhaseLookup, hawser.PhaseSecrets, hawser.PhaseConnect, hawser.PhaseProbe}, phases(r))
		require.Equal(t, 1, s.closes())
	})
	t.Run("lists the login directory of a file system", func(t *testing.T) {
		t.Parallel()
		d := &fakeDialer{dial: func(context.Context, hawser.Connection) (hawser.Session, error) {
			return wrapped{fileSession{&fakeSession{pingErr: errFake}, newFiles()}}, nil
		}}
		r := newManager(t, d).Test(t.Context(), valid(ftp))
		require.NoError(t, r.Err)
		require.Equal(t, "2 entries in the login directory", r.Steps[len(r.Steps)-1].Detail)
	})
	t.Run("pings what is no file system, and reports its failure", func(t *testing.T) {
		t.Parallel()
		s := &fakeSession{pingErr: errFake}
		d := &fakeDialer{dial: func(context.Context, hawser.Connection) (hawser.Session, error) { return s, nil }}
		r := newManager(t, d).Test(t.Context(), valid(smtp))
		require.ErrorIs(t, r.Err, errFake)
		require.EqualError(t, r.Err, "test bank: smtp bank.example.com:587: probe: fake failure")
		require.Equal(t, r.Err, r.Steps[len(r.Steps)-1].Err)
		require.Equal(t, 1, s.closes())
	})
	t.Run("tests what is not saved, and has no name", func(t *testing.T) {
		t.Parallel()
		c := valid(ftp)
		c.Name = ""
		require.NoError(t, newManager(t, &fakeDialer{}).Test(t.Context(), c).Err)
	})
	t.Run("ends with the step that failed", func(t *testing.T) {
		t.Parallel()
		c := valid(ftp)
		c.Host = ""
		r := newManager(t, &fakeDialer{}).Test(t.Context(), c)
		require.ErrorIs(t, r.Err, hawser.ErrInvalid)
		require.Equal(t, []hawser.Phase{hawser.PhaseLookup}, phases(r))
		require.Equal(t, r.Err, r.Steps[0].Err)
	})
	t.Run("fills in hops anew and changes nothing of its argument", func(t *testing.T) {
		t.Parallel()
		d := &fakeDialer{}
		c := named("bank", ssh, "jump")
		c.Hops = []hawser.Connection{named("stale", ssh, "")}
		require.NoError(t, newManager(t, d, named("jump", ssh, "")).Test(t.Context(), c).Err)
		require.Len(t, d.last().Hops, 1)
		require.Equal(t, "jump", d.last().Hops[0].Name)
		require.Equal(t, "stale", c.Hops[0].Name)
	})
	t.Run("tells the traces of its context too", func(t *testing.T) {
		t.Parallel()
		told := 0
		ctx := hawser.WithTrace(t.Context(), &hawser.Trace{Step: func(string, hawser.Step) { told++ }})
		r := newManager(t, &fakeDialer{}).Test(ctx, valid(ftp))
		require.Len(t, r.Steps, told)
	})
}

func TestManagerTestAll(t *testing.T) {
	t.Parallel()
	conns := func(n int) []hawser.Connection {
		list := make([]hawser.Connection, n)
		for i := range list {
			list[i] = named(fmt.Sprintf("c%03d", i), ftp, "")
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
				n := now.Add(1)
				defer now.Add(-1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
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
