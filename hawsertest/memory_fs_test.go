package hawsertest

import (
	"context"
	"io"
	"io/fs"
	"iter"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hawser/hawser"
)

// memoryFS is a small correct FileSystem and Session in memory.
type memoryFS struct {
	mu     sync.Mutex // guards all below
	nodes  map[string]*node
	open   int // files
	closed bool
}

var _ interface {
	hawser.Session
	hawser.Leasable
	hawser.Parallel
	hawser.FileSystem
	hawser.Chmoder
	hawser.Symlinker
	hawser.Hasher
	hawser.SpaceReporter
} = (*memoryFS)(nil)

// A node is a file, a directory or a link. Those in the map are replaced, but
// for data, and so may be read as fs.FileInfo at any time.
type node struct {
	name string
	mode fs.FileMode
	time time.Time
	link string
	size int64
	data []byte
}

func (n node) Name() string       { return n.name }
func (n node) Size() int64        { return n.size }
func (n node) Mode() fs.FileMode  { return n.mode }
func (n node) ModTime() time.Time { return n.time }
func (n node) IsDir() bool        { return n.mode.IsDir() }
func (n node) Sys() any           { return nil }

func newMemoryFS() *memoryFS {
	return &memoryFS{nodes: map[string]*node{"/": {name: "/", mode: fs.ModeDir | 0o755, time: time.Now()}}}
}

func (m *memoryFS) Ping(ctx context.Context) error { return ctx.Err() }

func (m *memoryFS) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}

func (m *memoryFS) Lease(context.Context, hawser.Connection) error { return nil }
func (m *memoryFS) Parallelism() int                               { return 8 }

func (m *memoryFS) Reusable() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.open == 0 && !m.closed
}

// do runs fn, with m.mu held, on the clean form of names, unless a name or the
// ctx forbids it.
func (m *memoryFS) do(ctx context.Context, op string, fn func(names []string) error, names ...string) error {
	fail := func(err error) error { return &fs.PathError{Op: op, Path: names[0], Err: err} }
	var clean []string
	for _, name := range names {
		if name == "" || strings.ContainsAny(name, "\r\n\x00") {
			return &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
		}
		clean = append(clean, path.Clean("/"+name))
	}
	if err := ctx.Err(); err != nil {
		return fail(err)
	}
	for _, t := range hawser.ContextTraces(ctx) {
		if t.Sent != nil {
			t.Sent(hawser.Message{Text: op + " " + names[0]})
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := fn(clean); err != nil {
		return fail(err)
	}
	return nil
}

// node finds name; m.mu must be held.
func (m *memoryFS) node(name string, follow bool) (*node, error) {
	n := m.nodes[name]
	if n == nil {
		return nil, fs.ErrNotExist
	}
	if follow && n.link != "" {
		return m.node(path.Join(path.Dir(name), n.link), true)
	}
	return n, nil
}

// make adds n as name; m.mu must be held.
func (m *memoryFS) make(name string, n node) error {
	if parent := m.nodes[path.Dir(name)]; parent == nil {
		return fs.ErrNotExist
	}
	if m.nodes[name] != nil {
		return fs.ErrExist
	}
	n.name, n.time = path.Base(name), time.Now()
	m.nodes[name] = &n
	return nil
}

func (m *memoryFS) info(ctx context.Context, op, name string, follow bool) (fs.FileInfo, error) {
	var info node
	err := m.do(ctx, op, func(names []string) error {
		n, err := m.node(names[0], follow)
		if err == nil {
			info = *n
			info.name = path.Base(names[0])
		}
		return err
	}, name)
	if err != nil {
		return nil, err
	}
	return info, nil
}

func (m *memoryFS) Stat(ctx context.Context, name string) (fs.FileInfo, error) {
	return m.info(ctx, "stat", name, true)
}

func (m *memoryFS) ReadDir(ctx context.Context, name string) iter.Seq2[fs.FileInfo, error] {
	return func(yield func(fs.FileInfo, error) bool) {
		var entries []node
		err := m.do(ctx, "readdir", func(names []string) (err error) {
			entries, err = m.children(names[0])
			return err
		}, name)
		if err != nil {
			yield(nil, err)
			return
		}
		for _, e := range entries {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// children lists dir; m.mu must be held.
func (m *memoryFS) children(dir string) ([]node, error) {
	n, err := m.node(dir, true)
	if err != nil {
		return nil, err
	}
	if !n.IsDir() {
		return nil, fs.ErrInvalid
	}
	var entries []node
	for name, n := range m.nodes {
		if path.Dir(name) == dir && name != "/" {
			entries = append(entries, *n)
		}
	}
	slices.SortFunc(entries, func(a, b node) int { return strings.Compare(a.name, b.name) })
	return entries, nil
}

func (m *memoryFS) Mkdir(ctx context.Context, name string) error {
	return m.do(ctx, "mkdir", func(names []string) error {
		return m.make(names[0], node{mode: fs.ModeDir | 0o755})
	}, name)
}

func (m *memoryFS) Rename(ctx context.Context, oldname, newname string) error {
	return m.do(ctx, "rename", func(names []string) error {
		from, to := names[0], names[1]
		n, err := m.node(from, false)
		if err != nil {
			return err
		}
		if old := m.nodes[to]; old != nil && (old.IsDir() || n.IsDir()) {
			return fs.ErrExist
		}
		delete(m.nodes, to)
		if err := m.make(to, *n); err != nil {
			return err
		}
		m.nodes[to].time = n.time
		delete(m.nodes, from)
		for name, child := range m.nodes {
			if rest, ok := strings.CutPrefix(name, from+"/"); ok {
				delete(m.nodes, name)
				m.nodes[to+"/"+rest] = child
			}
		}
		return nil
	}, oldname, newname)
}

func (m *memoryFS) Remove(ctx context.Context, name string) error {
	return m.do(ctx, "remove", func(names []string) error {
		n, err := m.node(names[0], false)
		if err != nil {
			return err
		}
		if n.IsDir() {
			if children, _ := m.children(names[0]); len(children) > 0 {
				return fs.ErrExist
			}
		}
		delete(m.nodes, names[0])
		return nil
	}, name)
}

// change replaces the node that name leads to.
func (m *memoryFS) change(ctx context.Context, op, name string, fn func(n *node)) error {
	return m.do(ctx, op, func(names []string) error {
		n, err := m.node(names[0], true)
		if err == nil {
			fn(n)
		}
		return err
	}, name)
}

func (m *memoryFS) Chtimes(ctx context.Context, name string, mtime time.Time) error {
	return m.change(ctx, "chtimes", name, func(n *node) { n.time = mtime.Truncate(time.Second) })
}

func (m *memoryFS) Chmod(ctx context.Context, name string, mode fs.FileMode) error {
	return m.change(ctx, "chmod", name, func(n *node) { n.mode = n.mode.Type() | mode })
}

func (m *memoryFS) Open(ctx context.Context, name string, offset int64) (io.ReadCloser, error) {
	r := &memoryReader{m: m, ctx: ctx, name: name}
	err := m.do(ctx, "open", func(names []string) error {
		n, err := m.node(names[0], true)
		if err != nil {
			return err
		}
		if n.IsDir() {
			return fs.ErrInvalid
		}
		r.data = slices.Clone(n.data[min(offset, n.size):])
		m.open++
		return nil
	}, name)
	if err != nil {
		return nil, err
	}
	return r, nil
}

func (m *memoryFS) Create(ctx context.Context, name string, offset int64) (io.WriteCloser, error) {
	w := &memoryWriter{m: m, ctx: ctx, name: name}
	err := m.do(ctx, "create", func(names []string) error {
		n, err := m.node(names[0], true)
		if err != nil {
			if err := m.make(names[0], node{mode: 0o644}); err != nil {
				return err
			}
			n = m.nodes[names[0]]
		}
		if n.IsDir() || offset > n.size {
			return fs.ErrInvalid
		}
		n.data, n.size, n.time = n.data[:offset:offset], offset, time.Now()
		w.node = n
		m.open++
		return nil
	}, name)
	if err != nil {
		return nil, err
	}
	return w, nil
}
