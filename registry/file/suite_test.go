package file_test

import (
	"testing"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/hawsertest"
	"github.com/hawser/hawser/registry/file"
	"github.com/hawser/hawser/registry/seal"
)

// TestRegistry runs by itself, for the suite looks for goroutines that are left.
func TestRegistry(t *testing.T) {
	for _, name := range []string{"r.yaml", "r.json"} {
		for what, key := range map[string]*seal.Key{"with a key": newKey(t), "without a key": nil} {
			t.Run(name+" "+what, func(t *testing.T) {
				hawsertest.TestRegistry(t, func(t *testing.T, conns ...hawser.Connection) hawser.Registry {
					path := quickPath(t, name)
					file.Create(t, path, conns...)
					return open(t, path, file.Options{Key: key})
				})
			})
		}
	}
}
