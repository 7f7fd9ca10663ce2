package hawsertest

import (
	"context"
	"io"
	"io/fs"
	"iter"
	"testing"
	"time"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/require"
)

func TestFileSystemOfMemory(t *testing.T) {
	TestFileSystem(t, func(*testing.T) hawser.FileSystem { return newMemoryFS() })
}

func TestFileSystemThatCanDoNothingElse(t *testing.T) {
	TestFileSystem(t, func(*testing.T) hawser.FileSystem {
		return struct{ hawser.FileSystem }{newMemoryFS()}
	})
}

// A FileSystem under test may list its directories wrongly, and the suite
// removes what it made by those listings.
func TestCleanUpRemovesNothingElse(t *testing.T) {
	outside := map[string]func(dir string, entries []fs.FileInfo) []fs.FileInfo{
		"dot entries": dotted,
		"paths":       changed(func(n *node) { n.name = "../" + n.name }),
		"no names":    changed(func(n *node) { n.name = "" }),
	}
	for what, change := range outside {
		t.Run(what, func(t *testing.T) {
			m := newMemoryFS()
			b := &bentFS{memoryFS: m, stat: m.Stat, create: m.Create, mkdir: m.Mkdir, remove: m.Remove, reusable: m.Reusable}
			lists(change)(b)
			require.NoError(t, m.Mkdir(t.Context(), "precious"))
			require.NoError(t, m.Mkdir(t.Context(), "suite"))
			require.NoError(t, opened(m.Create(t.Context(), "precious/file", 0)))
			require.NoError(t, opened(m.Create(t.Context(), "suite/file", 0)))
			require.NoError(t, opened(m.Create(t.Context(), "file", 0)))
			require.Error(t, removeAll(t.Context(), b, "suite", depth))
			for _, name := range []string{"precious/file", "file"} {
				_, err := m.Stat(t.Context(), name)
				require.NoError(t, err, "Stat of %s, which is not the suite's", name)
			}
		})
	}
}

// bentFS is a correct FileSystem of which some calls are replaced.
type bentFS struct {
	*memoryFS
	last     *node // for a bug; guarded by memoryFS.mu
	stat     func(ctx context.Context, name string) (fs.FileInfo, error)
	readDir  func(ctx context.Context, name string) iter.Seq2[fs.FileInfo, error]
	open     func(ctx context.Context, name string, offset int64) (io.ReadCloser, error)
	create   func(ctx context.Context, name string, offset int64) (io.WriteCloser, error)
	mkdir    func(ctx context.Context, name string) error
	rename   func(ctx context.Context, oldname, newname string) error
	remove   func(ctx context.Context, name string) error
	chtimes  func(ctx context.Context, name string, mtime time.Time) error
	chmod    func(ctx context.Context, name string, mode fs.FileMode) error
	hash     func(ctx context.Context, algorithm, name string) ([]byte, error)
	space    func(ctx context.Context, name string) (hawser.Space, error)
	reusable func() bool
}

func (b *bentFS) Stat(ctx context.Context, name string) (fs.FileInfo, error) {
	return b.stat(ctx, name)
}

func (b *bentFS) ReadDir(ctx context.Context, name string) iter.Seq2[fs.FileInfo, error] {
	return b.readDir(ctx, name)
}

func (b *bentFS) Open(ctx context.Context, name string, offset int64) (io.ReadCloser, error) {
	return b.open(ctx, name, offset)
}

func (b *bentFS) Create(ctx context.Context, name string, offset int64) (io.WriteCloser, error) {
	return b.create(ctx, name, offset)
}
func (b *bentFS) Mkdir(ctx context.Context, name string) error { return b.mkdir(ctx, name) }
func (b *bentFS) Rename(ctx context.Context, oldname, newname string) error {
	return b.rename(ctx, oldname, newname)
}
func (b *bentFS) Remove(ctx context.Context, name string) error { return b.remove(ctx, name) }

func (b *bentFS) Chtimes(ctx context.Context, name string, mtime time.Time) error {
	return b.chtimes(ctx, name, mtime)
}

func (b *bentFS) Chmod(ctx context.Context, name string, mode fs.FileMode) error {
	return b.chmod(ctx, name, mode)
}

func (b *bentFS) Hash(ctx context.Context, algorithm, name string) ([]byte, error) {
	return b.hash(ctx, algorithm, name)
}

func (b *bentFS) Space(ctx context.Context, name string) (hawser.Space, error) {
	return b.space(ctx, name)
}
func (b *bentFS) Reusable() bool { return b.reusable() }

// bendFS returns a suite of FileSystems that bug bends.
func bendFS(bug func(b *bentFS)) func(t *testing.T) {
	return func(t *testing.T) {
		TestFileSystem(t, func(*testing.T) hawser.FileSystem {
			m := newMemoryFS()
			b := &bentFS{
				memoryFS: m, stat: m.Stat, readDir: m.ReadDir, open: m.Open, create: m.Create, mkdir: m.Mkdir, rename: m.Rename,
				remove: m.Remove, chtimes: m.Chtimes, chmod: m.Chmod, hash: m.Hash, space: m.Space, reusable: m.Reusable,
			}
			bug(b)
			return b
		})
	}
}

// bentReader is a correct reader of which some calls are replaced.
type bentReader struct {
	*memoryReader
	read    func(p []byte) (int, error)
	writeTo func(w io.Writer) (int64, error)
	close   func() error
}

func (r *bentReader) Read(p []byte) (int, error)             { return r.read(p) }
func (r *bentReader) WriteTo(w io.Writer) (int64, error)     { return r.writeTo(w) }
func (r *bentReader) Close() error                           { return r.close() }
func (w *bentWriter) Write(p []byte) (int, error)            { return w.write(p) }
func (w *bentWriter) ReadFrom(from io.Reader) (int64, error) { return w.readFrom(from) }
func (w *bentWriter) Close() error                           { return w.close() }

// bentWriter is a correct writer of which some calls are replaced.
type bentWriter struct {
	*memoryWriter
	write    func(p []byte) (int, error)
	readFrom func(from io.Reader) (int64, error)
	close    func() error
}

// bendReader returns a suite whose readers bug bends.
func bendReader(bug func(r *bentReader)) func(t *testing.T) {
	return bendFS(func(b *bentFS) {
		b.open = func(ctx context.Context, name string, offset int64) (io.ReadCloser, error) {
			r, err := b.memoryFS.Open(ctx, name, offset)
			if err != nil {
				return nil, err
			}
			m := r.(*memoryReader)
			bent := &bentReader{memoryReader: m, read: m.Read, writeTo: m.WriteTo, close: m.Close}
			bug(bent)
			return bent, nil
		}
	})
}

// bendWriter returns a suite whose writers bug bends.
func bendWriter(bug func(w *bentWriter)) func(t *testing.T) {
	return bendFS(func(b *bentFS) {
		b.create = func(ctx context.Context, name string, offset int64) (io.WriteCloser, error) {
			w, err := b.memoryFS.Create(ctx, name, offset)
			if err != nil {
				return nil, err
			}
			m := w.(*memoryWriter)
			bent := &bentWriter{memoryWriter: m, write: m.Write, readFrom: m.ReadFrom, close: m.Close}
			bug(bent)
			return bent, nil
		}
	})
}

// set replaces the content of w's file.
func (w *memoryWriter) set(change func(data []byte) []byte) {
	w.m.mu.Lock()
	defer w.m.mu.Unlock()
	w.node.data = change(w.node.data)
	w.node.size = int64(len(w.node.data))
}
