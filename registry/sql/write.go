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
	previous mark       // of the change before, which may be of another connection
}

// write makes a change of the connection called name, if its revision is as
// expected. What change returns is stored; "" deletes.
func (r *Registry) write(
	ctx context.Context, action Action, name, revision string, change func(context.Context, *writing) (string, error),
) (c hawser.Connection, err error) {
	var made *writing
	for {
		err = retry(ctx, fmt.Sprintf("%s %q", action, name), func(ctx context.Context) (err error) {
			c, made, err = r.attempt(ctx, action, name, revision, change)
			return err
		})
		// All others wait while a transaction stands, so in one the key is neither opened
		// nor waited for: that is done here, between two.
		other := new(otherHeader)
		if !errors.As(err, &other) {
			break
		}
		if _, _, err := r.keys.open(ctx, other.stored); err != nil {
			return hawser.Connection{}, err
		}
	}
	switch {
	case err == nil:
		r.poller.wrote(name, made.previous, made.mark())
		return c, nil
	case made != nil:
		r.poller.mayHaveWritten(name)
	}
	return hawser.Connection{}, err
}

// attempt returns what it wrote, also if the commit failed, but nil if it wrote nothing.
func (r *Registry) attempt(
	ctx context.Context, action Action, name, revision string, change func(context.Context, *writing) (string, error),
) (c hawser.Connection, made *writing, err error) {
	tx, err := r.db().BeginTx(ctx, r.traits.begin)
	if err != nil {
		return c, nil, err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after a commit
	w, err := r.lock(ctx, tx, name)
	if err != nil {
		return c, nil, err
	}
	if err := w.compare(action, revision); err != nil {
		return c, nil, err
	}
	stored, err := change(ctx, w)
	if err != nil {
		return c, nil, err
	}
	if stored != "" {
		// What could not be read again must not be stored.
		if c, err = (definition{name: name, revision: w.revision, stored: stored}).connection(w.sealer); err != nil {
			return c, nil, err
		}
	}
	if err := w.store(ctx, action, stored); err != nil {
		return c, nil, err
	}
	if err := tx.Commit(); err != nil {
		return c, w, &commitError{err}
	}
	return c, w, nil
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
	return w, w.read(ctx)
}

// read reads what there is before the change.
func (w *writing) read(ctx context.Context) error {
	var revision database.NullInt64
	var stored, at, name database.NullString
	row := w.tx.QueryRowContext(ctx, w.r.text(`SELECT c.revision, c.definition, h.changed_at, h.name FROM {p}meta m
		LEFT JOIN {p}connections c ON c.name = ? LEFT JOIN {p}history h ON h.sequence = ? WHERE m.id = 1`), w.before.name, w.revision-1)
	if err := notEmpty(row.Scan(&revision, &stored, &at, &name)); err != nil {
		return err
	}
	w.before.revision, w.before.stored = revision.Int64, stored.String
	w.previous = mark{w.revision - 1, markText(at, name)}
	return nil
}

func (w *writing) mark() mark { return mark{w.revision, w.at + " " + w.before.name} }

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
		return fmt.Errorf("%w: %q was deleted, and was to be at revision %s", hawser.ErrConflict, name, hawser.Printable(revision))
	}
	return fmt.Errorf("%w: %q is at revision %s, not %s", hawser.ErrConflict, name, stored, hawser.Printable(revision))
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
