package postgres

import (
	"context"
	database "database/sql"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/hawser/hawser/registry/seal"
	"github.com/hawser/hawser/registry/sql"
)

// Options are how a [Registry] uses its database. All may be zero; but for Poll and
// InsecureLogin they are those of [sql.Options].
type Options struct {
	Key    *seal.Key
	Prefix string
	Actor  string
	// Poll is how often the registry looks for changes though it was told of none, as
	// a net below NOTIFY, while there is a watch. Zero: 30s. While it cannot listen,
	// because the server is a standby for example, it looks whenever it tries
	// again, which is every 5s at the latest.
	Poll time.Duration
	// InsecureLogin lets the password go to another machine in the clear.
	InsecureLogin bool

	listening listening // zero: the defaults
}

const (
	defaultPoll = 30 * time.Second
	// maxConns and idleTime bound the connections beside that which listens.
	maxConns = 4
	idleTime = 5 * time.Minute
)

// A Registry keeps connections in PostgreSQL. It has all that a [sql.Registry] has,
// the history too, and is safe for concurrent use as that is.
type Registry struct {
	*sql.Registry
	db       func() *database.DB // a func, so that no formatter reaches the password
	listener *listener
}

// Open returns the registry in the database of dsn, a URL or a list of key=value, as
// for libpq: sslmode and sslrootcert say how the server is trusted, search_path where
// the tables are. Where nothing says an sslmode and the server is on another machine,
// it is verify-full, and not the "prefer" of libpq. A password that could go there in
// the clear, as by an sslmode of disable, allow or prefer, is refused unless
// InsecureLogin. See [sql.Open] for what is made there, and how it can fail. No error
// shows the password. The caller closes the Registry.
func Open(ctx context.Context, dsn string, o Options) (*Registry, error) {
	config, err := parse(dsn)
	if err != nil {
		return nil, refusal(err)
	}
	return OpenConfig(ctx, config, o)
}

// refusal is err without its text, which can quote a password that is written wrong.
func refusal(err error) error {
	if file := new(fs.PathError); errors.As(err, &file) {
		return fmt.Errorf("postgres registry: the DSN names a file: %w", file)
	}
	return errors.New("postgres registry: the DSN cannot be read; want postgres://user:password@host:port/database?sslmode=verify-full " +
		"with % escapes, or a list such as host=h user=u")
}

// OpenConfig is Open for a configuration that was made by pgx.ParseConfig, and may
// have been changed since. It keeps a copy. The default of pgx.ParseConfig is "prefer",
// so to send a password to another machine, the sslmode must be given.
func OpenConfig(ctx context.Context, config *pgx.ConnConfig, o Options) (*Registry, error) {
	if err := check(config, o); err != nil {
		return nil, err
	}
	config = config.Copy()
	if o.Poll == 0 {
		o.Poll = defaultPoll
	}
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(maxConns)
	db.SetMaxIdleConns(maxConns)
	db.SetConnMaxIdleTime(idleTime)
	inner, err := sql.Open(ctx, db, sql.Options{
		Dialect: sql.PostgreSQL, Key: o.Key, Prefix: o.Prefix, Poll: o.Poll, Actor: o.Actor,
	})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	l := &listener{
		config:  func() *pgx.ConnConfig { return config },
		channel: inner.Channel(), nudge: inner.Nudge, listening: o.listening.complete(),
	}
	l.start()
	return &Registry{Registry: inner, db: func() *database.DB { return db }, listener: l}, nil
}

// Close ends all watches and closes the connections to the database, and waits until
// nothing is left. Later calls do nothing.
func (r *Registry) Close() error {
	r.listener.stop()
	return errors.Join(r.Registry.Close(), r.db().Close())
}
