package etcd

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/hawsertest"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/registry/seal"
)

// patience bounds what happens at once unless the machine is busy.
const patience = 60 * time.Second

// dial returns a client of s that is closed at the end of the test.
func dial(t testing.TB, s *testserver.EtcdServer) *clientv3.Client {
	t.Helper()
	return dialAt(t, s.Endpoints...)
}

func dialAt(t testing.TB, endpoints ...string) *clientv3.Client {
	t.Helper()
	client, err := Dial(t.Context(), Config{Endpoints: endpoints})
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// openAt returns a Registry that is closed at the end of the test.
func openAt(t testing.TB, client *clientv3.Client, o Options) *Registry {
	t.Helper()
	r, err := Open(t.Context(), client, o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return r
}

func newKey(t testing.TB) *seal.Key {
	t.Helper()
	own, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	return seal.Identity(hawser.NewSecret(own.String()))
}

// fill stores conns, a hundred at a time.
func fill(t testing.TB, r *Registry, conns []hawser.Connection) {
	t.Helper()
	for some := range slices.Chunk(conns, 100) {
		var ops []clientv3.Op
		for _, c := range some {
			text, err := r.header.sealer.Marshal(c, nil)
			require.NoError(t, err)
			ops = append(ops, clientv3.OpPut(r.key(c.Name), string(text)))
		}
		_, err := r.client.Txn(t.Context()).Then(ops...).Commit()
		require.NoError(t, err)
	}
}

func sftp(name string) hawser.Connection {
	return hawser.Connection{Name: name, Protocol: hawser.SFTP, Host: "sftp.example.com", Auth: hawser.Auth{User: "jobs", Password: hawser.SecretRef("env:P")}}
}

func TestRegistry(t *testing.T) {
	t.Parallel()
	client := dial(t, testserver.Etcd(t, testserver.EtcdConfig{}))
	for name, key := range map[string]*seal.Key{"with a key": newKey(t), "without a key": nil} {
		t.Run(name, func(t *testing.T) {
			hawsertest.TestRegistry(t, func(t *testing.T, conns ...hawser.Connection) hawser.Registry {
				r := openAt(t, client, Options{Prefix: "/" + rand.Text(), Key: key})
				fill(t, r, conns)
				return r
			})
			hawsertest.TestRegistryHandles(t, func(t *testing.T, n int) []hawser.Registry {
				prefix := "/" + rand.Text()
				all := make([]hawser.Registry, n)
				for i := range all {
					all[i] = openAt(t, client, Options{Prefix: prefix, Key: key})
				}
				return all
			})
		})
	}
}

func TestAll(t *testing.T) {
	t.Parallel()
	client := dial(t, testserver.Etcd(t, testserver.EtcdConfig{}))
	many := make([]hawser.Connection, 3*pageSize+1)
	for i := range many {
		many[i] = sftp(fmt.Sprintf("name %04d", i))
	}
	t.Run("yields what was there when the loop began, over all pages", func(t *testing.T) {
		r := openAt(t, client, Options{Prefix: "one revision"})
		fill(t, r, many)
		got := 0
		for c, err := range r.All(t.Context()) {
			require.NoError(t, err)
			require.Equal(t, many[got].Name, c.Name)
			if got == 0 {
				require.NoError(t, r.Delete(t.Context(), many[len(many)-1].Name, hawser.AnyRevision))
				_, err = r.Put(t.Context(), sftp("name 0300a"))
				require.NoError(t, err)
			}
			got++
		}
		require.Len(t, many, got)
	})
	t.Run("goes on in order where etcd has forgotten the revision", func(t *testing.T) {
		r := openAt(t, client, Options{Prefix: "compacted"})
		fill(t, r, many)
		var names []string
		for c, err := range r.All(t.Context()) {
			require.NoError(t, err)
			if names = append(names, c.Name); len(names) == 1 {
				_, err = r.Put(t.Context(), sftp("name 0300a"))
				require.NoError(t, err)
				compact(t, client)
			}
		}
		require.True(t, slices.IsSorted(names))
		require.Len(t, slices.Compact(names), len(many)+1)
	})
}

// compact makes etcd forget all but the present.
func compact(t testing.TB, client *clientv3.Client) {
	t.Helper()
	now, err := client.Get(t.Context(), "none")
	require.NoError(t, err)
	_, err = client.Compact(t.Context(), now.Header.Revision)
	require.NoError(t, err)
}

func TestOpen(t *testing.T) {
	t.Parallel()
	client := dial(t, testserver.Etcd(t, testserver.EtcdConfig{}))
	t.Run("two nodes that open a new registry at once agree on its key", func(t *testing.T) {
		const nodes = 4
		passphrase := hawser.NewSecret("correct horse")
		results := make(chan error, nodes)
		for range nodes {
			go func() { // ends with Open
				// Each makes an identity of its own, of which one wins.
				_, err := Open(t.Context(), client, Options{Prefix: "agree", Key: seal.Passphrase(passphrase)})
				results <- err
			}()
		}
		for range nodes {
			require.NoError(t, <-results)
		}
	})
	t.Run("a wrong key is refused, and nothing is overwritten", func(t *testing.T) {
		key := newKey(t)
		r := openAt(t, client, Options{Prefix: "sealed", Key: key})
		c := sftp("bank")
		c.Auth.Password = hawser.NewSecret("correct horse")
		_, err := r.Put(t.Context(), c)
		require.NoError(t, err)
		_, err = Open(t.Context(), client, Options{Prefix: "sealed", Key: newKey(t)})
		require.ErrorIs(t, err, seal.ErrKey)
		again := openAt(t, client, Options{Prefix: "sealed", Key: key})
		got, err := again.Lookup(t.Context(), "bank")
		require.NoError(t, err)
		require.True(t, c.Auth.Password.Equal(got.Auth.Password))
	})
	t.Run("a registry that was sealed anew takes nothing of who knows the old key", func(t *testing.T) {
		r := openAt(t, client, Options{Prefix: "anew", Key: newKey(t)})
		_, err := client.Delete(t.Context(), r.header.key)
		require.NoError(t, err)
		openAt(t, client, Options{Prefix: "anew", Key: newKey(t)})
		_, err = r.Put(t.Context(), sftp("bank"))
		require.ErrorIs(t, err, seal.ErrKey)
		_, err = r.Lookup(t.Context(), "bank")
		require.ErrorIs(t, err, hawser.ErrNotFound)
	})
	t.Run("a header with a field of a later version stays as it is", func(t *testing.T) {
		key := newKey(t)
		r := openAt(t, client, Options{Prefix: "later", Key: key})
		later := strings.TrimSuffix(r.header.text, "}") + `,"made":"2027"}`
		_, err := client.Put(t.Context(), r.header.key, later)
		require.NoError(t, err)
		require.NoError(t, put(t, openAt(t, client, Options{Prefix: "later", Key: key}), "bank"))
		got, err := client.Get(t.Context(), r.header.key)
		require.NoError(t, err)
		require.Equal(t, later, string(got.Kvs[0].Value))
	})
	t.Run("an empty prefix is /hawser/, and a slash at the end is added", func(t *testing.T) {
		require.Equal(t, "/hawser/connections/a", openAt(t, client, Options{}).key("a"))
		require.Equal(t, "/x/connections/a", openAt(t, client, Options{Prefix: "/x"}).key("a"))
		require.Equal(t, "/x/connections/a", openAt(t, client, Options{Prefix: "/x/"}).key("a"))
	})
	t.Run("an etcd that is not there is an error and no miss", func(t *testing.T) {
		gone := dialAt(t, "127.0.0.1:1")
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		_, err := Open(ctx, gone, Options{})
		require.Error(t, err)
		require.NoError(t, ctx.Err())
		require.NotErrorIs(t, err, hawser.ErrNotFound)
		require.NotErrorIs(t, err, context.DeadlineExceeded)
		t.Log(err)
	})
}
