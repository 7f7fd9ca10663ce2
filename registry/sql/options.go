package sql

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/registry/seal"
)

// A Dialect is the kind of a database.
type Dialect string

// The dialects.
const (
	SQLite     Dialect = "sqlite"
	PostgreSQL Dialect = "postgresql"
)

// Options are how a [Registry] uses its database. All but Dialect may be zero.
type Options struct {
	Dialect Dialect
	// Key seals literal secrets. Nil refuses them, and gives those that are stored
	// as references.
	Key *seal.Key
	// Prefix begins the names of the tables: a letter of a to z or _, then also
	// digits, at most 32. "" is "hawser_". Registries of different prefixes in one
	// database know nothing of each other. In PostgreSQL the search_path says
	// which schema has the tables.
	Prefix string
	// Poll is how long a change that was made through another [Registry] may go
	// unnoticed by watches. Each time costs the read of one row, while there is a
	// watch. Zero: 2s.
	Poll time.Duration
	// Actor is who the history says made a change, unless the context of the
	// change says otherwise, see [WithActor].
	Actor string
}

const (
	defaultPrefix = "hawser_"
	defaultPoll   = 2 * time.Second
)

var prefixes = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,31}$`)

// complete fills in what is zero, and refuses what makes no sense.
func (o Options) complete() (Options, error) {
	if o.Prefix == "" {
		o.Prefix = defaultPrefix
	}
	if o.Poll == 0 {
		o.Poll = defaultPoll
	}
	switch {
	case o.Dialect != SQLite && o.Dialect != PostgreSQL:
		return o, fmt.Errorf("dialect %q; want %q or %q", string(o.Dialect), string(SQLite), string(PostgreSQL))
	case !prefixes.MatchString(o.Prefix):
		return o, fmt.Errorf("prefix %q; want at most 32 of a to z, 0 to 9 and _, the first no digit", o.Prefix)
	case o.Poll < 0:
		return o, errors.New("poll is negative")
	}
	return o, nil
}

type actorKey struct{}

// WithActor returns a context the changes of which are made by actor, the user of
// a web page for example, as the history will say.
func WithActor(ctx context.Context, actor string) context.Context {
	return context.WithValue(ctx, actorKey{}, actor)
}

// actor is who makes a change in ctx, as text that every database takes.
func (o Options) actor(ctx context.Context) string {
	actor, ok := ctx.Value(actorKey{}).(string)
	if !ok {
		actor = o.Actor
	}
	return hawser.Printable(actor)
}
