package sql

import (
	"context"
	database "database/sql"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/registry/seal"
)

// Put stores c with its literal secrets sealed; see [hawser.Writer]. The change and
// its entry in the history are one transaction. If the connection to the database is
// lost while that is committed, the error says that c may have been stored.
func (r *Registry) Put(ctx context.Context, c hawser.Connection) (hawser.Connection, error) {
	if err := r.check(ctx); err != nil {
		return hawser.Connection{}, err
	}
	if err := validate(c); err != nil {
		return hawser.Connection{}, err
	}
	c = c.Clone()
	c.Hops = nil
	return r.write(ctx, ActionPut, c.Name, c.Revision, func(_ context.Context, w *writing) (string, error) {
		stored, err := w.sealer.Marshal(c, []byte(w.before.stored))
		return string(stored), err
	})
}

// Delete removes name; see [hawser.Writer]. Its history stays.
func (r *Registry) Delete(ctx context.Context, name, revision string) error {
	if err := r.check(ctx); err != nil {
		return err
	}
	if revision == "" {
		return &hawser.FieldError{Field: "revision", Problem: "give the stored revision, or AnyRevision to delete whatever is stored"}
	}
	if nameProblem(name) != "" {
		return fmt.Errorf("%w: %q", hawser.ErrNotFound, name)
	}
	_, err := r.write(ctx, ActionDelete, name, revision, func(_ context.Context, w *writing) (string, error) {
		return "", nil
	})
	return err
}

// validate reports every problem of c at once.
func validate(c hawser.Connection) error {
	problem := nameProblem(c.Name)
	if c.Name == "" {
		problem = "is empty; jobs find a connection by its name"
	}
	if problem != "" {
		return errors.Join(&hawser.FieldError{Field: "name", Problem: problem}, c.Validate())
	}
	return errors.Join(validateText(c), c.Validate())
}

// validateText refuses what JSON would change. Literal secrets, which are sealed as
// they are, print as a mask and so pass.
func validateText(c hawser.Connection) error {
	c.Hops = nil // are not stored
	group := reflect.ValueOf(c)
	for i := range group.NumField() {
		if !utf8.ValidString(fmt.Sprintf("%+v", group.Field(i).Interface())) {
			name, _, _ := strings.Cut(group.Type().Field(i).Tag.Get("json"), ",")
			return &hawser.FieldError{Field: name, Problem: "holds text that is not UTF-8"}
		}
	}
	return nil
}

// A writing is a change of one connection inside of its transaction, which holds
// the lock that every change needs.
type writing struct {
	r        *Registry
	tx       *database.Tx
	revision int64 // that the change makes
	at, by   string
	sealer   *seal.Sealer
	before   definition // its revision is 0 if there is none
}

// write makes a change of the connection called name, if its revision is as
// expected. What change returns is stored; "" deletes.
func (r *Registry) write(
	ctx context.Context, action Action, name, revision string, change func(context.Context, *writing) (string, error),
) (c hawser.Connection, err error) {
	var made int64
	err = retry(ctx, fmt.Sprintf("%s %q", action, name), func() (err error) {
		c, made, err = r.attempt(ctx, action, name, revision, change)
		// All others wait while a transaction stands, so the key is opened between two.
		for other := new(otherHeader); errors.As(err, &other); {
			if _, _, err := r.keys.open(ctx, other.stored); err != nil {
				return err
			}
			c, made, err = r.attempt(ctx, action, name, revision, change)
		}
		return err
	})
	switch {
	case err == nil:
		r.poller.wrote(name, made)
		return c, nil
	case made != 0:
		r.poller.mayHaveWritten(name)
	}
	return hawser.Connection{}, err
}

// attempt returns the revision that it made, also if the commit failed.
func (r *Registry) attempt(
	ctx context.Context, action Action, name, revision string, change func(context.Context, *writing) (string, error),
) (c hawser.Connection, made int64, err error) {
	tx, err := r.db.BeginTx(ctx, r.traits.begin)
	if err != nil {
		return c, 0, err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after a commit
	w, err := r.lock(ctx, tx, name)
	if err != nil {
		return c, 0, err
	}
	if err := w.compare(action, revision); err != nil {
		return c, 0, err
	}
	stored, err := change(ctx, w)
	if err != nil {
		return c, 0, err
	}
	if stored != "" {
		// What could not be read again must not be stored.
		if c, err = (definition{name: name, revision: w.revision, stored: stored}).connection(w.sealer); err != nil {
			return c, 0, err
		}
	}
	if err := w.store(ctx, action, stored); err != nil {
		return c, 0, err
	}
	if err := tx.Commit(); err != nil {
		return c, w.revision, &commitError{err}
	}
	return c, w.revision, nil
}

// lock is the first statement of a transaction, and waits for all others that
// change something: so no two of them have seen the same, no count is seen before
// a smaller one, and SQLite need not make a reader of a transaction a writer.
func (r *Registry) lock(ctx context.Context, tx *database.Tx, name string) (*writing, error) {
	w := &writing{r: r, tx: tx, by: r.options.actor(ctx), before: definition{name: name}}
	var now state
	row := tx.QueryRowContext(ctx, r.text(`UPDATE {p}meta SET changes = changes + 1 WHERE id = 1
		RETURNING version, changes, seal, `+r.traits.now))
	if err := notEmpty(row.Scan(&now.version, &w.revision, &now.seal, &w.at)); err != nil {
		return nil, err
	}
	if err := r.checkSchema(now.version); err != nil {
		return nil, err
	}
	sealer, header, err := r.keys.opened(now.seal)
	if err != nil {
		return nil, err
	}
	w.sealer = sealer
	if header != now.seal {
		if _, err := tx.ExecContext(ctx, r.text(`UPDATE {p}meta SET seal = ? WHERE id = 1`), header); err != nil {
			return nil, err
		}
	}
	row = tx.QueryRowContext(ctx, r.text(`SELECT revision, definition FROM {p}connections WHERE name = ?`), name)
	err = row.Scan(&w.before.revision, &w.before.stored)
	if err != nil && !errors.Is(err, database.ErrNoRows) {
		return nil, err
	}
	return w, nil
}

// compare says whether a change that expects revision may be made.
func (w *writing) compare(action Action, revision string) error {
	name, stored := w.before.name, revisionText(w.before.revision)
	switch {
	case action == ActionDelete && stored == "":
		return fmt.Errorf("%w: %q", hawser.ErrNotFound, name)
	case revision == hawser.AnyRevision || revision == stored:
		return nil
	case revision == "":
		return fmt.Errorf("%w: %q exists already, at revision %s", hawser.ErrConflict, name, stored)
	case stored == "":
		return fmt.Errorf("%w: %q was deleted, and was to be at revision %s", hawser.ErrConflict, name, revision)
	}
	return fmt.Errorf("%w: %q is at revision %s, not %s", hawser.ErrConflict, name, stored, revision)
}

// store writes the connection, or removes it, and the entry of the history.
func (w *writing) store(ctx context.Context, action Action, stored string) error {
	exec := func(query string, args ...any) error {
		_, err := w.tx.ExecContext(ctx, w.r.text(query), args...)
		return err
	}
	name := w.before.name
	var err error
	if stored == "" {
		err = exec(`DELETE FROM {p}connections WHERE name = ?`, name)
	} else {
		err = exec(`INSERT INTO {p}connections (name, revision, definition, changed_at, changed_by) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (name) DO UPDATE SET revision = excluded.revision, definition = excluded.definition,
			changed_at = excluded.changed_at, changed_by = excluded.changed_by`, name, w.revision, stored, w.at, w.by)
	}
	if err != nil {
		return err
	}
	err = exec(`INSERT INTO {p}history (sequence, name, action, definition, changed_at, changed_by) VALUES (?, ?, ?, ?, ?, ?)`,
		w.revision, name, string(action), database.NullString{String: stored, Valid: stored != ""}, w.at, w.by)
	if err != nil || w.r.traits.notify == "" {
		return err
	}
	return exec(w.r.traits.notify, w.r.Channel(), strconv.FormatInt(w.revision, 10))
}
