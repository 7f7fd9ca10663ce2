package postgres

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/hawsertest"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/registry/seal"
)

// patience bounds what a test waits for, on a busy machine.
const patience = 30 * time.Second

// never is a Poll that no test lives to see, so that all it is told of came by NOTIFY.
const never = time.Hour

// A server has a database whose order of texts is not that of bytes, and in it a
// schema for each registry that wants tables of its own.
type server struct {
	*testserver.PostgreSQLServer
	made int
}

const databaseName = "hawser"

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{PostgreSQLServer: testserver.PostgreSQL(t, testserver.PostgreSQLConfig{})}
	exec(t, s.DSN(), "CREATE DATABASE "+databaseName+" TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en'")
	return s
}

// exec runs statements in the database of dsn.
func exec(t *testing.T, dsn string, statements ...string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close(context.WithoutCancel(t.Context()))) }()
	for _, statement := range statements {
		_, err := conn.Exec(t.Context(), statement)
		require.NoError(t, err, statement)
	}
}

// schema makes an empty one, and returns the DSN of a registry in it.
func (s *server) schema(t *testing.T) string {
	t.Helper()
	s.made++
	name := fmt.Sprintf("test%d", s.made)
	exec(t, s.DatabaseDSN(databaseName), "CREATE SCHEMA "+name)
	return s.DatabaseDSN(databaseName) + "&search_path=" + name
}

func open(t *testing.T, dsn string, o Options) *Registry {
	t.Helper()
	r, err := Open(t.Context(), dsn, o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return r
}

func newKey(t *testing.T) *seal.Key {
	t.Helper()
	return seal.KeyFile(filepath.Join(t.TempDir(), "key"))
}

func sample(name string) hawser.Connection {
	return hawser.Connection{Name: name, Protocol: hawser.SFTP, Host: "h.example", Auth: hawser.Auth{User: "u", Agent: true}}
}

func put(t *testing.T, r *Registry, c hawser.Connection) hawser.Connection {
	t.Helper()
	c, err := r.Put(t.Context(), c)
	require.NoError(t, err)
	return c
}

func bounded(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// The suites look for goroutines that are left, so nothing else may run meanwhile.
func TestRegistry(t *testing.T) {
	s := newServer(t)
	t.Run("one", func(t *testing.T) {
		hawsertest.TestRegistry(t, func(t *testing.T, conns ...hawser.Connection) hawser.Registry {
			r := open(t, s.schema(t), Options{Poll: never, Key: newKey(t)})
			for _, c := range conns {
				put(t, r, c)
			}
			return r
		})
	})
	for name, parameters := range map[string]string{
		"several":                         "",
		"several, serializable":           "&default_transaction_isolation=serializable",
		"several, without prepared plans": "&default_query_exec_mode=exec",
	} {
		t.Run(name, func(t *testing.T) {
			hawsertest.TestRegistryHandles(t, func(t *testing.T, n int) []hawser.Registry {
				dsn, key := s.schema(t)+parameters, newKey(t)
				regs := make([]hawser.Registry, n)
				for i := range regs {
					regs[i] = open(t, dsn, Options{Poll: never, Key: key})
				}
				return regs
			})
		})
	}
}
