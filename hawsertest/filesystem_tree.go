package hawsertest

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"time"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func treeRules() []rule[*files] {
	return []rule[*files]{
		{"Stat describes files and directories", "size, type and time decide what a job does with a file", statDescribes},
		{"a missing file matches fs.ErrNotExist", "a file that is not there yet is the daily case; each *fs.PathError names it", missing},
		{"a missing parent directory is an error", "an upload into a directory that is not there must not seem to work", missingParent},
		{"Mkdir of what exists matches fs.ErrExist", "callers make sure of a directory by Mkdir and pass over fs.ErrExist", mkdirExisting},
		{"Remove removes files and empty directories", "and nothing else", removes},
		{"Remove of a directory that is not empty fails", "and removes nothing: there is no recursion by accident", removeFull},
		{"Rename moves files and directories", "within a directory, and into another", renames},
		{"Rename onto a file replaces it or changes nothing", "the new content in one step, or fs.ErrExist and both files as they were", renameOnto},
		{"Chtimes sets the time to the second", "mirrors compare times", chtimes},
	}
}

func statDescribes(f *files) {
	f.write(f.path("file"), content(12345))
	file, dir := f.stat(f.path("file")), f.stat(f.mkdir("sub"))
	assert.Equal(f, "file", file.Name(), "Name of a file: the last element")
	assert.EqualValues(f, 12345, file.Size(), "Size of a file")
	assert.False(f, file.IsDir(), "IsDir of a file")
	assert.True(f, file.Mode().IsRegular(), "Mode of a file is %v, want a regular one", file.Mode())
	assert.True(f, sensible(file.ModTime()), "ModTime of a file just written is %v", file.ModTime())
	assert.Equal(f, "sub", dir.Name(), "Name of a directory: the last element")
	for name, info := range map[string]fs.FileInfo{"sub": dir, ".": f.stat(".")} {
		assert.True(f, info.IsDir(), "IsDir of %q", name)
		assert.Equal(f, fs.ModeDir, info.Mode().Type(), "Mode type of %q", name)
	}
}

// An operation is a call with one name. All of them must refuse the same names
// and contexts.
type operation struct {
	op    string
	call  func(ctx context.Context, name string) error
	makes bool // name is of something new
}

func (f *files) operations() []operation {
	file := f.path("present")
	ops := []operation{
		{"Stat", func(ctx context.Context, name string) error { return second(f.fsys.Stat(ctx, name)) }, false},
		{"ReadDir", func(ctx context.Context, name string) error { return second(list(ctx, f.fsys, name)) }, false},
		{"Open", func(ctx context.Context, name string) error { return opened(f.fsys.Open(ctx, name, 0)) }, false},
		{"Create", func(ctx context.Context, name string) error { return opened(f.fsys.Create(ctx, name, 0)) }, true},
		{"Mkdir", f.fsys.Mkdir, true},
		{"Rename from", func(ctx context.Context, name string) error { return f.fsys.Rename(ctx, name, file+"-2") }, false},
		{"Rename to", func(ctx context.Context, name string) error { return f.fsys.Rename(ctx, file, name) }, true},
		{"Remove", f.fsys.Remove, false},
		{"Chtimes", func(ctx context.Context, name string) error { return f.fsys.Chtimes(ctx, name, time.Now()) }, false},
	}
	return append(ops, f.optionalOperations()...)
}

func (f *files) optionalOperations() []operation {
	var ops []operation
	if c, ok := ability[hawser.Chmoder](f.fsys); ok {
		ops = append(ops, operation{"Chmod", func(ctx context.Context, name string) error { return c.Chmod(ctx, name, 0o644) }, false})
	}
	if s, ok := ability[hawser.Symlinker](f.fsys); ok {
		ops = append(ops,
			operation{"Symlink", func(ctx context.Context, name string) error { return s.Symlink(ctx, "present", name) }, true},
			operation{"ReadLink", func(ctx context.Context, name string) error { return second(s.ReadLink(ctx, name)) }, false},
			operation{"Lstat", func(ctx context.Context, name string) error { return second(s.Lstat(ctx, name)) }, false})
	}
	if h, ok := ability[hawser.Hasher](f.fsys); ok {
		ops = append(ops, operation{"Hash", func(ctx context.Context, name string) error { return second(h.Hash(ctx, "sha256", name)) }, false})
	}
	return ops
}

func second[T any](_ T, err error) error { return err }

// opened returns err, or that of closing what was opened after all.
func opened[T interface{ Close() error }](file T, err error) error {
	if err != nil {
		return err
	}
	return file.Close()
}

func missing(f *files) {
	name := f.path("missing")
	for _, o := range f.operations() {
		if o.makes {
			continue
		}
		err := o.call(f.ctx, name)
		if unsupported(f, o.op, err) {
			continue
		}
		assert.ErrorIs(f, err, fs.ErrNotExist, "%s of a missing file", o.op)
		f.pathError(o.op, name, err)
	}
}

func missingParent(f *files) {
	f.write(f.path("present"), nil)
	name := f.path("missing/file")
	for _, o := range f.operations() {
		err := o.call(f.ctx, name)
		if !o.makes || unsupported(f, o.op, err) {
			continue
		}
		if assert.Error(f, err, "%s in a missing directory", o.op) {
			f.pathError(o.op, name, err)
		}
	}
	assert.Equal(f, []string{"present"}, f.names(f.dir), "the directory afterwards")
}

// pathError asks for an *fs.PathError about name.
func (f *files) pathError(op, name string, err error) {
	f.Helper()
	var pathError *fs.PathError
	if !errors.As(err, &pathError) {
		f.Errorf("%s: got %T (%v), want an *fs.PathError", op, err, err)
		return
	}
	assert.NotEmpty(f, pathError.Op, "%s: PathError.Op", op)
	allowed := []string{name}
	if op == "Rename to" || op == "Symlink" {
		allowed = append(allowed, f.path("present"), "present") // about two names, either may be at fault
	}
	assert.Contains(f, allowed, pathError.Path, "%s: PathError.Path is the name that was given", op)
}

func mkdirExisting(f *files) {
	f.mkdir("sub")
	f.write(f.path("file"), []byte("content"))
	for _, name := range []string{"sub", "file"} {
		err := f.fsys.Mkdir(f.ctx, f.path(name))
		assert.ErrorIs(f, err, fs.ErrExist, "Mkdir of the existing %s", name)
		f.pathError("Mkdir", f.path(name), err)
	}
	assert.Equal(f, "content", string(f.read(f.path("file"), 0)), "the file afterwards")
}

func removes(f *files) {
	f.write(f.path("file"), []byte("content"))
	f.mkdir("sub")
	f.mkdir("kept")
	require.NoError(f, f.fsys.Remove(f.ctx, f.path("file")), "Remove of a file")
	require.NoError(f, f.fsys.Remove(f.ctx, f.path("sub")), "Remove of an empty directory")
	assert.Equal(f, []string{"kept"}, f.names(f.dir), "the directory afterwards")
}

func removeFull(f *files) {
	sub := f.mkdir("sub")
	f.write(sub+"/file", []byte("content"))
	err := f.fsys.Remove(f.ctx, sub)
	if assert.Error(f, err, "Remove of a directory that is not empty") {
		f.pathError("Remove", sub, err)
	}
	assert.Equal(f, []string{"file"}, f.names(sub), "the directory afterwards")
}

func renames(f *files) {
	f.write(f.path("file"), []byte("content"))
	sub := f.mkdir("sub")
	require.NoError(f, f.fsys.Rename(f.ctx, f.path("file"), f.path("moved")), "Rename of a file")
	require.NoError(f, f.fsys.Rename(f.ctx, f.path("moved"), sub+"/file"), "Rename into another directory")
	require.NoError(f, f.fsys.Rename(f.ctx, sub, f.path("dir")), "Rename of a directory")
	assert.Equal(f, []string{"dir"}, f.names(f.dir), "the directory afterwards")
	assert.Equal(f, "content", string(f.read(f.path("dir/file"), 0)), "the moved file")
}

func renameOnto(f *files) {
	f.write(f.path("old"), []byte("old content"))
	f.write(f.path("new"), []byte("the new content"))
	err := f.fsys.Rename(f.ctx, f.path("new"), f.path("old"))
	left, moved := []string{"old"}, "the new content"
	if err != nil {
		require.ErrorIs(f, err, fs.ErrExist, "Rename onto a file that cannot replace it")
		left, moved = []string{"new", "old"}, "old content"
	}
	assert.Equal(f, left, f.names(f.dir), "the directory after Rename gave %v", err)
	assert.Equal(f, moved, string(f.read(f.path("old"), 0)), "the file after Rename gave %v", err)
}

func chtimes(f *files) {
	f.write(f.path("file"), []byte("content"))
	for _, want := range []time.Time{
		time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC),
		time.Date(2024, 7, 14, 23, 59, 59, 0, time.FixedZone("", 2*60*60)), // summer time in half the world
	} {
		err := f.fsys.Chtimes(f.ctx, f.path("file"), want)
		if unsupported(f, "Chtimes", err) {
			return
		}
		require.NoError(f, err, "Chtimes")
		got := f.stat(f.path("file")).ModTime().Truncate(time.Second)
		assert.True(f, want.Equal(got), "ModTime = %v, want %v", got.UTC(), want.UTC())
	}
	assert.True(f, slices.Equal([]byte("content"), f.read(f.path("file"), 0)), "Chtimes changed the content")
}
