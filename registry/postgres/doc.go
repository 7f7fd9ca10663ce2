// Package postgres keeps connections in PostgreSQL, as registry/sql does, and tells
// of changes at once: every change is told to all by NOTIFY in its own transaction,
// and each registry listens on one connection of its own.
//
//	reg, err := postgres.Open(ctx, os.Getenv("DATABASE_URL"), postgres.Options{Key: seal.KeyFile("hawser.key")})
//
// It shares its tables with registry/sql, which says what is in them, so one program
// may use that and another this.
package postgres
