package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/registry/file"
	"github.com/hawser/hawser/registry/seal"
)

// stored is the connections of the program, in a file that an administrator might
// as well edit by hand. Secrets in it are sealed by a key that lies elsewhere.
type stored struct {
	*file.Registry
	dir string
}

// store makes such a file of conns, here in a directory that goes with the program.
func store(ctx context.Context, conns ...hawser.Connection) (*stored, error) {
	dir, err := os.MkdirTemp("", "hawser-scheduler-")
	if err != nil {
		return nil, err
	}
	key := seal.KeyFile(filepath.Join(dir, "key"))
	reg, err := file.Open(filepath.Join(dir, "connections.yaml"), file.Options{Key: key})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	s := &stored{reg, dir}
	for _, c := range conns {
		if _, err := reg.Put(ctx, c); err != nil {
			return nil, errors.Join(err, s.close())
		}
	}
	return s, nil
}

func (s *stored) close() error { return errors.Join(s.Registry.Close(), os.RemoveAll(s.dir)) }
