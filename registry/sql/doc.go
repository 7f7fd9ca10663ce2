// Package sql keeps connections in a database, through any driver of
// database/sql for SQLite (3.35 or later) or PostgreSQL, which many processes share.
// Module registry/postgres adds to the latter that changes are told at once.
//
// The caller opens the database, keeps it and closes it. For SQLite it should be in
// WAL mode, so that lookups and changes do not wait for each other, with a
// busy_timeout; with modernc.org/sqlite:
//
//	db, err := database.Open("sqlite", "file:hawser.db?_pragma=journal_mode(wal)&_pragma=busy_timeout(5000)")
//	reg, err := sql.Open(ctx, db, sql.Options{Dialect: sql.SQLite, Key: seal.KeyFile("hawser.key")})
//
// Open makes the tables, or brings them up to date; see [Options].Prefix for their
// names:
//
//   - hawser_connections has each connection by its name: its definition, which is
//     the stored JSON of a hawser.Connection with its secrets sealed, its
//     revision, and who changed it last, when.
//   - hawser_history has every change that was made, with the definition of then,
//     sealed too; see [Registry.History], [Registry.Rollback] and [Registry.Prune].
//   - hawser_meta has one row: the version of the schema, how many changes there
//     were, and the header of the key.
//
// Whoever changes a definition first locks that row and counts one more, so changes
// are strictly one after the other, and the count is the revision of what was
// changed: it never comes twice, also not for a name that was deleted and made
// again. A registry that is watched reads the count now and then, see
// [Options].Poll, and so learns of the changes of others.
//
// Only a restore from a backup can repeat revisions. Watches that stand meanwhile are
// told of it, as of a change of any connection; but a revision that a caller kept from
// before may be that of another definition now.
package sql
