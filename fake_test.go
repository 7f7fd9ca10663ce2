package hawser_test

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"iter"
	"net"
	"path"
	"sync"
	"testing/fstest"
	"time"

	"github.com/hawser/hawser"
)

// fakeDialer is a driver without a network. It remembers what it was asked.
type fakeDialer struct {
	dial func(ctx context.Context, c hawser.Connection) (hawser.Session, error) // nil: a fakeSession

	mu       sync.Mutex // guards all below
	dialed   []hawser.Connection
	sessions []*fakeSession
	closed   int
}

func (d *fakeDialer) Dial(ctx context.Context, c hawser.Connection) (hawser.Session, error) {
	d.mu.Lock()
	d.dialed = append(d.dialed, c)
	d.mu.Unlock()
	if d.dial != nil {
		return d.dial(ctx, c)
	}
	s := &fakeSession{}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sessions = append(d.sessions, s)
	return s, nil
}

func (d *fakeDialer) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed++
	return nil
}

func (d *fakeDialer) calls() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.dialed)
}

func (d *fakeDialer) last() hawser.Connection {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.dialed[len(d.dialed)-1]
}

// fakeSession has no capability.
type fakeSession struct {
	pingErr error

	mu     sync.Mutex // guards closed
	closed int
}

func (s *fakeSession) Ping(context.Context) error {
	if s.closes() > 0 {
		return net.ErrClosed
	}
	return s.pingErr
}

func (s *fakeSession) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed++
	return nil
}

func (s *fakeSession) closes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// fileSession is a session with files.
type fileSession struct {
	*fakeSession
	*memoryFiles
}

// wrapped is a wrapper of a session as DESIGN asks for: it hides nothing.
type wrapped struct{ hawser.Session }

func (w wrapped) Unwrap() hawser.Session { return w.Session }

// memoryFiles is a FileSystem to read from. Its errors have the server's names.
type memoryFiles struct {
	files    fstest.MapFS
	failRead error // what reading gives behind the content, in place of io.EOF
	writeTos int   // uses of the fast path
	opens    int
}

var _ hawser.FileSystem = (*memoryFiles)(nil)

func (m *memoryFiles) Stat(_ context.Context, name string) (fs.FileInfo, error) {
	info, err := m.files.Stat(path.Clean(name))
	if err != nil {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: fs.ErrNotExist}
	}
	return info, nil
}

func (m *memoryFiles) ReadDir(_ context.Context, name string) iter.Seq2[fs.FileInfo, error] {
	return func(yield func(fs.FileInfo, error) bool) {
		entries, err := m.files.ReadDir(path.Clean(name))
		if err != nil {
			yield(nil, &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrNotExist})
			return
		}
		for i := range entries { // a server lists in any order
			info, err := entries[len(entries)-1-i].Info()
			if !yield(info, err) {
				return
			}
		}
	}
}

func (m *memoryFiles) Open(ctx context.Context, name string, offset int64) (io.ReadCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	file, ok := m.files[path.Clean(name)]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	m.opens++
	data := file.Data[min(offset, int64(len(file.Data))):]
	return &memoryReader{m: m, name: name, content: bytes.NewReader(data)}, nil
}

func (m *memoryFiles) Create(context.Context, string, int64) (io.WriteCloser, error) {
	return nil, fs.ErrPermission
}
func (m *memoryFiles) Mkdir(context.Context, string) error              { return fs.ErrPermission }
func (m *memoryFiles) Rename(context.Context, string, string) error     { return fs.ErrPermission }
func (m *memoryFiles) Remove(context.Context, string) error             { return fs.ErrPermission }
func (m *memoryFiles) Chtimes(context.Context, string, time.Time) error { return fs.ErrPermission }

type memoryReader struct {
	m       *memoryFiles
	name    string
	content *bytes.Reader
}

func (r *memoryReader) Read(p []byte) (int, error) {
	n, err := r.content.Read(p)
	if err == io.EOF && r.m.failRead != nil {
		err = &fs.PathError{Op: "read", Path: r.name, Err: r.m.failRead}
	}
	return n, err
}

func (r *memoryReader) WriteTo(w io.Writer) (int64, error) {
	r.m.writeTos++
	n, err := r.content.WriteTo(w)
	if err == nil && r.m.failRead != nil {
		err = &fs.PathError{Op: "read", Path: r.name, Err: r.m.failRead}
	}
	return n, err
}

func (r *memoryReader) Close() error { return nil }

// failingRegistry yields conns and then err.
type failingRegistry struct {
	hawser.Registry
	conns []hawser.Connection
	err   error
}

func (r failingRegistry) All(context.Context) iter.Seq2[hawser.Connection, error] {
	return func(yield func(hawser.Connection, error) bool) {
		for _, c := range r.conns {
			if !yield(c, nil) {
				return
			}
		}
		yield(hawser.Connection{}, r.err)
	}
}
