package registry_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/registry"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func ExamplePrefix() {
	ctx := context.Background()
	all := &hawser.Memory{}
	team := registry.Prefix(all, "team-a/")
	_, err := team.(hawser.Writer).Put(ctx, hawser.Connection{
		Name: "bank", Protocol: hawser.SFTP, Host: "sftp.bank.example", Via: "gate",
		Auth: hawser.Auth{User: "joe", Agent: true},
	})
	fmt.Println(err)
	for c, err := range all.All(ctx) {
		fmt.Println(c.Name, "via", c.Via, err)
	}
	for c, err := range team.All(ctx) {
		fmt.Println(c.Name, "via", c.Via, err)
	}
	// Output:
	// <nil>
	// team-a/bank via team-a/gate <nil>
	// bank via gate <nil>
}

func ExampleReadOnly() {
	reg := registry.ReadOnly(hawser.NewMemory())
	_, changes := reg.(hawser.Writer)
	fmt.Println(changes)
	// Output: false
}

func TestPrefix(t *testing.T) {
	t.Parallel()
	t.Run("refuses a Via that leads out of it", func(t *testing.T) {
		t.Parallel()
		reg := registry.Prefix(hawser.NewMemory(
			viaConn("x/a", "h", "y/gate"), viaConn("x/b", "h", "x/gate"), viaConn("x/c", "h", "x/"), conn("x/gate", "h"),
		), "x/")
		_, err := reg.Lookup(t.Context(), "a")
		require.ErrorIs(t, err, hawser.ErrInvalid)
		require.EqualError(t, err, `"a" below "x/": via: leads out of the view, to "y/gate"; want a name that begins with "x/"`)
		_, err = reg.Lookup(t.Context(), "c")
		require.ErrorIs(t, err, hawser.ErrInvalid)
		b, err := reg.Lookup(t.Context(), "b")
		require.NoError(t, err)
		assert.Equal(t, "gate", b.Via)
		var names []string
		var last error
		for c, err := range reg.All(t.Context()) {
			if last = err; err == nil {
				names = append(names, c.Name)
			}
		}
		assert.Equal(t, []string{"b", "gate"}, names)
		require.ErrorContains(t, last, `"a" below "x/"`)
		require.ErrorContains(t, last, `"c" below "x/"`)
	})
	t.Run("keeps what is outside out of reach", func(t *testing.T) {
		t.Parallel()
		all := hawser.NewMemory(conn("x/", "h"), conn("x", "h"), conn("y/bank", "h"))
		reg := registry.Prefix(all, "x/")
		w := reg.(hawser.Writer)
		_, err := reg.Lookup(t.Context(), "bank")
		require.EqualError(t, err, `connection not found: "bank" below "x/"`, "without a suggestion from outside")
		require.EqualError(t, w.Delete(t.Context(), "bank", "*"), `connection not found: "bank" below "x/"`)
		require.ErrorIs(t, w.Delete(t.Context(), "", "*"), hawser.ErrNotFound)
		_, err = reg.Lookup(t.Context(), "")
		require.ErrorIs(t, err, hawser.ErrNotFound)
		_, err = w.Put(t.Context(), conn("", "h"))
		require.ErrorIs(t, err, hawser.ErrInvalid)
		_, err = w.Put(t.Context(), conn(" bank", "h"))
		require.ErrorIs(t, err, hawser.ErrInvalid, "a name that is none in the view")
		assert.Empty(t, namesOf(t, reg))
		assert.Len(t, namesOf(t, all), 3)
	})
	t.Run("tells of its own changes alone", func(t *testing.T) {
		t.Parallel()
		all := &hawser.Memory{}
		reg := registry.Prefix(all, "x/")
		watch, err := reg.(hawser.Watcher).Watch(t.Context())
		require.NoError(t, err)
		for _, name := range []string{"y/a", "x/", "x", "x/b"} {
			_, err := all.Put(t.Context(), conn(name, "h"))
			require.NoError(t, err)
		}
		for change, err := range watch {
			require.NoError(t, err)
			assert.Equal(t, "b", change.Name)
			break
		}
	})
	t.Run("passes on that changes may have been missed", func(t *testing.T) {
		t.Parallel()
		watch, err := registry.Prefix(resyncing{&hawser.Memory{}}, "x/").(hawser.Watcher).Watch(t.Context())
		require.NoError(t, err)
		count := 0
		for change, err := range watch {
			count++
			require.NoError(t, err)
			assert.Empty(t, change.Name)
		}
		assert.Equal(t, 1, count)
	})
	t.Run("is as able as what is below", func(t *testing.T) {
		t.Parallel()
		_, writes := registry.Prefix(bare(), "x/").(hawser.Writer)
		assert.False(t, writes)
		for _, reg := range []hawser.Registry{registry.Prefix(bare(), "x/"), registry.ReadOnly(bare())} {
			_, err := reg.(hawser.Watcher).Watch(t.Context())
			require.ErrorIs(t, err, errors.ErrUnsupported)
			assert.Zero(t, reg.(hawser.Versioner).Version())
		}
	})
	t.Run("has a version that grows with its changes", func(t *testing.T) {
		t.Parallel()
		all := &hawser.Memory{}
		unversioned := struct {
			hawser.Registry
			hawser.Writer
		}{all, all}
		for _, reg := range []hawser.Registry{registry.Prefix(all, "x/"), registry.Prefix(unversioned, "y/")} {
			before := reg.(hawser.Versioner).Version()
			_, err := reg.(hawser.Writer).Put(t.Context(), conn("a", "h"))
			require.NoError(t, err)
			assert.Greater(t, reg.(hawser.Versioner).Version(), before)
		}
		before := registry.ReadOnly(all).(hawser.Versioner).Version()
		require.NoError(t, all.Delete(t.Context(), "x/a", "*"))
		assert.Greater(t, registry.ReadOnly(all).(hawser.Versioner).Version(), before)
	})
	t.Run("passes errors on", func(t *testing.T) {
		t.Parallel()
		reg := registry.Prefix(down(), "x/")
		_, err := reg.Lookup(t.Context(), "a")
		require.EqualError(t, err, "server is down")
		_, err = reg.(hawser.Writer).Put(t.Context(), conn("a", "h"))
		require.EqualError(t, err, "server is down")
		for _, err := range reg.All(t.Context()) {
			require.EqualError(t, err, "server is down")
		}
		watch, err := reg.(hawser.Watcher).Watch(t.Context())
		require.NoError(t, err)
		for _, err := range watch {
			require.EqualError(t, err, "server is down")
		}
	})
}

// resyncing tells once that all may have changed.
type resyncing struct{ *hawser.Memory }

func (r resyncing) Watch(context.Context) (iter.Seq2[hawser.Change, error], error) {
	return func(yield func(hawser.Change, error) bool) { yield(hawser.Change{}, nil) }, nil
}
