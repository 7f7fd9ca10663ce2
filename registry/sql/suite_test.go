package sql

import (
	"context"
	database "database/sql"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/hawsertest"
	"github.com/hawser/hawser/registry/seal"
)

// patience bounds what a test waits for, on a busy machine.
const patience = 20 * time.Second

// wal is how the documentation has people open SQLite, but for the disk, which
// tests need not survive.
const wal = "?_pragma=journal_mode(wal)&_pragma=busy_timeout(5000)&_pragma=synchronous(off)"

// A place is a database of SQLite that several processes may open.
type place struct {
	name, parameters string // of the file, and of how to open it
	conns            int    // that one process may have; 0: any number
}

func newPlace(t *testing.T, parameters string) place {
	t.Helper()
	return place{name: filepath.ToSlash(filepath.Join(t.TempDir(), "hawser.db")), parameters: parameters}
}

// handle opens the database as one more process.
func (p place) handle(t *testing.T) *database.DB {
	t.Helper()
	db, err := database.Open("sqlite", "file:"+p.name+p.parameters)
	require.NoError(t, err)
	db.SetMaxOpenConns(p.conns)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// open opens the registry as one more process. It polls often.
func (p place) open(t *testing.T, o Options) *Registry {
	t.Helper()
	o.Dialect = SQLite
	if o.Poll == 0 {
		o.Poll = 5 * time.Millisecond
	}
	r, err := Open(t.Context(), p.handle(t), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return r
}

// newKey returns a key that is cheap to open.
func newKey(t *testing.T) *seal.Key {
	t.Helper()
	return seal.KeyFile(filepath.Join(t.TempDir(), "key"))
}

// fill puts conns, of which none is there yet.
func fill(t *testing.T, r *Registry, conns ...hawser.Connection) {
	t.Helper()
	for _, c := range conns {
		_, err := r.Put(t.Context(), c)
		require.NoError(t, err)
	}
}

// sample is a connection with nothing special.
func sample(name string) hawser.Connection {
	return hawser.Connection{Name: name, Protocol: hawser.SFTP, Host: "h.example", Auth: hawser.Auth{User: "u", Agent: true}}
}

// withPassword is a connection with a literal secret.
func withPassword(name, password string) hawser.Connection {
	c := sample(name)
	c.Auth = hawser.Auth{User: "u", Password: hawser.NewSecret(password)}
	return c
}

func bounded(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// The suite looks for goroutines that are left, so nothing else may run meanwhile.
func TestRegistry(t *testing.T) {
	for name, keyed := range map[string]bool{"with a key": true, "without a key": false} {
		t.Run(name, func(t *testing.T) {
			hawsertest.TestRegistry(t, func(t *testing.T, conns ...hawser.Connection) hawser.Registry {
				var o Options
				if keyed {
					o.Key = newKey(t)
				}
				r := newPlace(t, wal).open(t, o)
				fill(t, r, conns...)
				return r
			})
		})
	}
}

func TestRegistriesOfOneDatabase(t *testing.T) {
	for name, p := range map[string]place{
		"WAL":                {parameters: wal},
		"a rollback journal": {parameters: "?_pragma=busy_timeout(5000)&_pragma=synchronous(off)"},
		"no busy_timeout":    {parameters: "?_pragma=journal_mode(wal)&_pragma=synchronous(off)"},
		"begin immediate":    {parameters: wal + "&_txlock=immediate"},
		"one connection":     {parameters: wal, conns: 1},
	} {
		t.Run(name, func(t *testing.T) {
			hawsertest.TestRegistryHandles(t, func(t *testing.T, n int) []hawser.Registry {
				p.name = newPlace(t, "").name
				key := newKey(t)
				regs := make([]hawser.Registry, n)
				for i := range regs {
					regs[i] = p.open(t, Options{Key: key})
				}
				return regs
			})
		})
	}
}
