package sql

import (
	"context"
	database "database/sql"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
)

// newer are the schemas with one version more, as a later program has them.
func newer(t *testing.T, second string) fs.FS {
	t.Helper()
	files := fstest.MapFS{"schema/sqlite/2.sql": {Data: []byte(second)}}
	for _, name := range []string{"schema/sqlite/0.sql", "schema/sqlite/1.sql"} {
		text, err := schemas.ReadFile(name)
		require.NoError(t, err)
		files[name] = &fstest.MapFile{Data: text}
	}
	return files
}

const second = "ALTER TABLE {p}connections ADD COLUMN note text NOT NULL DEFAULT '';\nALTER TABLE {p}meta ADD COLUMN note text;\n"

func TestSchema(t *testing.T) {
	t.Parallel()
	t.Run("is the same in both dialects", func(t *testing.T) {
		t.Parallel()
		for _, d := range []Dialect{SQLite, PostgreSQL} {
			files, err := fs.Sub(schemas, "schema/"+string(d))
			require.NoError(t, err)
			version, err := newestSchema(files)
			require.NoError(t, err)
			assert.Equal(t, 1, version)
		}
	})
	t.Run("is made once by many who open at once", func(t *testing.T) {
		t.Parallel()
		p := newPlace(t, wal)
		var opening sync.WaitGroup
		for range 8 {
			db := p.handle(t)
			opening.Go(func() {
				r, err := Open(t.Context(), db, Options{Dialect: SQLite})
				if assert.NoError(t, err) {
					assert.NoError(t, r.Close())
				}
			})
		}
		opening.Wait()
		fill(t, p.open(t, Options{}), sample("bank"))
	})
	t.Run("of two prefixes does not mix", func(t *testing.T) {
		t.Parallel()
		p := newPlace(t, wal)
		one, two := p.open(t, Options{Prefix: "one_"}), p.open(t, Options{Prefix: "two_"})
		fill(t, one, sample("bank"))
		_, err := two.Lookup(t.Context(), "bank")
		assert.ErrorIs(t, err, hawser.ErrNotFound)
	})
	t.Run("that is newer is refused", func(t *testing.T) {
		t.Parallel()
		p := newPlace(t, wal)
		upgrade(t, p, second)
		_, err := Open(t.Context(), p.handle(t), Options{Dialect: SQLite})
		assert.ErrorContains(t, err, "hawser_* are of schema version 2, and this program knows versions up to 1; use a newer program")
	})
	t.Run("that is older is brought up to date, and keeps what it has", func(t *testing.T) {
		t.Parallel()
		p := newPlace(t, wal)
		old := p.open(t, Options{})
		fill(t, old, sample("bank"))
		r := upgrade(t, p, second)
		_, err := r.Lookup(t.Context(), "bank")
		require.NoError(t, err)
		_, err = old.Lookup(t.Context(), "bank")
		require.NoError(t, err, "an old program may go on reading")
		_, err = old.Put(t.Context(), sample("shop"))
		assert.ErrorContains(t, err, "schema version 2", "an old program may not write")
		_, err = old.Prune(t.Context(), farFuture())
		assert.ErrorContains(t, err, "schema version 2", "an old program may not prune")
	})
	t.Run("is not upgraded in part", func(t *testing.T) {
		t.Parallel()
		p := newPlace(t, wal)
		fill(t, p.open(t, Options{}), sample("bank"))
		_, err := open(t.Context(), p.handle(t), Options{Dialect: SQLite}, newer(t, second+"CREATE NONSENSE;\n"))
		assert.ErrorContains(t, err, "version 2 of the schema")
		_, err = p.open(t, Options{}).Put(t.Context(), sample("shop"))
		assert.NoError(t, err)
	})
}

// upgrade opens the database as a later program.
func upgrade(t *testing.T, p place, second string) *Registry {
	t.Helper()
	r, err := open(t.Context(), p.handle(t), Options{Dialect: SQLite}, newer(t, second))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return r
}

func TestReadOnlyDatabase(t *testing.T) {
	t.Parallel()
	const readOnly = "?mode=ro&_pragma=busy_timeout(5000)"
	t.Run("that is up to date can be read", func(t *testing.T) {
		t.Parallel()
		p := newPlace(t, wal)
		fill(t, p.open(t, Options{}), sample("bank"))
		r := place{name: p.name, parameters: readOnly}.open(t, Options{})
		c, err := r.Lookup(t.Context(), "bank")
		require.NoError(t, err)
		_, err = r.Put(t.Context(), c)
		assert.ErrorContains(t, err, `put "bank": `)
		assert.NotErrorIs(t, err, hawser.ErrConflict)
	})
	t.Run("that is empty is refused", func(t *testing.T) {
		t.Parallel()
		p := newPlace(t, wal)
		_, err := p.handle(t).ExecContext(t.Context(), "CREATE TABLE other (n)")
		require.NoError(t, err)
		_, err = Open(t.Context(), place{name: p.name, parameters: readOnly}.handle(t), Options{Dialect: SQLite})
		assert.ErrorContains(t, err, "sql registry: migrate: ")
	})
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	for want, o := range map[string]Options{
		`dialect ""; want "sqlite" or "postgresql"`:      {},
		`dialect "mysql"; want "sqlite" or "postgresql"`: {Dialect: "mysql"},
		`prefix "Hawser"`:                    {Dialect: SQLite, Prefix: "Hawser"},
		`prefix "x; DROP TABLE y"`:           {Dialect: SQLite, Prefix: "x; DROP TABLE y"},
		`prefix "` + strings.Repeat("x", 33): {Dialect: SQLite, Prefix: strings.Repeat("x", 33)},
		`poll is negative`:                   {Dialect: SQLite, Poll: -1},
	} {
		_, err := Open(t.Context(), newPlace(t, wal).handle(t), o)
		assert.ErrorContains(t, err, "sql registry: options: "+want)
	}
}

func TestDatabaseThatCannotBeReached(t *testing.T) {
	t.Parallel()
	db, err := database.Open("sqlite", "file:"+t.TempDir()+"/no/such/folder")
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	_, err = Open(t.Context(), db, Options{Dialect: SQLite})
	assert.ErrorContains(t, err, "sql registry: migrate: ")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Open(ctx, db, Options{Dialect: SQLite})
	assert.ErrorIs(t, err, context.Canceled)
}
