package file_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/registry/file"
	"github.com/hawser/hawser/registry/seal"
)

func Example() {
	dir, err := os.MkdirTemp("", "hawser")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "connections.yaml")
	err = os.WriteFile(path, []byte(`# Ours.
connections:
  bank: # see ticket 42
    protocol: sftp
    host: sftp.example.com
    auth: {user: acme, password: {ref: env:BANK_PASSWORD}}
`), 0o600)
	if err != nil {
		log.Fatal(err)
	}

	r, err := file.Open(path, file.Options{Key: seal.KeyFile(filepath.Join(dir, "key"))})
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	ctx := context.Background()
	c, err := r.Lookup(ctx, "bank")
	if err != nil {
		log.Fatal(err)
	}
	c.Port = 2222
	if _, err := r.Put(ctx, c); err != nil {
		log.Fatal(err)
	}
	_, err = r.Put(ctx, c) // whose revision is no longer the stored one
	fmt.Println("conflict:", errors.Is(err, hawser.ErrConflict))
	text, err := os.ReadFile(path)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(string(text))
	// Output:
	// conflict: true
	// # Ours.
	// connections:
	//   bank: # see ticket 42
	//     protocol: sftp
	//     host: sftp.example.com
	//     port: 2222
	//     auth: {user: acme, password: {ref: env:BANK_PASSWORD}}
}
