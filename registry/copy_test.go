package registry_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/registry"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func ExampleCopy() {
	ctx := context.Background()
	bank := hawser.Connection{Name: "bank", Protocol: hawser.FTP, Host: "ftp.bank.example", Auth: hawser.Auth{Anonymous: true}}
	shop := hawser.Connection{Name: "shop", Protocol: hawser.FTP, Host: "ftp.shop.example", Auth: hawser.Auth{Anonymous: true}}
	src, dst := hawser.NewMemory(bank, shop), hawser.NewMemory(bank)
	for _, existing := range []registry.Existing{registry.Refuse, registry.Skip, registry.Replace} {
		done, err := registry.Copy(ctx, dst, src, existing)
		fmt.Println(done.Created, done.Replaced, done.Skipped, err)
	}
	// Output:
	// [] [] [] connection was changed by someone else: "bank" exists already
	// [shop] [] [bank] <nil>
	// [] [bank shop] [] <nil>
}

func TestCopy(t *testing.T) {
	t.Parallel()
	t.Run("carries secrets and hops over", func(t *testing.T) {
		t.Parallel()
		c := viaConn("a", "h", "zz")
		c.Auth.Password = hawser.NewSecret("hunter2")
		gate := conn("zz", "gate")
		gate.Protocol = hawser.SSH
		dst := &hawser.Memory{}
		done, err := registry.Copy(t.Context(), dst, hawser.NewMemory(append(many(), c, gate)...), registry.Refuse)
		require.NoError(t, err)
		assert.Len(t, done.Created, len(many())+2)
		got, err := dst.Lookup(t.Context(), "a")
		require.NoError(t, err)
		assert.Equal(t, "hunter2", got.Auth.Password.Reveal())
		assert.Equal(t, "zz", got.Via)
	})
	t.Run("changes nothing if a name is there that must not be", func(t *testing.T) {
		t.Parallel()
		dst := hawser.NewMemory(conn("b", "old"), conn("c", "old"))
		done, err := registry.Copy(t.Context(), dst, hawser.NewMemory(conn("a", "x"), conn("b", "x"), conn("c", "x")), registry.Refuse)
		require.ErrorIs(t, err, hawser.ErrConflict)
		require.EqualError(t, err, "connection was changed by someone else: \"b\" exists already\nconnection was changed by someone else: \"c\" exists already")
		assert.Empty(t, done)
		assert.Equal(t, []string{"b", "c"}, namesOf(t, dst))
	})
	t.Run("goes on behind a connection that is refused", func(t *testing.T) {
		t.Parallel()
		dst := &hawser.Memory{}
		done, err := registry.Copy(t.Context(), dst, hawser.NewMemory(conn("a", ""), conn("b", "x")), registry.Replace)
		require.ErrorIs(t, err, hawser.ErrInvalid)
		require.ErrorContains(t, err, `"a": host: is empty`)
		assert.Equal(t, registry.Copied{Created: []string{"b"}}, done)
	})
	t.Run("refuses what is there also in a Writer that cannot be read", func(t *testing.T) {
		t.Parallel()
		dst := hawser.NewMemory(conn("a", "old"))
		done, err := registry.Copy(t.Context(), struct{ hawser.Writer }{dst}, hawser.NewMemory(conn("a", "x"), conn("b", "x")), registry.Refuse)
		require.ErrorIs(t, err, hawser.ErrConflict)
		assert.Equal(t, registry.Copied{Created: []string{"b"}}, done)
	})
	t.Run("copies nothing of a source that fails", func(t *testing.T) {
		t.Parallel()
		_, err := registry.Copy(t.Context(), &hawser.Memory{}, down(), registry.Skip)
		require.EqualError(t, err, "source: server is down")
		_, err = registry.Copy(t.Context(), down(), hawser.NewMemory(conn("a", "x")), registry.Refuse)
		require.EqualError(t, err, "destination: server is down")
		_, err = registry.Copy(t.Context(), down(), hawser.NewMemory(conn("a", "x")), registry.Skip)
		require.EqualError(t, err, `"a": server is down`)
	})
	t.Run("ends with its context", func(t *testing.T) {
		t.Parallel()
		_, err := registry.Copy(ended(t), &hawser.Memory{}, hawser.NewMemory(conn("a", "x")), registry.Skip)
		require.ErrorIs(t, err, context.Canceled)
	})
}
