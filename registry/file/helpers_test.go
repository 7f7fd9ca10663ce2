package file_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/registry/file"
	"github.com/hawser/hawser/registry/seal"
)

const literal = "correct horse battery staple"

// prompt bounds what should take no time, on a busy machine.
const prompt = 20 * time.Second

func newKey(t *testing.T) *seal.Key {
	t.Helper()
	own, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	return seal.Identity(hawser.NewSecret(own.String()))
}

func newPath(t *testing.T, name string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	return filepath.Join(dir, name)
}

// quickPath is newPath for tests with many writes: in memory where the system has
// such a directory, because a disk takes its time to make each write last.
func quickPath(t *testing.T, name string) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "hawser")
	if err != nil {
		return newPath(t, name)
	}
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return filepath.Join(dir, name)
}

func open(t *testing.T, path string, o file.Options) *file.Registry {
	t.Helper()
	r, err := file.Open(path, o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return r
}

// written returns the path of a new file called name that holds content, and is
// not new enough to be taken for one that is being written.
func written(t *testing.T, name, content string) string {
	t.Helper()
	path := newPath(t, name)
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	before := time.Now().Add(-time.Hour)
	require.NoError(t, os.Chtimes(path, before, before))
	return path
}

func content(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(data)
}

func put(t *testing.T, r *file.Registry, c hawser.Connection) hawser.Connection {
	t.Helper()
	c, err := r.Put(t.Context(), c)
	require.NoError(t, err)
	return c
}

func lookup(t *testing.T, r *file.Registry, name string) hawser.Connection {
	t.Helper()
	c, err := r.Lookup(t.Context(), name)
	require.NoError(t, err)
	return c
}

func mail(name, host string) hawser.Connection {
	return hawser.Connection{Name: name, Protocol: hawser.SMTP, Host: host}
}

func withPassword(c hawser.Connection, password string) hawser.Connection {
	c.Auth.User, c.Auth.Password = "acme", hawser.NewSecret(password)
	return c
}

// told ranges over watch until every name was told.
func told(t *testing.T, r *file.Registry, then func(), names ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), prompt)
	defer cancel()
	changes, err := r.Watch(ctx)
	require.NoError(t, err)
	then()
	missing := map[string]bool{}
	for _, name := range names {
		missing[name] = true
	}
	for change, err := range changes {
		require.NoError(t, err, "the watch, for the changes of %q", names)
		require.Contains(t, names, change.Name, "a change of what did not change")
		delete(missing, change.Name)
		if len(missing) == 0 {
			return
		}
	}
}

// lines joins lines as a file has them.
func lines(all ...string) string { return strings.Join(all, "\n") + "\n" }
