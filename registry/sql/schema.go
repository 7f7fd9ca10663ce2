package sql

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// schemas has a folder for each dialect. 0.sql makes the table that says which
// version there is, n.sql makes version n of n-1.
//
//go:embed schema
var schemas embed.FS

// migrate makes the tables what this code needs. Tables that are so already are
// only read, so that a reader without any rights but those may open them.
func (r *Registry) migrate(ctx context.Context, files fs.FS) error {
	files, err := fs.Sub(files, path.Join("schema", string(r.options.Dialect)))
	if err != nil {
		return err
	}
	if r.schema, err = newestSchema(files); err != nil {
		return err
	}
	return retry(ctx, "migrate", func(context.Context) error { // which may take long
		stored, err := r.storedSchema(ctx)
		if err != nil || stored == r.schema {
			return err
		}
		return r.upgrade(ctx, files)
	})
}

func newestSchema(files fs.FS) (version int, err error) {
	for ; ; version++ {
		_, err := fs.Stat(files, fileOf(version+1))
		if errors.Is(err, fs.ErrNotExist) {
			return version, nil
		}
		if err != nil {
			return 0, err
		}
	}
}

func fileOf(version int) string { return fmt.Sprintf("%d.sql", version) }

// storedSchema is the version of the tables, 0 if there are none.
func (r *Registry) storedSchema(ctx context.Context) (version int, err error) {
	var tables int
	err = r.db().QueryRowContext(ctx, r.text(r.traits.exists), r.options.Prefix+"meta").Scan(&tables)
	if err != nil || tables == 0 {
		return 0, err
	}
	err = r.db().QueryRowContext(ctx, r.text(`SELECT version FROM {p}meta WHERE id = 1`)).Scan(&version)
	if err == nil {
		err = r.checkSchema(version)
	}
	return version, err
}

// checkSchema refuses tables that newer code made: what they mean is not known.
func (r *Registry) checkSchema(version int) error {
	if version <= r.schema {
		return nil
	}
	return fmt.Errorf("the tables %s* are of schema version %d, and this program knows versions up to %d; use a newer program",
		r.options.Prefix, version, r.schema)
}

// upgrade waits for others who do the same, and leaves to them what they did.
func (r *Registry) upgrade(ctx context.Context, files fs.FS) error {
	tx, err := r.db().BeginTx(ctx, r.traits.begin)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after a commit
	do := func(version int) error {
		text, err := fs.ReadFile(files, fileOf(version))
		if err != nil {
			return err
		}
		for statement := range strings.SplitSeq(strings.TrimSpace(string(text)), ";\n") {
			if _, err := tx.ExecContext(ctx, r.text(strings.TrimSuffix(statement, ";"))); err != nil {
				return fmt.Errorf("version %d of the schema: %w", version, err)
			}
		}
		return nil
	}
	if err := do(0); err != nil {
		return err
	}
	var stored int
	if err := tx.QueryRowContext(ctx, r.text(`SELECT version FROM {p}meta WHERE id = 1`)).Scan(&stored); err != nil {
		return err
	}
	if err := r.checkSchema(stored); err != nil {
		return err
	}
	for version := stored + 1; version <= r.schema; version++ {
		if err := do(version); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, r.text(`UPDATE {p}meta SET version = ? WHERE id = 1`), r.schema); err != nil {
		return err
	}
	return tx.Commit()
}
