package sql

import (
	database "database/sql"
	"strconv"
	"strings"
)

// traits are what differs between dialects.
type traits struct {
	numbered bool   // parameters are $1 and $2, and not ?
	exists   string // counts the tables of a name
	now      string // the time, as clock formats it
	notify   string // tells a channel of a text when the transaction commits; "" for none
	begin    *database.TxOptions
}

// clock is how times are stored: as text that sorts, and that people read, in UTC.
const clock = "2006-01-02T15:04:05.000000Z"

func (d Dialect) traits() traits {
	if d == PostgreSQL {
		return traits{
			numbered: true,
			exists:   `SELECT count(*) FROM pg_class WHERE oid = to_regclass(?)`,
			now:      `to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`,
			notify:   `SELECT pg_notify(?, ?)`,
			// Each statement sees what was committed before it, and so also what was
			// while it waited for a lock.
			begin: &database.TxOptions{Isolation: database.LevelReadCommitted},
		}
	}
	return traits{
		exists: `SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = ?`,
		now:    `strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z'`,
	}
}

// text is query in the dialect, with the names of the tables. No literal in query
// holds a question mark.
func (r *Registry) text(query string) string {
	query = strings.ReplaceAll(query, "{p}", r.options.Prefix)
	if !r.traits.numbered {
		return query
	}
	var b strings.Builder
	for n := 1; ; n++ {
		before, after, found := strings.Cut(query, "?")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteString("$" + strconv.Itoa(n))
		query = after
	}
}
