package hawsertest

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"

	"github.com/hawser/hawser"
)

// memoryReader reads what the file was when it was opened. It holds a ctx
// because FileSystem.Open's governs it.
type memoryReader struct {
	m      *memoryFS
	ctx    context.Context
	name   string
	data   []byte
	closed bool
}

func (r *memoryReader) Read(p []byte) (int, error) {
	switch {
	case r.closed:
		return 0, &fs.PathError{Op: "read", Path: r.name, Err: fs.ErrClosed}
	case r.ctx.Err() != nil:
		return 0, &fs.PathError{Op: "read", Path: r.name, Err: r.ctx.Err()}
	case len(r.data) == 0:
		return 0, io.EOF
	}
	n := copy(p, r.data)
	r.data = r.data[n:]
	return n, nil
}

func (r *memoryReader) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(w, struct{ io.Reader }{r})
}

func (r *memoryReader) Close() error {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	if !r.closed {
		r.closed = true
		r.m.open--
	}
	return nil
}

// memoryWriter writes as it goes. It holds a ctx because FileSystem.Create's
// governs it.
type memoryWriter struct {
	m      *memoryFS
	ctx    context.Context
	name   string
	node   *node
	err    error // why the file is not complete
	closed bool
}

func (w *memoryWriter) Write(p []byte) (int, error) {
	w.m.mu.Lock()
	defer w.m.mu.Unlock()
	if w.closed {
		return 0, &fs.PathError{Op: "write", Path: w.name, Err: fs.ErrClosed}
	}
	if err := w.ctx.Err(); err != nil {
		return 0, &fs.PathError{Op: "write", Path: w.name, Err: err}
	}
	w.node.data = append(w.node.data, p...)
	w.node.size = int64(len(w.node.data))
	return len(p), nil
}

func (w *memoryWriter) ReadFrom(r io.Reader) (int64, error) {
	n, err := io.Copy(struct{ io.Writer }{w}, r)
	if err != nil && w.err == nil {
		w.err = err
	}
	return n, err
}

func (w *memoryWriter) Close() error {
	w.m.mu.Lock()
	defer w.m.mu.Unlock()
	if !w.closed {
		w.closed = true
		w.m.open--
		if w.err == nil {
			w.err = w.ctx.Err()
		}
	}
	if w.err == nil {
		return nil
	}
	return &hawser.PartialError{Name: w.name, Good: w.node.size, Err: w.err}
}

func (m *memoryFS) Symlink(ctx context.Context, oldname, newname string) error {
	return m.do(ctx, "symlink", func(names []string) error {
		return m.make(names[0], node{mode: fs.ModeSymlink | 0o777, link: oldname})
	}, newname)
}

func (m *memoryFS) ReadLink(ctx context.Context, name string) (string, error) {
	var link string
	err := m.do(ctx, "readlink", func(names []string) error {
		n, err := m.node(names[0], false)
		if err == nil && n.link == "" {
			err = fs.ErrInvalid
		}
		if err == nil {
			link = n.link
		}
		return err
	}, name)
	return link, err
}

func (m *memoryFS) Lstat(ctx context.Context, name string) (fs.FileInfo, error) {
	return m.info(ctx, "lstat", name, false)
}

func (m *memoryFS) Hash(ctx context.Context, algorithm, name string) ([]byte, error) {
	var sum []byte
	err := m.do(ctx, "hash", func(names []string) error {
		n, err := m.node(names[0], true)
		if err != nil {
			return err
		}
		switch algorithm {
		case "sha256":
			full := sha256.Sum256(n.data)
			sum = full[:]
		case "md5":
			full := md5.Sum(n.data)
			sum = full[:]
		default:
			return errors.ErrUnsupported
		}
		return nil
	}, name)
	return sum, err
}

func (m *memoryFS) Space(ctx context.Context, name string) (hawser.Space, error) {
	return hawser.Space{Total: 3 << 30, Free: 2 << 30, Available: 1 << 30}, m.do(ctx, "space", func([]string) error { return nil }, name)
}
