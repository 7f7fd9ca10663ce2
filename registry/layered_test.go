package registry_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/registry"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func ExampleLayered() {
	ctx := context.Background()
	environment, err := registry.Environment([]string{"HAWSER_CONN_BANK=sftp://joe@localhost:2222?auth.agent=true"}) // os.Environ()
	if err != nil {
		fmt.Println(err)
		return
	}
	stored := hawser.NewMemory(
		hawser.Connection{Name: "bank", Protocol: hawser.SFTP, Host: "sftp.bank.example", Auth: hawser.Auth{User: "joe", Agent: true}},
		hawser.Connection{Name: "shop", Protocol: hawser.SFTP, Host: "sftp.shop.example", Auth: hawser.Auth{User: "joe", Agent: true}},
	)
	all := &registry.Layered{Layers: []registry.Layer{
		{Name: "environment", Registry: environment},
		{Name: "stored", Registry: stored},
	}}
	for _, name := range []string{"bank", "shop"} {
		c, err := all.Lookup(ctx, name)
		fmt.Println(c.Name, c.Host, c.Revision, err)
	}
	why, _ := all.Explain(ctx, "bank")
	fmt.Print(why)
	// Output:
	// bank localhost environment:1 <nil>
	// shop sftp.shop.example stored:2 <nil>
	// bank: of layer environment
	//   environment: used, revision environment:1
	//   stored: hidden, revision stored:1; differs in host ("sftp.bank.example" here, "localhost" used), port (unset here, 2222 used)
}

// layers returns a Layered of three layers, "env", "file" and "etcd".
func layers(env, file, etcd hawser.Registry) *registry.Layered {
	return &registry.Layered{Layers: []registry.Layer{{Name: "env", Registry: env}, {Name: "file", Registry: file}, {Name: "etcd", Registry: etcd}}}
}

func TestLayeredLookup(t *testing.T) {
	t.Parallel()
	env, file, etcd := hawser.NewMemory(conn("a", "env")), hawser.NewMemory(conn("a", "file"), conn("b", "file")), hawser.NewMemory(conn("b", "etcd"), conn("c", "etcd"))
	t.Run("finds the definition of the first layer that has one", func(t *testing.T) {
		t.Parallel()
		l := layers(env, file, etcd)
		for name, want := range map[string]string{"a": "env", "b": "file", "c": "etcd"} {
			c, err := l.Lookup(t.Context(), name)
			require.NoError(t, err)
			assert.Equal(t, want, c.Host)
			assert.Contains(t, c.Revision, want+":")
		}
		assert.Equal(t, []string{"a", "b", "c"}, namesOf(t, l))
	})
	t.Run("fails where a layer fails, and names it", func(t *testing.T) {
		t.Parallel()
		l := layers(env, down(), etcd)
		_, err := l.Lookup(t.Context(), "c")
		require.EqualError(t, err, "layer file: server is down")
		require.NotErrorIs(t, err, hawser.ErrNotFound)
		_, err = l.Lookup(t.Context(), "a")
		require.NoError(t, err, "a layer above has the name, so the one that fails is not asked")
		for c, err := range l.All(t.Context()) {
			assert.Empty(t, c.Name)
			assert.EqualError(t, err, "layer file: server is down")
		}
	})
	t.Run("names the layers that do not have the name", func(t *testing.T) {
		t.Parallel()
		_, err := layers(env, file, etcd).Lookup(t.Context(), "d")
		require.EqualError(t, err, `connection not found: "d" is in none of the layers (env, file, etcd)`)
	})
	t.Run("gives the context's own error", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		l := layers(cancelling{Registry: bare(), cancel: cancel}, file, etcd)
		_, err := l.Lookup(ctx, "a")
		require.Equal(t, context.Canceled, err)
	})
	t.Run("of no layers finds nothing", func(t *testing.T) {
		t.Parallel()
		var l registry.Layered
		_, err := l.Lookup(t.Context(), "a")
		require.ErrorIs(t, err, hawser.ErrNotFound)
		assert.Empty(t, namesOf(t, &l))
		_, err = l.Put(t.Context(), conn("a", "x"))
		require.ErrorIs(t, err, errors.ErrUnsupported)
	})
}

// cancelling gives up the caller's context while it is asked.
type cancelling struct {
	hawser.Registry
	cancel context.CancelFunc
}

func (c cancelling) Lookup(ctx context.Context, name string) (hawser.Connection, error) {
	c.cancel()
	return c.Registry.Lookup(ctx, name)
}

func TestLayeredRefusesLayersThatCannotBeToldApart(t *testing.T) {
	t.Parallel()
	for want, layers := range map[string][]registry.Layer{
		`layer 1 is called ""; want a name without a colon`:    {{Registry: bare()}},
		`layer 2 is called "a:b"; want a name without a colon`: {{Name: "a", Registry: bare()}, {Name: "a:b", Registry: bare()}},
		`two layers are called "a"`:                            {{Name: "a", Registry: bare()}, {Name: "a", Registry: bare()}},
		`layer a has no Registry`:                              {{Name: "a"}},
	} {
		l := &registry.Layered{Layers: layers}
		_, err := l.Lookup(t.Context(), "x")
		require.EqualError(t, err, want)
		_, err = l.Put(t.Context(), conn("x", "x"))
		require.EqualError(t, err, want)
		_, err = l.Watch(t.Context())
		require.EqualError(t, err, want)
		_, err = l.Explain(t.Context(), "x")
		require.EqualError(t, err, want)
		require.EqualError(t, l.Delete(t.Context(), "x", "*"), want)
		for _, err := range l.All(t.Context()) {
			require.EqualError(t, err, want)
		}
	}
}

func TestLayeredPut(t *testing.T) {
	t.Parallel()
	env, err := registry.Environment([]string{"HAWSER_CONN_A=" + conn("", "env").URL()})
	require.NoError(t, err)
	open := func() (l *registry.Layered, file, etcd *hawser.Memory) {
		file, etcd = hawser.NewMemory(conn("a", "file"), conn("b", "file")), hawser.NewMemory(conn("b", "etcd"), conn("c", "etcd"))
		return layers(env, file, etcd), file, etcd
	}
	t.Run("changes the connection where it is", func(t *testing.T) {
		t.Parallel()
		l, file, etcd := open()
		c, err := l.Lookup(t.Context(), "c")
		require.NoError(t, err)
		c.Host = "new"
		put, err := l.Put(t.Context(), c)
		require.NoError(t, err)
		assert.Equal(t, "etcd:3", put.Revision)
		_, err = file.Lookup(t.Context(), "c")
		require.ErrorIs(t, err, hawser.ErrNotFound, "the layer above")
		stored, err := etcd.Lookup(t.Context(), "c")
		require.NoError(t, err)
		assert.Equal(t, "new", stored.Host)
		_, err = l.Put(t.Context(), c)
		require.EqualError(t, err, `layer etcd: connection was changed by someone else: "c" is at revision 3, not 2`)
	})
	t.Run("puts a new connection into the first layer that can be changed", func(t *testing.T) {
		t.Parallel()
		l, file, _ := open()
		put, err := l.Put(t.Context(), conn("new", "x"))
		require.NoError(t, err)
		assert.Equal(t, "file:3", put.Revision)
		_, err = file.Lookup(t.Context(), "new")
		require.NoError(t, err)
	})
	t.Run("refuses a new connection that any layer has", func(t *testing.T) {
		t.Parallel()
		l, _, _ := open()
		_, err := l.Put(t.Context(), conn("c", "x"))
		require.EqualError(t, err, `connection was changed by someone else: "c" exists already, in layer etcd`)
	})
	t.Run("refuses what would be hidden by a layer that cannot be changed", func(t *testing.T) {
		t.Parallel()
		l, file, _ := open()
		c, err := l.Lookup(t.Context(), "a")
		require.NoError(t, err)
		for _, revision := range []string{c.Revision, hawser.AnyRevision} {
			c.Revision = revision
			_, err = l.Put(t.Context(), c)
			require.ErrorIs(t, err, errors.ErrUnsupported)
			require.EqualError(t, err, `unsupported operation: "a" is of layer env, which cannot be changed`)
		}
		require.ErrorIs(t, l.Delete(t.Context(), "a", c.Revision), errors.ErrUnsupported)
		stored, err := file.Lookup(t.Context(), "a")
		require.NoError(t, err)
		assert.Equal(t, "1", stored.Revision, "the layer below")
	})
	t.Run("conflicts with a definition that came into a layer above", func(t *testing.T) {
		t.Parallel()
		l, file, etcd := open()
		c, err := l.Lookup(t.Context(), "c")
		require.NoError(t, err)
		_, err = file.Put(t.Context(), conn("c", "override"))
		require.NoError(t, err)
		_, err = l.Put(t.Context(), c)
		require.ErrorIs(t, err, hawser.ErrConflict)
		require.EqualError(t, err, `connection was changed by someone else: "c" is at revision file:3, not etcd:2`)
		require.ErrorIs(t, l.Delete(t.Context(), "c", c.Revision), hawser.ErrConflict)
		stored, err := etcd.Lookup(t.Context(), "c")
		require.NoError(t, err)
		assert.Equal(t, "etcd", stored.Host)
	})
	t.Run("changes nothing while a layer above fails", func(t *testing.T) {
		t.Parallel()
		_, file, etcd := open()
		l := layers(file, down(), etcd)
		_, err := l.Put(t.Context(), conn("new", "x"))
		require.EqualError(t, err, "layer file: server is down")
		assert.Equal(t, []string{"a", "b"}, namesOf(t, file))
	})
}

func TestLayeredDelete(t *testing.T) {
	t.Parallel()
	file, etcd := hawser.NewMemory(conn("b", "file")), hawser.NewMemory(conn("b", "etcd"), conn("c", "etcd"))
	l := layers(bare(), file, etcd)
	err := l.Delete(t.Context(), "b", hawser.AnyRevision)
	require.ErrorIs(t, err, registry.ErrShadow)
	require.EqualError(t, err, `another layer has a connection of this name: "b" of layer etcd would be uncovered by deleting that of layer file; delete it there first`)
	assert.Equal(t, []string{"b"}, namesOf(t, file))
	require.NoError(t, l.Delete(t.Context(), "c", "etcd:2"))
	require.NoError(t, etcd.Delete(t.Context(), "b", hawser.AnyRevision))
	require.NoError(t, l.Delete(t.Context(), "b", "file:1"))
	assert.Empty(t, namesOf(t, l))
	_, err = file.Put(t.Context(), conn("d", "file"))
	require.NoError(t, err)
	require.EqualError(t, layers(bare(), file, down()).Delete(t.Context(), "d", "*"), "layer etcd: server is down", "whether it has the name is not known")
	assert.Equal(t, []string{"d"}, namesOf(t, file))
}

func TestLayeredVersion(t *testing.T) {
	t.Parallel()
	file := hawser.NewMemory()
	unversioned := struct {
		hawser.Registry
		hawser.Writer
	}{file, file}
	l := layers(bare(), unversioned, hawser.NewMemory())
	version := l.Version()
	_, err := l.Put(t.Context(), conn("a", "x"))
	require.NoError(t, err)
	assert.Greater(t, l.Version(), version, "after a Put into a layer without a Version")
	version = l.Version()
	require.NoError(t, l.Delete(t.Context(), "a", hawser.AnyRevision))
	assert.Greater(t, l.Version(), version, "after a Delete")
	l = layers(file, hawser.NewMemory(), bare())
	version = l.Version()
	_, err = file.Put(t.Context(), conn("a", "x"))
	require.NoError(t, err)
	assert.Greater(t, l.Version(), version, "after a Put into the layer itself")
}
