package postgres_test

import (
	"context"
	"log"
	"os"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/registry/postgres"
	"github.com/hawser/hawser/registry/seal"
)

// A registry that many machines share. Its changes are told to all of them at once.
func Example() {
	ctx := context.Background()
	reg, err := postgres.Open(ctx, os.Getenv("DATABASE_URL"), postgres.Options{
		Key: seal.KeyFile("/etc/hawser/key"), // the same on every machine
	})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = reg.Close() }()
	manager := hawser.Manager{Registry: reg}
	defer func() { _ = manager.Close() }()
}
