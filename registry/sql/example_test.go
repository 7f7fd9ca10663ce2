package sql_test

import (
	"context"
	database "database/sql"
	"fmt"
	"log"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // a driver of database/sql

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/registry/seal"
	"github.com/hawser/hawser/registry/sql"
)

// Connections in a file of SQLite, with a history from which a mistake is undone.
func Example() {
	folder, err := os.MkdirTemp("", "hawser")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(folder) }()
	db, err := database.Open("sqlite", "file:"+filepath.ToSlash(folder)+"/hawser.db?_pragma=journal_mode(wal)&_pragma=busy_timeout(5000)")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	ctx := context.Background()
	reg, err := sql.Open(ctx, db, sql.Options{
		Dialect: sql.SQLite,
		Key:     seal.KeyFile(filepath.Join(folder, "hawser.key")), // seals the passwords
		Actor:   "nightly import",
	})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = reg.Close() }()

	bank, err := reg.Put(ctx, hawser.Connection{
		Name: "bank", Protocol: hawser.SFTP, Host: "sftp.example.com",
		Auth: hawser.Auth{User: "jobs", Password: hawser.NewSecret("correct horse")},
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := reg.Delete(sql.WithActor(ctx, "alice"), "bank", bank.Revision); err != nil {
		log.Fatal(err)
	}
	if _, err := reg.Rollback(sql.WithActor(ctx, "bob"), "bank", bank.Revision, ""); err != nil {
		log.Fatal(err)
	}
	for entry, err := range reg.History(ctx, "bank") {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(entry.Revision, entry.Action, "by", entry.By)
	}
	// Output:
	// 3 rollback by bob
	// 2 delete by alice
	// 1 put by nightly import
}
