package etcd

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/leak"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/registry/seal"
)

func TestSecretsAreNeverInTheClear(t *testing.T) {
	t.Parallel()
	secrets := []string{"correct horse battery staple", "the passphrase of the key", "the pin of the other driver", "the passphrase of the registry"}
	s := testserver.Etcd(t, testserver.EtcdConfig{})
	client := dial(t, s)
	r := openAt(t, client, Options{Key: seal.Passphrase(hawser.NewSecret(secrets[3]))})
	c := sftp("bank")
	c.Auth.Password, c.Auth.Key.Content = hawser.NewSecret(secrets[0]), hawser.NewSecret("-----BEGIN KEY-----\n"+secrets[0])
	c.Auth.Key.Passphrase = hawser.NewSecret(secrets[1])
	c.ExtraSecrets = map[string]hawser.Secret{"ours.pin": hawser.NewSecret(secrets[2])}
	stored, err := r.Put(t.Context(), c)
	require.NoError(t, err)
	stored.Description = "changed"
	_, err = r.Put(t.Context(), stored)
	require.NoError(t, err)
	c.Limits.Sessions = 1
	acquire(t, limiterAt(t, client, LimiterOptions{}), c)

	shows := func(where string, data []byte) {
		for _, secret := range secrets {
			for _, form := range leak.Forms(secret) {
				require.False(t, bytes.Contains(data, []byte(form)), "%s shows a secret", where)
			}
		}
	}
	all, err := client.Get(t.Context(), "", clientv3.WithFromKey())
	require.NoError(t, err)
	require.Len(t, all.Kvs, 3, "a connection, the header and a place")
	for _, kv := range all.Kvs {
		shows(string(kv.Key), append(kv.Key, kv.Value...))
	}
	require.NoError(t, client.Close())
	s.Stop()
	found := false
	err = filepath.WalkDir(s.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		shows(path, data)
		found = found || bytes.Contains(data, []byte("sftp.example.com"))
		return err
	})
	require.NoError(t, err)
	require.True(t, found, "the files are those of the registry")
}
