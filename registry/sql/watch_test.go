package sql

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/changes"
)

// await ranges over a watch until name was told.
func await(t *testing.T, watch func(func(hawser.Change, error) bool), name string) {
	t.Helper()
	for change, err := range watch {
		require.NoError(t, err)
		if change.Name == name {
			return
		}
	}
	t.Fatalf("the watch ended before %q was told", name)
}

func TestWatch(t *testing.T) {
	t.Parallel()
	t.Run("tells of what another process changed, and Version has grown then", func(t *testing.T) {
		t.Parallel()
		p := newPlace(t, wal)
		r, other := p.open(t, Options{}), p.open(t, Options{Poll: time.Hour})
		watch, err := r.Watch(bounded(t))
		require.NoError(t, err)
		for _, name := range []string{"bank", "shop", "bank"} {
			version := r.Version()
			putHost(t, other, name, "new.example")
			await(t, watch, name)
			assert.Greater(t, r.Version(), version)
		}
		require.NoError(t, other.Delete(t.Context(), "shop", hawser.AnyRevision))
		await(t, watch, "shop")
	})
	t.Run("tells of own changes without a look, and of others by a nudge", func(t *testing.T) {
		t.Parallel()
		p := newPlace(t, wal)
		r, other := p.open(t, Options{Poll: time.Hour}), p.open(t, Options{Poll: time.Hour})
		watch, err := r.Watch(bounded(t))
		require.NoError(t, err)
		version := r.Version()
		putHost(t, r, "own", "new.example")
		assert.Greater(t, r.Version(), version)
		await(t, watch, "own")
		putHost(t, other, "foreign", "new.example")
		r.Nudge()
		await(t, watch, "foreign")
	})
	t.Run("tells of others' changes that an own one came after", func(t *testing.T) {
		t.Parallel()
		p := newPlace(t, wal)
		r, other := p.open(t, Options{Poll: time.Hour}), p.open(t, Options{Poll: time.Hour})
		watch, err := r.Watch(bounded(t))
		require.NoError(t, err)
		for range 3 {
			putHost(t, other, "foreign", "new.example")
			putHost(t, r, "own", "new.example")
			await(t, watch, "foreign")
		}
	})
	t.Run("tells of others' changes that a lookup finds", func(t *testing.T) {
		t.Parallel()
		p := newPlace(t, wal)
		r, other := p.open(t, Options{Poll: time.Hour}), p.open(t, Options{Poll: time.Hour})
		watch, err := r.Watch(bounded(t))
		require.NoError(t, err)
		putHost(t, other, "foreign", "new.example")
		_, err = r.Lookup(t.Context(), "other")
		require.ErrorIs(t, err, hawser.ErrNotFound)
		await(t, watch, "foreign")
	})
	t.Run("tells of a gap that was pruned", func(t *testing.T) {
		t.Parallel()
		p := newPlace(t, wal)
		r, other := p.open(t, Options{Poll: time.Hour}), p.open(t, Options{Poll: time.Hour})
		putHost(t, other, "gone", "new.example") // while nobody watches, so r does not look
		require.NoError(t, other.Delete(t.Context(), "gone", hawser.AnyRevision))
		_, err := other.Prune(t.Context(), farFuture())
		require.NoError(t, err)
		watch, err := r.Watch(bounded(t))
		require.NoError(t, err)
		await(t, watch, "")
	})
	t.Run("tells of a database that was restored", func(t *testing.T) {
		t.Parallel()
		p := newPlace(t, wal)
		r := p.open(t, Options{})
		putHost(t, r, "bank", "one.example")
		watch, err := r.Watch(bounded(t))
		require.NoError(t, err)
		_, err = p.handle(t).ExecContext(t.Context(), "UPDATE hawser_meta SET changes = 0")
		require.NoError(t, err)
		await(t, watch, "")
	})
	t.Run("tells of a restore after which as much was changed again", func(t *testing.T) {
		t.Parallel()
		for after := range 3 { // changes since the restore, of which the last is an own one
			p := newPlace(t, wal)
			r, other := p.open(t, Options{Poll: time.Hour}), p.open(t, Options{Poll: time.Hour})
			putHost(t, r, "bank", "one.example")
			putHost(t, r, "bank", "lost.example")
			watch, err := r.Watch(bounded(t))
			require.NoError(t, err)
			restore(t, p)
			for range after {
				putHost(t, other, "shop", "shop.example")
			}
			putHost(t, r, "own", "own.example")
			await(t, watch, "")
		}
	})
	t.Run("tells of many changes as of any", func(t *testing.T) {
		t.Parallel()
		p := newPlace(t, wal)
		r := p.open(t, Options{})
		watch, err := r.Watch(bounded(t))
		require.NoError(t, err)
		tx, err := p.handle(t).BeginTx(t.Context(), nil)
		require.NoError(t, err)
		for _, statement := range []string{
			fmt.Sprint("UPDATE hawser_meta SET changes = ", manyChanges+1),
			`INSERT INTO hawser_history WITH RECURSIVE count (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM count WHERE n <= 1000)
			SELECT n, n, 'delete', NULL, '', '' FROM count`,
		} {
			_, err = tx.ExecContext(t.Context(), statement)
			require.NoError(t, err)
		}
		require.NoError(t, tx.Commit())
		await(t, watch, "")
	})
}

// restore puts the database back to its first change.
func restore(t *testing.T, p place) {
	t.Helper()
	db := p.handle(t)
	for _, statement := range []string{
		`UPDATE hawser_connections SET revision = 1, definition = (SELECT definition FROM hawser_history WHERE sequence = 1)`,
		`DELETE FROM hawser_history WHERE sequence > 1`, `UPDATE hawser_meta SET changes = 1`,
	} {
		_, err := db.ExecContext(t.Context(), statement)
		require.NoError(t, err)
	}
}

// Watches come and go while the context of their program stays.
func TestAWatchThatEndedLeavesItsContext(t *testing.T) {
	t.Parallel()
	left := 0
	leave := func() bool { left++; return true }
	early, late := &watch{Queue: changes.New()}, &watch{Queue: changes.New()}
	early.end(errClosed)
	early.leave(leave)
	late.leave(leave)
	assert.Equal(t, 1, left)
	late.end(errClosed)
	assert.Equal(t, 2, left)
}

func TestWatchEnds(t *testing.T) {
	t.Parallel()
	last := func(watch func(func(hawser.Change, error) bool)) (err error) {
		for _, err = range watch {
		}
		return err
	}
	t.Run("when the database cannot be read, and a new one stands when it can", func(t *testing.T) {
		t.Parallel()
		p := newPlace(t, wal)
		r, db := p.open(t, Options{}), p.handle(t)
		watch, err := r.Watch(bounded(t))
		require.NoError(t, err)
		_, err = db.ExecContext(t.Context(), "ALTER TABLE hawser_meta RENAME TO away")
		require.NoError(t, err)
		err = last(watch)
		require.ErrorContains(t, err, "sql registry: look for changes: ")
		assert.Equal(t, err, last(watch), "the error stays")
		_, err = r.Watch(bounded(t))
		require.Error(t, err, "nothing stands on a database that cannot be read")
		_, err = db.ExecContext(t.Context(), "ALTER TABLE away RENAME TO hawser_meta")
		require.NoError(t, err)
		watch, err = r.Watch(bounded(t))
		require.NoError(t, err)
		putHost(t, p.open(t, Options{}), "bank", "new.example")
		await(t, watch, "bank")
	})
	t.Run("with Close, which leaves the database open", func(t *testing.T) {
		t.Parallel()
		db := newPlace(t, wal).handle(t)
		r, err := Open(t.Context(), db, Options{Dialect: SQLite})
		require.NoError(t, err)
		watch, err := r.Watch(bounded(t))
		require.NoError(t, err)
		require.NoError(t, r.Close())
		require.NoError(t, r.Close())
		assert.ErrorIs(t, last(watch), net.ErrClosed)
		_, err = r.Watch(t.Context())
		assert.ErrorIs(t, err, net.ErrClosed)
		_, err = r.Lookup(t.Context(), "bank")
		assert.ErrorIs(t, err, net.ErrClosed)
		_, err = r.Put(t.Context(), sample("bank"))
		assert.ErrorIs(t, err, net.ErrClosed)
		assert.NoError(t, db.PingContext(t.Context()))
	})
	t.Run("with its context, also if nobody ranges over it", func(t *testing.T) {
		t.Parallel()
		r := newPlace(t, wal).open(t, Options{})
		ctx, cancel := context.WithCancel(t.Context())
		_, err := r.Watch(ctx)
		require.NoError(t, err)
		require.True(t, r.poller.watched())
		cancel()
		assert.Eventually(t, func() bool { return !r.poller.watched() }, patience, time.Millisecond)
	})
}
