package sql

import (
	"context"
	database "database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/hawser/hawser"
)

// Rollback stores the definition that the connection called name had at revision to,
// of its history, as a new one. Revision expected is what it must be at now, as for
// Put: "" if it was deleted, or AnyRevision; else the error matches
// [hawser.ErrConflict]. If the history has no definition of that revision, because
// it is of another name, was a deletion or is pruned, the error matches
// [hawser.ErrNotFound]; if the definition is not valid any more,
// [hawser.ErrInvalid]. Secrets stay sealed as they were, so no key is needed.
func (r *Registry) Rollback(ctx context.Context, name, to, expected string) (hawser.Connection, error) {
	if err := r.check(ctx); err != nil {
		return hawser.Connection{}, err
	}
	sequence, err := strconv.ParseInt(to, 10, 64)
	if err != nil || nameProblem(name) != "" {
		return hawser.Connection{}, noSuchRevision(name, to)
	}
	return r.write(ctx, ActionRollback, name, expected, func(ctx context.Context, w *writing) (string, error) {
		return w.old(ctx, sequence)
	})
}

// old is the definition that the connection had at a revision.
func (w *writing) old(ctx context.Context, sequence int64) (string, error) {
	var stored database.NullString
	row := w.tx.QueryRowContext(ctx, w.r.text(`SELECT definition FROM {p}history WHERE sequence = ? AND name = ?`),
		sequence, w.before.name)
	err := row.Scan(&stored)
	if errors.Is(err, database.ErrNoRows) {
		return "", noSuchRevision(w.before.name, revisionText(sequence))
	}
	if err != nil {
		return "", err
	}
	d := definition{name: w.before.name, revision: sequence, stored: stored.String}
	if d.stored == "" {
		return "", fmt.Errorf("%w: revision %d of %q is its deletion; roll back to one before that",
			hawser.ErrNotFound, sequence, d.name)
	}
	c, err := d.connection(w.sealer)
	if err == nil {
		err = c.Validate()
	}
	return d.stored, err
}

func noSuchRevision(name, revision string) error {
	return fmt.Errorf("%w: %q has no revision %q in its history", hawser.ErrNotFound, name, revision)
}

// Prune forgets the changes before a time, and returns how many. The present
// definition of each connection keeps its entry however old it is.
func (r *Registry) Prune(ctx context.Context, before time.Time) (n int64, err error) {
	if err := r.check(ctx); err != nil {
		return 0, err
	}
	err = retry(ctx, "prune the history", func(context.Context) (err error) { // which may take long
		n, err = r.prune(ctx, before.UTC().Format(clock))
		return err
	})
	return n, err
}

func (r *Registry) prune(ctx context.Context, before string) (int64, error) {
	tx, err := r.db().BeginTx(ctx, r.traits.begin)
	if err != nil {
		return 0, err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after a commit
	const old = ` FROM {p}history WHERE changed_at < ? AND sequence NOT IN (SELECT revision FROM {p}connections)`
	var version int
	row := tx.QueryRowContext(ctx, r.text(`UPDATE {p}meta SET changes = changes WHERE id = 1 RETURNING version`))
	if err := notEmpty(row.Scan(&version)); err != nil {
		return 0, err
	}
	if err := r.checkSchema(version); err != nil {
		return 0, err
	}
	var newest database.NullInt64
	if err := tx.QueryRowContext(ctx, r.text(`SELECT max(sequence)`+old), before).Scan(&newest); err != nil || !newest.Valid {
		return 0, err
	}
	// Watches that did not get as far as this learn that they may have missed something.
	_, err = tx.ExecContext(ctx, r.text(`UPDATE {p}meta SET pruned = ? WHERE id = 1 AND pruned < ?`), newest.Int64, newest.Int64)
	if err != nil {
		return 0, err
	}
	result, err := tx.ExecContext(ctx, r.text(`DELETE`+old), before)
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	if err != nil {
		return 0, err
	}
	if err := tx.Commit(); err != nil {
		return 0, &commitError{err}
	}
	return n, nil
}
