package hawser

import (
	"context"
	"io/fs"
)

var _ interface {
	FileSystem
	Chmoder
	Symlinker
	Hasher
	SpaceReporter
} = (*pooledFS)(nil)

func (f *pooledFS) Chmod(ctx context.Context, name string, mode fs.FileMode) error {
	return using(ctx, f, func(s Chmoder) error { return s.Chmod(ctx, name, mode) })
}

func (f *pooledFS) Symlink(ctx context.Context, oldname, newname string) error {
	return using(ctx, f, func(s Symlinker) error { return s.Symlink(ctx, oldname, newname) })
}

func (f *pooledFS) ReadLink(ctx context.Context, name string) (string, error) {
	return reading(ctx, f, func(s Symlinker) (string, error) { return s.ReadLink(ctx, name) })
}

func (f *pooledFS) Hash(ctx context.Context, algorithm, name string) ([]byte, error) {
	return reading(ctx, f, func(s Hasher) ([]byte, error) { return s.Hash(ctx, algorithm, name) })
}

func (f *pooledFS) Lstat(ctx context.Context, name string) (fs.FileInfo, error) {
	return reading(ctx, f, func(s Symlinker) (fs.FileInfo, error) { return s.Lstat(ctx, name) })
}

func (f *pooledFS) Space(ctx context.Context, name string) (Space, error) {
	return reading(ctx, f, func(s SpaceReporter) (Space, error) { return s.Space(ctx, name) })
}
