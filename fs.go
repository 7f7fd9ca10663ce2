package hawser

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// FS views fsys below root as an io/fs file system. It is bound to ctx, which
// every operation of it uses; it is as safe for concurrent use as fsys is. An
// empty root is the login directory. Its files have WriteTo, so io.Copy from
// one is the fast path, and Seek.
func FS(ctx context.Context, fsys FileSystem, root string) fs.FS {
	return &ioFS{ctx: ctx, fsys: fsys, root: root}
}

// ioFS holds a ctx because io/fs has no place for one.
type ioFS struct {
	ctx  context.Context
	fsys FileSystem
	root string
}

var _ interface {
	fs.StatFS
	fs.ReadDirFS
} = (*ioFS)(nil)

// Open opens a file or a directory.
func (f *ioFS) Open(name string) (fs.File, error) {
	info, err := f.stat("open", name)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return &ioDir{fsys: f, name: name, info: info}, nil
	}
	return &ioFile{fsys: f, name: name, info: info}, nil
}

// Stat describes a file or a directory.
func (f *ioFS) Stat(name string) (fs.FileInfo, error) { return f.stat("stat", name) }

// ReadDir lists a directory, sorted by name.
func (f *ioFS) ReadDir(name string) ([]fs.DirEntry, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrInvalid}
	}
	var entries []fs.DirEntry
	for info, err := range f.fsys.ReadDir(f.ctx, f.remote(name)) {
		if err != nil {
			return entries, renamed("readdir", name, err)
		}
		entries = append(entries, fs.FileInfoToDirEntry(info))
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, nil
}

func (f *ioFS) stat(op, name string) (fs.FileInfo, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	info, err := f.fsys.Stat(f.ctx, f.remote(name))
	if err != nil {
		return nil, renamed(op, name, err)
	}
	return namedInfo{FileInfo: info, name: path.Base(name)}, nil
}

// remote is the server's name of name.
func (f *ioFS) remote(name string) string {
	switch {
	case f.root == "":
		return name
	case name == ".":
		return f.root
	}
	return strings.TrimSuffix(f.root, "/") + "/" + name
}

// renamed gives err the name that the user of the fs.FS knows.
func renamed(op, name string, err error) error {
	if pathError, ok := err.(*fs.PathError); ok { // wrapped deeper, more would be lost than the name
		err = pathError.Err
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}

// namedInfo has the name by which a file was opened: the root of an fs.FS is
// ".", whatever the server calls it.
type namedInfo struct {
	fs.FileInfo
	name string
}

func (i namedInfo) Name() string { return i.name }

// ioFile opens the remote file when it is first read, so that opening to Stat
// costs one round trip.
type ioFile struct {
	fsys   *ioFS
	name   string
	info   fs.FileInfo
	offset int64
	reader io.ReadCloser // nil until read
	closed bool
}

var _ interface {
	fs.File
	io.Seeker
	io.WriterTo
} = (*ioFile)(nil)

func (f *ioFile) Stat() (fs.FileInfo, error) {
	if f.closed {
		return nil, &fs.PathError{Op: "stat", Path: f.name, Err: fs.ErrClosed}
	}
	return f.info, nil
}

func (f *ioFile) Read(p []byte) (int, error) {
	if err := f.open(); err != nil {
		return 0, err
	}
	n, err := f.reader.Read(p)
	f.offset += int64(n)
	return n, f.renamed(err)
}

func (f *ioFile) WriteTo(w io.Writer) (int64, error) {
	if err := f.open(); err != nil {
		return 0, err
	}
	n, err := io.Copy(w, f.reader)
	f.offset += n
	return n, f.renamed(err)
}

// renamed leaves alone what is not of this file, such as an error of a writer.
func (f *ioFile) renamed(err error) error {
	if pathError, ok := err.(*fs.PathError); ok && pathError.Path == f.fsys.remote(f.name) {
		return renamed("read", f.name, err)
	}
	return err
}

func (f *ioFile) Seek(offset int64, whence int) (int64, error) {
	if f.closed {
		return 0, &fs.PathError{Op: "seek", Path: f.name, Err: fs.ErrClosed}
	}
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		offset += f.offset
	case io.SeekEnd:
		offset += f.info.Size()
	default:
		offset = -1
	}
	if offset < 0 {
		return 0, &fs.PathError{Op: "seek", Path: f.name, Err: fs.ErrInvalid}
	}
	if offset != f.offset && f.reader != nil {
		f.reader.Close() // of a reader: it loses nothing
		f.reader = nil
	}
	f.offset = offset
	return offset, nil
}

func (f *ioFile) Close() error {
	if f.closed {
		return &fs.PathError{Op: "close", Path: f.name, Err: fs.ErrClosed}
	}
	f.closed = true
	if f.reader == nil {
		return nil
	}
	return f.reader.Close()
}

func (f *ioFile) open() error {
	if f.closed {
		return &fs.PathError{Op: "read", Path: f.name, Err: fs.ErrClosed}
	}
	if f.reader != nil {
		return nil
	}
	r, err := f.fsys.fsys.Open(f.fsys.ctx, f.fsys.remote(f.name), f.offset)
	if err != nil {
		return renamed("open", f.name, err)
	}
	f.reader = r
	return nil
}

// ioDir lists its directory when it is first read.
type ioDir struct {
	fsys    *ioFS
	name    string
	info    fs.FileInfo
	entries []fs.DirEntry
	listed  bool
}

func (d *ioDir) Stat() (fs.FileInfo, error) { return d.info, nil }
func (d *ioDir) Close() error               { return nil }

func (d *ioDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.name, Err: errors.New("is a directory")}
}

// ReadDir follows fs.ReadDirFile.
func (d *ioDir) ReadDir(n int) ([]fs.DirEntry, error) {
	if !d.listed {
		entries, err := d.fsys.ReadDir(d.name)
		if err != nil {
			return nil, err
		}
		d.entries, d.listed = entries, true
	}
	if n <= 0 {
		n = len(d.entries)
	} else if len(d.entries) == 0 {
		return nil, io.EOF
	}
	n = min(n, len(d.entries))
	some := d.entries[:n:n]
	d.entries = d.entries[n:]
	return some, nil
}
