package hawser

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"time"
)

// FileSystem returns the files of the connection called name, as a FileSystem that
// opens a session for each operation and gives it back afterwards. So it
// outlives lost connections and changed definitions, and any number of goroutines
// may use it at once, as far as Limits lets them. It has every optional ability, and
// gives errors.ErrUnsupported where the session lacks it.
//
// A file holds its session until it is closed: a job that copies between two files
// needs two of Limits.Sessions. ReadDir reads the whole list before it yields, so
// that the loop holds none. What only reads, and failed because its session was lost,
// is done once more. Errors of opening a session are [*Error], those
// of files *fs.PathError as ever.
func (m *Manager) FileSystem(name string) FileSystem { return &pooledFS{m: m, name: name} }

type pooledFS struct {
	m    *Manager
	name string
}

// using runs fn with a T of a session.
func using[T any](ctx context.Context, f *pooledFS, fn func(T) error) error {
	return Use(ctx, f.m, f.name, func(_ context.Context, t T) error { return fn(t) })
}

// reading is using for what may be done twice.
func reading[T, R any](ctx context.Context, f *pooledFS, fn func(T) (R, error)) (result R, err error) {
	for range 2 {
		err = using(ctx, f, func(t T) error {
			result, err = fn(t)
			return err
		})
		if !errors.Is(err, ErrLost) || ctx.Err() != nil {
			break
		}
	}
	return result, err
}

func (f *pooledFS) Stat(ctx context.Context, name string) (fs.FileInfo, error) {
	return reading(ctx, f, func(fsys FileSystem) (fs.FileInfo, error) { return fsys.Stat(ctx, name) })
}

func (f *pooledFS) ReadDir(ctx context.Context, name string) iter.Seq2[fs.FileInfo, error] {
	return func(yield func(fs.FileInfo, error) bool) {
		entries, err := reading(ctx, f, func(fsys FileSystem) ([]fs.FileInfo, error) {
			return collect(fsys.ReadDir(ctx, name))
		})
		for _, entry := range entries {
			if !yield(entry, nil) {
				return
			}
		}
		if err != nil {
			yield(nil, err)
		}
	}
}

// collect returns what came before an error, too.
func collect(seq iter.Seq2[fs.FileInfo, error]) (entries []fs.FileInfo, err error) {
	for entry, err := range seq {
		if err != nil {
			return entries, err
		}
		entries = append(entries, entry)
	}
	return entries, nil
}

func (f *pooledFS) Open(ctx context.Context, name string, offset int64) (io.ReadCloser, error) {
	for tries := 2; ; tries-- {
		l, fsys, err := openAs[FileSystem](ctx, f.m, f.name)
		if err != nil {
			return nil, err
		}
		r, err := fsys.Open(ctx, name, offset)
		if err == nil {
			return &pooledReader{r, l}, nil
		}
		_ = l.Close()
		if tries == 1 || !errors.Is(err, ErrLost) || ctx.Err() != nil {
			return nil, err
		}
	}
}

func (f *pooledFS) Create(ctx context.Context, name string, offset int64) (io.WriteCloser, error) {
	l, fsys, err := openAs[FileSystem](ctx, f.m, f.name)
	if err != nil {
		return nil, err
	}
	w, err := fsys.Create(ctx, name, offset)
	if err != nil {
		_ = l.Close()
		return nil, err
	}
	return &pooledWriter{w, l}, nil
}

func (f *pooledFS) Mkdir(ctx context.Context, name string) error {
	return using(ctx, f, func(fsys FileSystem) error { return fsys.Mkdir(ctx, name) })
}

func (f *pooledFS) Rename(ctx context.Context, oldname, newname string) error {
	return using(ctx, f, func(fsys FileSystem) error { return fsys.Rename(ctx, oldname, newname) })
}

func (f *pooledFS) Remove(ctx context.Context, name string) error {
	return using(ctx, f, func(fsys FileSystem) error { return fsys.Remove(ctx, name) })
}

func (f *pooledFS) Chtimes(ctx context.Context, name string, mtime time.Time) error {
	return using(ctx, f, func(fsys FileSystem) error { return fsys.Chtimes(ctx, name, mtime) })
}
