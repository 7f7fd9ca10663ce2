package sql

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
)

func TestRevisionsNeverComeTwice(t *testing.T) {
	t.Parallel()
	r := newPlace(t, wal).open(t, Options{})
	seen := map[string]bool{}
	for range 5 {
		c, err := r.Put(t.Context(), sample("bank"))
		require.NoError(t, err)
		assert.False(t, seen[c.Revision], "revision %s", c.Revision)
		seen[c.Revision] = true
		require.NoError(t, r.Delete(t.Context(), "bank", c.Revision))
		_, err = r.Put(t.Context(), c)
		assert.ErrorIs(t, err, hawser.ErrConflict)
	}
}

func TestConflictsNameBothRevisions(t *testing.T) {
	t.Parallel()
	r := newPlace(t, wal).open(t, Options{})
	first := putHost(t, r, "bank", "one.example")
	putHost(t, r, "bank", "two.example")
	_, err := r.Put(t.Context(), first)
	assert.EqualError(t, err, `connection was changed by someone else: "bank" is at revision 2, not 1`)
	_, err = r.Put(t.Context(), sample("bank"))
	assert.EqualError(t, err, `connection was changed by someone else: "bank" exists already, at revision 2`)
	require.NoError(t, r.Delete(t.Context(), "bank", "2"))
	_, err = r.Put(t.Context(), first)
	assert.EqualError(t, err, `connection was changed by someone else: "bank" was deleted, and was to be at revision 1`)
}

func TestNamesThatNoDatabaseTakes(t *testing.T) {
	t.Parallel()
	r := newPlace(t, wal).open(t, Options{})
	fill(t, r, sample("bank"))
	for _, name := range []string{"bank\x00", "\xff", strings.Repeat("x", 1001)} {
		_, err := r.Put(t.Context(), sample(name))
		assert.ErrorIs(t, err, hawser.ErrInvalid, "Put of %q", name)
		_, err = r.Lookup(t.Context(), name)
		assert.ErrorIs(t, err, hawser.ErrNotFound, "Lookup of %q", name)
		assert.ErrorIs(t, r.Delete(t.Context(), name, hawser.AnyRevision), hawser.ErrNotFound, "Delete of %q", name)
		_, err = r.Rollback(t.Context(), name, "1", hawser.AnyRevision)
		assert.ErrorIs(t, err, hawser.ErrNotFound, "Rollback of %q", name)
	}
}

func TestLookupSuggestsANearName(t *testing.T) {
	t.Parallel()
	r := newPlace(t, wal).open(t, Options{})
	fill(t, r, sample("bank"), sample("shop"))
	_, err := r.Lookup(t.Context(), "bnak")
	assert.EqualError(t, err, `connection not found: "bnak"; did you mean "bank"?`)
}

// A writer that holds the lock makes others wait, which ends with their contexts.
func TestLockedDatabase(t *testing.T) {
	t.Parallel()
	for name, parameters := range map[string]string{"busy_timeout": wal, "no busy_timeout": "?_pragma=journal_mode(wal)"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t, parameters)
			r := p.open(t, Options{})
			fill(t, r, sample("bank"))
			tx, err := p.handle(t).BeginTx(t.Context(), nil)
			require.NoError(t, err)
			_, err = tx.ExecContext(t.Context(), "UPDATE hawser_meta SET changes = changes")
			require.NoError(t, err)
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			_, err = r.Put(ctx, sample("shop"))
			assert.ErrorIs(t, err, context.DeadlineExceeded)
			_, err = r.Lookup(t.Context(), "bank")
			assert.NoError(t, err, "who reads need not wait")
			done := make(chan error, 1)
			go func() {
				_, err := r.Put(t.Context(), sample("shop"))
				done <- err
			}()
			require.NoError(t, tx.Rollback())
			assert.NoError(t, <-done)
		})
	}
}

// Without WAL, a reader keeps a writer from its commit.
func TestCommitThatFails(t *testing.T) {
	t.Parallel()
	p := newPlace(t, "?_pragma=busy_timeout(1)")
	r, other := p.open(t, Options{Poll: time.Hour}), p.open(t, Options{Poll: time.Hour})
	fill(t, r, sample("bank"))
	watch, err := r.Watch(bounded(t))
	require.NoError(t, err)
	reading, err := p.handle(t).BeginTx(t.Context(), nil)
	require.NoError(t, err)
	var n int
	require.NoError(t, reading.QueryRowContext(t.Context(), "SELECT count(*) FROM hawser_connections").Scan(&n))
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err = r.Put(ctx, sample("shop"))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, reading.Rollback())
	_, err = r.Lookup(t.Context(), "shop")
	require.ErrorIs(t, err, hawser.ErrNotFound)
	c := putHost(t, other, "foreign", "new.example")
	assert.Equal(t, "2", c.Revision, "the failed change counts for nothing")
	r.Nudge()
	await(t, watch, "foreign")
}

func TestAConflictQuotesTheRevisionPrintably(t *testing.T) {
	t.Parallel()
	r := newPlace(t, wal).open(t, Options{})
	fill(t, r, sample("bank"))
	for _, name := range []string{"bank", "shop"} {
		c := sample(name)
		c.Revision = "\x1b[2J"
		_, err := r.Put(t.Context(), c)
		require.ErrorIs(t, err, hawser.ErrConflict)
		assert.NotContains(t, err.Error(), "\x1b")
	}
}
