package sql

import (
	"context"
	database "database/sql"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/registry/seal"
)

// A definition is a row of the table connections.
type definition struct {
	name     string
	revision int64
	stored   string // JSON with sealed secrets
}

// connection is d as callers get it.
func (d definition) connection(sealer *seal.Sealer) (hawser.Connection, error) {
	c, err := sealer.Unmarshal([]byte(d.stored))
	if err != nil {
		return hawser.Connection{}, fmt.Errorf("stored connection %q: %w", d.name, err)
	}
	c.Name, c.Revision = d.name, revisionText(d.revision)
	return c, nil
}

func revisionText(n int64) string {
	if n == 0 {
		return "" // of what is not there
	}
	return strconv.FormatInt(n, 10)
}

// Lookup returns the connection called name as it is in the database now.
func (r *Registry) Lookup(ctx context.Context, name string) (hawser.Connection, error) {
	if err := r.check(ctx); err != nil {
		return hawser.Connection{}, err
	}
	if nameProblem(name) != "" {
		return hawser.Connection{}, fmt.Errorf("%w: %q", hawser.ErrNotFound, name)
	}
	d := definition{name: name}
	var now state
	err := retry(ctx, fmt.Sprintf("look up %q", name), func(ctx context.Context) error {
		var revision database.NullInt64
		var stored database.NullString
		row := r.db().QueryRowContext(ctx, r.text(`SELECT m.changes, m.seal, c.revision, c.definition
			FROM {p}meta m LEFT JOIN {p}connections c ON c.name = ? WHERE m.id = 1`), name)
		err := notEmpty(row.Scan(&now.changes, &now.seal, &revision, &stored))
		d.revision, d.stored = revision.Int64, stored.String
		return err
	})
	if err != nil {
		return hawser.Connection{}, err
	}
	r.poller.notice(now.changes)
	if d.revision == 0 {
		return r.missing(ctx, name)
	}
	sealer, _, err := r.keys.open(ctx, now.seal)
	if err != nil {
		return hawser.Connection{}, err
	}
	return d.connection(sealer)
}

// missing says that there is no connection called name, and which one may be meant.
func (r *Registry) missing(ctx context.Context, name string) (hawser.Connection, error) {
	const enough = 1000
	known := make([]hawser.Connection, 0, enough)
	// An error only leaves out the suggestion.
	bounded, cancel := within(ctx)
	defer cancel()
	_ = r.query(bounded, `SELECT name FROM {p}connections LIMIT ?`, []any{enough}, func(rows *database.Rows) error {
		var c hawser.Connection
		err := rows.Scan(&c.Name)
		if c.Name != name { // was made meanwhile
			known = append(known, c)
		}
		return err
	})
	if err := ctx.Err(); err != nil {
		return hawser.Connection{}, err
	}
	return hawser.NewMemory(known...).Lookup(ctx, name)
}

// All yields each connection that was there when the loop began.
func (r *Registry) All(ctx context.Context) iter.Seq2[hawser.Connection, error] {
	return func(yield func(hawser.Connection, error) bool) {
		all, sealer, err := r.definitions(ctx)
		if err != nil {
			yield(hawser.Connection{}, err)
			return
		}
		for _, d := range all {
			c, err := d.connection(sealer)
			if ctx.Err() != nil {
				err = ctx.Err()
			}
			if !yield(c, err) || err != nil {
				return
			}
		}
	}
}

func (r *Registry) definitions(ctx context.Context) (all []definition, sealer *seal.Sealer, err error) {
	if err := r.check(ctx); err != nil {
		return nil, nil, err
	}
	err = retry(ctx, "list", func(ctx context.Context) error {
		all = nil
		return r.query(ctx, `SELECT name, revision, definition FROM {p}connections`, nil, func(rows *database.Rows) error {
			var d definition
			err := rows.Scan(&d.name, &d.revision, &d.stored)
			all = append(all, d)
			return err
		})
	})
	if err != nil {
		return nil, nil, err
	}
	slices.SortFunc(all, func(a, b definition) int { return strings.Compare(a.name, b.name) })
	sealer, err = r.sealer(ctx)
	return all, sealer, err
}

// sealer is that for what was read before.
func (r *Registry) sealer(ctx context.Context) (*seal.Sealer, error) {
	now, err := r.state(ctx)
	if err != nil {
		return nil, err
	}
	r.poller.notice(now.changes)
	sealer, _, err := r.keys.open(ctx, now.seal)
	return sealer, err
}

// nameProblem says why no database may be asked for name, "" if it may. The index of
// PostgreSQL cannot hold much longer ones.
func nameProblem(name string) string {
	const longest = 1000
	switch {
	case len(name) > longest:
		return fmt.Sprintf("is longer than %d bytes", longest)
	case !utf8.ValidString(name):
		return "is not UTF-8"
	case strings.ContainsRune(name, 0):
		return "holds NUL"
	}
	return ""
}
