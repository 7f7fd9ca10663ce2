package sql

import (
	"context"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
)

func farFuture() time.Time { return time.Now().Add(24 * time.Hour) }

func entries(t *testing.T, seq iter.Seq2[Entry, error]) []Entry {
	t.Helper()
	var all []Entry
	for e, err := range seq {
		require.NoError(t, err)
		all = append(all, e)
	}
	return all
}

// told is what entries say, without their times.
func told(t *testing.T, seq iter.Seq2[Entry, error]) []string {
	t.Helper()
	var lines []string
	for _, e := range entries(t, seq) {
		lines = append(lines, fmt.Sprintf("%s %s %s by %s", e.Revision, e.Action, e.Name, e.By))
	}
	return lines
}

func putHost(t *testing.T, r *Registry, name, host string) hawser.Connection {
	t.Helper()
	c := sample(name)
	c.Host, c.Revision = host, hawser.AnyRevision
	c, err := r.Put(t.Context(), c)
	require.NoError(t, err)
	return c
}

func TestHistory(t *testing.T) {
	t.Parallel()
	t.Run("tells who did what, the newest first, also of what was deleted", func(t *testing.T) {
		t.Parallel()
		before := time.Now().Add(-time.Second)
		r := newPlace(t, wal).open(t, Options{Actor: "jobs"})
		putHost(t, r, "bank", "one.example")
		putHost(t, r, "shop", "shop.example")
		c := putHost(t, r, "bank", "two.example")
		require.NoError(t, r.Delete(WithActor(t.Context(), "alice\x00\x1b"), "bank", c.Revision))
		assert.Equal(t, []string{`4 delete bank by alice\x00\x1b`, "3 put bank by jobs", "1 put bank by jobs"}, told(t, r.History(t.Context(), "bank")))
		assert.Empty(t, told(t, r.History(t.Context(), "never")))
		assert.Empty(t, told(t, r.History(t.Context(), "bank\x00")))
		for _, e := range entries(t, r.History(t.Context(), "bank")) {
			assert.WithinRange(t, e.At, before, time.Now().Add(time.Second))
		}
	})
	t.Run("has the definition of then", func(t *testing.T) {
		t.Parallel()
		r := newPlace(t, wal).open(t, Options{Key: newKey(t)})
		c, err := r.Put(t.Context(), withPassword("bank", "first secret"))
		require.NoError(t, err)
		c.Auth.Password = hawser.NewSecret("second secret")
		_, err = r.Put(t.Context(), c)
		require.NoError(t, err)
		require.NoError(t, r.Delete(t.Context(), "bank", hawser.AnyRevision))
		all := entries(t, r.History(t.Context(), "bank"))
		require.Len(t, all, 3)
		_, err = all[0].Connection()
		assert.ErrorIs(t, err, hawser.ErrNotFound)
		for i, want := range map[int]string{1: "second secret", 2: "first secret"} {
			c, err := all[i].Connection()
			require.NoError(t, err)
			assert.Equal(t, want, c.Auth.Password.Reveal())
			assert.Equal(t, all[i].Revision, c.Revision)
		}
	})
	t.Run("is read in pages", func(t *testing.T) {
		t.Parallel()
		const many = 250
		r := newPlace(t, wal).open(t, Options{})
		for i := range many {
			putHost(t, r, "bank", fmt.Sprintf("h%d.example", i))
		}
		all := entries(t, r.History(t.Context(), "bank"))
		require.Len(t, all, many)
		assert.Equal(t, "1", all[many-1].Revision)
		assert.Len(t, entries(t, r.Log(t.Context(), "")), many)
		for range r.History(t.Context(), "bank") {
			break // which holds nothing up
		}
		putHost(t, r, "bank", "last.example")
	})
	t.Run("ends with its context", func(t *testing.T) {
		t.Parallel()
		r := newPlace(t, wal).open(t, Options{})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for _, seq := range []iter.Seq2[Entry, error]{r.History(ctx, "bank"), r.History(ctx, "\x00"), r.Log(ctx, "")} {
			var last error
			for _, err := range seq {
				last = err
			}
			assert.ErrorIs(t, last, context.Canceled)
		}
	})
}

func TestLog(t *testing.T) {
	t.Parallel()
	r := newPlace(t, wal).open(t, Options{Actor: "jobs"})
	putHost(t, r, "bank", "one.example")
	putHost(t, r, "shop", "shop.example")
	require.NoError(t, r.Delete(t.Context(), "bank", hawser.AnyRevision))
	assert.Equal(t, []string{"1 put bank by jobs", "2 put shop by jobs", "3 delete bank by jobs"}, told(t, r.Log(t.Context(), "")))
	assert.Equal(t, []string{"3 delete bank by jobs"}, told(t, r.Log(t.Context(), "2")))
	assert.Empty(t, told(t, r.Log(t.Context(), "3")))
	for _, err := range r.Log(t.Context(), "yesterday") {
		assert.ErrorIs(t, err, hawser.ErrInvalid)
	}
}

func TestRollback(t *testing.T) {
	t.Parallel()
	t.Run("stores an old definition as a new revision", func(t *testing.T) {
		t.Parallel()
		r := newPlace(t, wal).open(t, Options{Key: newKey(t), Actor: "jobs"})
		first, err := r.Put(t.Context(), withPassword("bank", "old secret"))
		require.NoError(t, err)
		second := putHost(t, r, "bank", "two.example")
		back, err := r.Rollback(t.Context(), "bank", first.Revision, second.Revision)
		require.NoError(t, err)
		assert.Equal(t, "3", back.Revision)
		assert.True(t, first.Equivalent(back))
		got, err := r.Lookup(t.Context(), "bank")
		require.NoError(t, err)
		assert.Equal(t, "old secret", got.Auth.Password.Reveal())
		assert.Equal(t, back.Revision, got.Revision)
		assert.Equal(t, []string{"3 rollback bank by jobs", "2 put bank by jobs", "1 put bank by jobs"}, told(t, r.History(t.Context(), "bank")))
	})
	t.Run("brings back what was deleted, without a key too", func(t *testing.T) {
		t.Parallel()
		p, key := newPlace(t, wal), newKey(t)
		r := p.open(t, Options{Key: key})
		first, err := r.Put(t.Context(), withPassword("bank", "old secret"))
		require.NoError(t, err)
		require.NoError(t, r.Delete(t.Context(), "bank", first.Revision))
		keyless := p.open(t, Options{})
		_, err = keyless.Rollback(t.Context(), "bank", "2", "")
		require.ErrorContains(t, err, `revision 2 of "bank" is its deletion`)
		back, err := keyless.Rollback(t.Context(), "bank", first.Revision, "")
		require.NoError(t, err)
		assert.Contains(t, back.Auth.Password.Ref(), "sealed:")
		got, err := r.Lookup(t.Context(), "bank")
		require.NoError(t, err)
		assert.Equal(t, "old secret", got.Auth.Password.Reveal())
	})
	t.Run("compares first", func(t *testing.T) {
		t.Parallel()
		r := newPlace(t, wal).open(t, Options{})
		putHost(t, r, "bank", "one.example")
		putHost(t, r, "bank", "two.example")
		for _, expected := range []string{"1", "", "7"} {
			_, err := r.Rollback(t.Context(), "bank", "1", expected)
			assert.ErrorIs(t, err, hawser.ErrConflict, "expected %q", expected)
		}
		got, err := r.Lookup(t.Context(), "bank")
		require.NoError(t, err)
		assert.Equal(t, "two.example", got.Host)
	})
	t.Run("finds only what that connection had", func(t *testing.T) {
		t.Parallel()
		r := newPlace(t, wal).open(t, Options{})
		putHost(t, r, "bank", "one.example")
		putHost(t, r, "shop", "shop.example")
		for _, to := range []string{"2", "3", "", "x", "0"} {
			_, err := r.Rollback(t.Context(), "bank", to, hawser.AnyRevision)
			assert.ErrorIs(t, err, hawser.ErrNotFound, "to %q", to)
		}
	})
	t.Run("refuses what is not valid any more", func(t *testing.T) {
		t.Parallel()
		p := newPlace(t, wal)
		r := p.open(t, Options{})
		putHost(t, r, "bank", "one.example")
		_, err := p.handle(t).ExecContext(t.Context(), `UPDATE hawser_history SET definition = '{"name":"bank","protocol":"sftp","host":""}'`)
		require.NoError(t, err)
		_, err = r.Rollback(t.Context(), "bank", "1", hawser.AnyRevision)
		assert.ErrorIs(t, err, hawser.ErrInvalid)
	})
}

func TestPrune(t *testing.T) {
	t.Parallel()
	r := newPlace(t, wal).open(t, Options{Actor: "jobs"})
	putHost(t, r, "bank", "one.example")
	putHost(t, r, "bank", "two.example")
	putHost(t, r, "gone", "gone.example")
	require.NoError(t, r.Delete(t.Context(), "gone", hawser.AnyRevision))
	n, err := r.Prune(t.Context(), time.Now().Add(-time.Hour))
	require.NoError(t, err)
	assert.Zero(t, n)
	version := r.Version()
	n, err = r.Prune(t.Context(), farFuture())
	require.NoError(t, err)
	assert.EqualValues(t, 3, n)
	assert.Equal(t, []string{"2 put bank by jobs"}, told(t, r.Log(t.Context(), "")), "what is there keeps its entry")
	assert.Equal(t, version, r.Version(), "no definition has changed")
	assert.Equal(t, "5", putHost(t, r, "gone", "gone.example").Revision, "a revision never comes twice")
	for _, since := range []string{"1", "3"} {
		n := 0
		for _, err := range r.Log(t.Context(), since) {
			assert.ErrorIs(t, err, hawser.ErrNotFound)
			n++
		}
		assert.Equal(t, 1, n)
	}
	assert.Equal(t, []string{"5 put gone by jobs"}, told(t, r.Log(t.Context(), "4")))
}
