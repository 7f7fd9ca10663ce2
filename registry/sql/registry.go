package sql

import (
	"context"
	database "database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"sync"

	"github.com/hawser/hawser"
)

// A Registry keeps connections in a database. It is safe for concurrent use, also
// with other Registries of the same tables, in this process and in others.
type Registry struct {
	db      func() *database.DB // a func, so that no formatter reaches its password
	options Options
	traits  traits
	schema  int // the version of the tables that this code knows
	keys    *keeper
	poller  *poller
	close   func()
}

var _ interface {
	hawser.Registry
	hawser.Writer
	hawser.Watcher
	hawser.Versioner
} = (*Registry)(nil)

// Open returns the registry in db, which the caller keeps open until after Close.
// Tables that are not there are made, and old ones are brought up to date; tables
// of a newer version of this package are refused. If nothing has to be done, the
// right to read suffices for all that only reads.
//
// A wrong key is an error that matches [seal.ErrKey]. ctx bounds Open alone.
func Open(ctx context.Context, db *database.DB, o Options) (*Registry, error) {
	return open(ctx, db, o, schemas)
}

func open(ctx context.Context, db *database.DB, o Options, files fs.FS) (*Registry, error) {
	o, err := o.complete()
	if err != nil {
		return nil, fmt.Errorf("sql registry: options: %w", err)
	}
	r := &Registry{
		db: func() *database.DB { return db }, options: o, traits: o.Dialect.traits(), keys: newKeeper(o.Key), poller: newPoller(),
	}
	if err := r.migrate(ctx, files); err != nil {
		return nil, fmt.Errorf("sql registry: %w", err)
	}
	state, err := r.state(ctx)
	if err != nil {
		return nil, fmt.Errorf("sql registry: %w", err)
	}
	if _, _, err := r.keys.open(ctx, state.seal); err != nil {
		return nil, fmt.Errorf("sql registry: %w", err)
	}
	now, err := r.count(ctx, state.changes)
	if err != nil {
		return nil, fmt.Errorf("sql registry: %w", err)
	}
	r.poller.seen = mark{state.changes, now.mark}
	r.close = r.start()
	return r, nil
}

// start begins to poll, and returns what ends it and waits for that.
func (r *Registry) start() (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var polling sync.WaitGroup
	polling.Go(func() { r.follow(ctx) })
	return sync.OnceFunc(func() {
		cancel()
		polling.Wait()
		r.poller.shut()
	})
}

// Close ends all watches. It waits until nothing that it started is left, and
// leaves the database open. What is called later fails with an error that matches
// net.ErrClosed; later calls of Close do nothing.
func (r *Registry) Close() error {
	r.close()
	return nil
}

// Version grows with each change that this Registry made or learnt of; see
// [hawser.Versioner].
func (r *Registry) Version() uint64 { return r.poller.version.Load() }

// Format writes which tables the registry has, for every verb.
func (r *Registry) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "registry in the %s tables %s*", string(r.options.Dialect), r.options.Prefix)
}

// check returns why there is nothing to do with ctx.
func (r *Registry) check(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if r.poller.isShut() {
		return errClosed
	}
	return nil
}

var errClosed = fmt.Errorf("sql registry: %w", net.ErrClosed)

// A state is the row of the table meta.
type state struct {
	version int
	changes int64 // that were made since the beginning
	pruned  int64 // the last change that is not in the history any more
	seal    string
}

func (r *Registry) state(ctx context.Context) (s state, err error) {
	err = retry(ctx, "read the state", func(ctx context.Context) error {
		row := r.db().QueryRowContext(ctx, r.text(`SELECT version, changes, pruned, seal FROM {p}meta WHERE id = 1`))
		return notEmpty(row.Scan(&s.version, &s.changes, &s.pruned, &s.seal))
	})
	return s, err
}

// notEmpty explains the error of a table meta that somebody has emptied.
func notEmpty(err error) error {
	if errors.Is(err, database.ErrNoRows) {
		return errors.New("the row of the table meta is gone; restore the tables from a backup")
	}
	return err
}

// query calls scan for each row. It returns when the connection to the database is
// free again.
func (r *Registry) query(ctx context.Context, query string, args []any, scan func(rows *database.Rows) error) error {
	rows, err := r.db().QueryContext(ctx, r.text(query), args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
