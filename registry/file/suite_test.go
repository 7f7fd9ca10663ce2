package file_test

import (
	"fmt"
	"testing"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/hawsertest"
	"github.com/hawser/hawser/registry/file"
	"github.com/hawser/hawser/registry/seal"
)

// TestRegistry runs by itself, for the suite looks for goroutines that are left.
func TestRegistry(t *testing.T) {
	for _, row := range []struct {
		name string
		key  *seal.Key
	}{
		{"r.yaml", newKey(t)},
		{"r.yaml", nil},
		{"r.json", newKey(t)},
	} {
		t.Run(fmt.Sprintf("%s with a key: %t", row.name, row.key != nil), func(t *testing.T) {
			hawsertest.TestRegistry(t, func(t *testing.T, conns ...hawser.Connection) hawser.Registry {
				path := quickPath(t, row.name)
				file.Create(t, path, conns...)
				return open(t, path, file.Options{Key: row.key})
			})
		})
	}
}
