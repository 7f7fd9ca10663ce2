package sql

import (
	"context"
	database "database/sql"
	"fmt"
	"iter"
	"strconv"
	"time"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/registry/seal"
)

// An Action is what was done to a connection.
type Action string

// The actions.
const (
	ActionPut      Action = "put"
	ActionDelete   Action = "delete"
	ActionRollback Action = "rollback"
)

// An Entry is one change of one connection.
type Entry struct {
	// Revision is what the connection was at after the change. That of a later
	// change is a greater number.
	Revision string
	Name     string
	Action   Action
	At       time.Time // in UTC, by the clock of the database's machine
	By       string    // see [WithActor]

	stored string // "" after a deletion
	sealer *seal.Sealer
}

// Connection returns what the change stored, with its secrets unsealed if the
// registry has its key, and as references if it has none. After a deletion the
// error matches [hawser.ErrNotFound].
func (e Entry) Connection() (hawser.Connection, error) {
	if e.stored == "" {
		return hawser.Connection{}, fmt.Errorf("%w: %q was deleted at revision %s", hawser.ErrNotFound, e.Name, e.Revision)
	}
	n, _ := strconv.ParseInt(e.Revision, 10, 64)
	return definition{name: e.Name, revision: n, stored: e.stored}.connection(e.sealer)
}

// History yields every change of the connection called name, the newest first, also
// if it was deleted; of a name that never was it yields nothing. An error ends it.
func (r *Registry) History(ctx context.Context, name string) iter.Seq2[Entry, error] {
	if nameProblem(name) != "" {
		return func(yield func(Entry, error) bool) {
			if err := r.check(ctx); err != nil {
				yield(Entry{}, err)
			}
		}
	}
	return r.entries(ctx, 1<<63-1, func(last int64) (string, []any) {
		return `name = ? AND sequence < ? ORDER BY sequence DESC`, []any{name, last}
	})
}

// Log yields every change of every connection after revision since, the oldest
// first. "" is the beginning, as far as it was not pruned. Whoever keeps the
// Revision of the last Entry goes on from there; if what came next was pruned since,
// the error matches [hawser.ErrNotFound].
func (r *Registry) Log(ctx context.Context, since string) iter.Seq2[Entry, error] {
	start, err := int64(0), error(nil)
	if since != "" {
		start, err = strconv.ParseInt(since, 10, 64)
	}
	if err != nil {
		return func(yield func(Entry, error) bool) {
			yield(Entry{}, &hawser.FieldError{Field: "since", Problem: "is no revision of this registry"})
		}
	}
	all := r.entries(ctx, start, func(last int64) (string, []any) {
		return `sequence > ? ORDER BY sequence`, []any{last}
	})
	if since == "" {
		return all
	}
	return func(yield func(Entry, error) bool) {
		first := true
		for e, err := range all {
			if err == nil && first {
				err = r.checkPruned(ctx, start)
			}
			first = false
			if err != nil {
				yield(Entry{}, err)
				return
			}
			if !yield(e, nil) {
				return
			}
		}
		if !first {
			return
		}
		if err := r.checkPruned(ctx, start); err != nil {
			yield(Entry{}, err)
		}
	}
}

// checkPruned is called after the first read, so that nothing was pruned in between.
func (r *Registry) checkPruned(ctx context.Context, since int64) error {
	now, err := r.state(ctx)
	if err == nil && now.pruned > since {
		err = fmt.Errorf("%w: changes after revision %d, up to %d, were pruned from the history; list all connections and go on from the newest revision",
			hawser.ErrNotFound, since, now.pruned)
	}
	return err
}

// entries yields rows of the history, a page at a time, so that no connection to the
// database is held meanwhile. where gives what follows the row of sequence last.
func (r *Registry) entries(ctx context.Context, last int64, where func(last int64) (string, []any)) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		const page = 100
		for last := last; ; {
			clause, args := where(last)
			entries, err := r.page(ctx, clause+` LIMIT ?`, append(args, page))
			if err != nil {
				yield(Entry{}, err)
				return
			}
			for _, e := range entries {
				if !yield(e, nil) {
					return
				}
				last, _ = strconv.ParseInt(e.Revision, 10, 64)
			}
			if len(entries) < page {
				return
			}
		}
	}
}

func (r *Registry) page(ctx context.Context, where string, args []any) (entries []Entry, err error) {
	if err := r.check(ctx); err != nil {
		return nil, err
	}
	const columns = `SELECT sequence, name, action, definition, changed_at, changed_by FROM {p}history WHERE `
	err = retry(ctx, "read the history", func(ctx context.Context) error {
		entries = nil
		return r.query(ctx, columns+where, args, func(rows *database.Rows) error {
			e, err := scanEntry(rows)
			entries = append(entries, e)
			return err
		})
	})
	if err != nil || len(entries) == 0 {
		return nil, err
	}
	sealer, err := r.sealer(ctx)
	for i := range entries {
		entries[i].sealer = sealer
	}
	return entries, err
}

func scanEntry(rows *database.Rows) (e Entry, err error) {
	var sequence int64
	var stored database.NullString
	var at string
	if err := rows.Scan(&sequence, &e.Name, &e.Action, &stored, &at, &e.By); err != nil {
		return e, err
	}
	e.Revision, e.stored = revisionText(sequence), stored.String
	if e.At, err = time.Parse(clock, at); err != nil {
		return e, fmt.Errorf("time of revision %s: %w", e.Revision, err)
	}
	return e, nil
}
