package hawser_test

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func put(t *testing.T, m *hawser.Memory, name, revision string) hawser.Connection {
	t.Helper()
	c := named(name, ftp, "")
	c.Revision = revision
	stored, err := m.Put(t.Context(), c)
	require.NoError(t, err)
	return stored
}

func TestMemoryReads(t *testing.T) {
	t.Parallel()
	t.Run("its zero value is empty and works", func(t *testing.T) {
		t.Parallel()
		var m hawser.Memory
		_, err := m.Lookup(t.Context(), "bank")
		require.ErrorIs(t, err, hawser.ErrNotFound)
		require.EqualError(t, err, `connection not found: "bank"`)
		for range m.All(t.Context()) {
			t.Error("yielded something")
		}
		put(t, &m, "bank", "")
	})
	t.Run("it returns copies", func(t *testing.T) {
		t.Parallel()
		given := full()
		given.Name = "bank"
		m := hawser.NewMemory(given)
		want := given.Clone()
		spoil := func(c hawser.Connection) {
			for _, l := range leaves() {
				empty(l, &c)
			}
		}
		spoil(given)
		for range 2 {
			got, err := m.Lookup(t.Context(), "bank")
			require.NoError(t, err)
			requireSame(t, want, got)
			spoil(got)
		}
		for range 2 {
			for got, err := range m.All(t.Context()) {
				require.NoError(t, err)
				requireSame(t, want, got)
				spoil(got)
			}
		}
	})
	t.Run("Put keeps a copy and returns another", func(t *testing.T) {
		t.Parallel()
		var m hawser.Memory
		c := valid("ours")
		c.Extra = map[string]string{"ours.a": "1"}
		stored, err := m.Put(t.Context(), c)
		require.NoError(t, err)
		clear(c.Extra)
		clear(stored.Extra)
		got, err := m.Lookup(t.Context(), "bank")
		require.NoError(t, err)
		require.Equal(t, "1", got.Extra["ours.a"])
	})
	t.Run("it keeps no Hops", func(t *testing.T) {
		t.Parallel()
		c := valid(ftp)
		c.Hops = []hawser.Connection{valid(ssh)}
		var m hawser.Memory
		stored, err := m.Put(t.Context(), c)
		require.NoError(t, err)
		require.Empty(t, stored.Hops)
	})
	t.Run("All goes in name order", func(t *testing.T) {
		t.Parallel()
		var names []string
		for c := range hawser.NewMemory(named("b", ftp, ""), named("c", ftp, ""), named("a", ftp, "")).All(t.Context()) {
			names = append(names, c.Name)
		}
		require.Equal(t, []string{"a", "b", "c"}, names)
	})
	t.Run("the later of two that share a name counts", func(t *testing.T) {
		t.Parallel()
		m := hawser.NewMemory(named("a", ftp, ""), named("a", smtp, ""))
		c, err := m.Lookup(t.Context(), "a")
		require.NoError(t, err)
		require.Equal(t, smtp, c.Protocol)
	})
	t.Run("it may be used inside the loop of All, which goes over what was there", func(t *testing.T) {
		t.Parallel()
		m := hawser.NewMemory(named("a", ftp, ""), named("b", ftp, ""))
		var names []string
		for c, err := range m.All(t.Context()) {
			require.NoError(t, err)
			names = append(names, c.Name)
			put(t, m, c.Name+"2", "")
			put(t, m, c.Name, c.Revision)
			_, err = m.Lookup(t.Context(), c.Name)
			require.NoError(t, err)
			for range m.All(t.Context()) {
				break
			}
		}
		require.Equal(t, []string{"a", "b"}, names)
	})
	t.Run("an ended context ends everything", func(t *testing.T) {
		t.Parallel()
		ctx := canceled(t)
		m := hawser.NewMemory(named("a", ftp, ""))
		_, err := m.Lookup(ctx, "a")
		require.ErrorIs(t, err, context.Canceled)
		_, err = m.Put(ctx, valid(ftp))
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, m.Delete(ctx, "a", hawser.AnyRevision), context.Canceled)
		_, err = m.Watch(ctx)
		require.ErrorIs(t, err, context.Canceled)
		for _, registry := range []*hawser.Memory{m, {}} {
			var errs []error
			for _, err := range registry.All(ctx) {
				errs = append(errs, err)
			}
			require.Equal(t, []error{context.Canceled}, errs)
		}
	})
}

func TestMemoryWrites(t *testing.T) {
	t.Parallel()
	stored := func(t *testing.T) (*hawser.Memory, hawser.Connection) {
		t.Helper()
		m := &hawser.Memory{}
		return m, put(t, m, "bank", "")
	}
	for _, row := range []struct{ name, connection, revision, text string }{
		{"a new one that exists", "bank", "", `connection was changed by someone else: "bank" exists already`},
		{"a revision that has passed", "bank", "0", `connection was changed by someone else: "bank" is at revision 1, not 0`},
		{"a revision of what was deleted", "gone", "7", `connection was changed by someone else: "gone" was deleted`},
	} {
		t.Run("Put refuses "+row.name+" and changes nothing", func(t *testing.T) {
			t.Parallel()
			m, before := stored(t)
			c := named(row.connection, smtp, "")
			c.Revision = row.revision
			_, err := m.Put(t.Context(), c)
			require.ErrorIs(t, err, hawser.ErrConflict)
			require.EqualError(t, err, row.text)
			got, err := m.Lookup(t.Context(), "bank")
			require.NoError(t, err)
			require.Equal(t, before.Revision, got.Revision)
			require.Equal(t, ftp, got.Protocol)
		})
	}
	t.Run("Put refuses what is invalid or has no name", func(t *testing.T) {
		t.Parallel()
		m, _ := stored(t)
		_, err := m.Put(t.Context(), named("", ftp, ""))
		requireFieldError(t, err, "name", "is empty")
		c := named("bad", ftp, "")
		c.Host = ""
		_, err = m.Put(t.Context(), c)
		requireFieldError(t, err, "host", "is empty")
	})
	t.Run("Put refuses a connection of nothing, with every problem", func(t *testing.T) {
		t.Parallel()
		m, _ := stored(t)
		_, err := m.Put(t.Context(), hawser.Connection{})
		require.ErrorIs(t, err, hawser.ErrInvalid)
		for _, word := range []string{"name: is empty", "protocol: is empty", "host: is empty"} {
			require.ErrorContains(t, err, word)
		}
	})
	t.Run("AnyRevision overwrites, and creates", func(t *testing.T) {
		t.Parallel()
		m, _ := stored(t)
		put(t, m, "bank", hawser.AnyRevision)
		put(t, m, "new", hawser.AnyRevision)
	})
	t.Run("Delete wants the stored revision", func(t *testing.T) {
		t.Parallel()
		m, c := stored(t)
		requireFieldError(t, m.Delete(t.Context(), "bank", ""), "revision", "AnyRevision")
		err := m.Delete(t.Context(), "bank", "0")
		require.ErrorIs(t, err, hawser.ErrConflict)
		require.EqualError(t, err, `connection was changed by someone else: "bank" is at revision 1, not 0`)
		require.NoError(t, m.Delete(t.Context(), "bank", c.Revision))
		require.ErrorIs(t, m.Delete(t.Context(), "bank", hawser.AnyRevision), hawser.ErrNotFound)
	})
	t.Run("the revision changes with every change, also delete and new", func(t *testing.T) {
		t.Parallel()
		m, c := stored(t)
		seen := []string{c.Revision}
		for range 3 {
			c = put(t, m, "bank", c.Revision)
			seen = append(seen, c.Revision)
			require.NoError(t, m.Delete(t.Context(), "bank", c.Revision))
			c = put(t, m, "bank", "")
			seen = append(seen, c.Revision)
		}
		slices.Sort(seen)
		require.Len(t, slices.Compact(seen), 7)
		require.NotContains(t, seen, "")
	})
	t.Run("of many who change one revision, one succeeds", func(t *testing.T) {
		t.Parallel()
		m, c := stored(t)
		var wins, losses int
		var mu sync.Mutex // guards both
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				_, err := m.Put(t.Context(), c)
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					wins++
				} else if assert.ErrorIs(t, err, hawser.ErrConflict) {
					losses++
				}
			})
		}
		all.Wait()
		require.Equal(t, 1, wins)
		require.Equal(t, 19, losses)
	})
}
