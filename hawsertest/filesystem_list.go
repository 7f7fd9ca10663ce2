package hawsertest

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func listRules() []rule[*files] {
	return []rule[*files]{
		{"ReadDir yields each entry once", "with its own name, size and type, and without . and ..", listEntries},
		{"ReadDir of an empty directory yields nothing", "an empty inbox is no error", listEmpty},
		{"ReadDir of a file is an error", "ftp servers list a file as if it were a directory with one entry", listFile},
		{"ReadDir may be left early", "breaking out of the loop leaves the session as it was", listLeft},
		{"the session may be used inside a loop over ReadDir", "a job takes each file that it finds", listReentrant},
		{"ReadDir yields 10,000 entries", "a listing that breaks off in the middle loses files, and nobody notices", listMany},
	}
}

func listEntries(f *files) {
	want := map[string]int64{"empty": 0, "small": 5, "larger": 70_000, ".hidden": 3, "UPPER": 1, "..two": 2}
	for name, size := range want {
		f.write(f.path(name), content(int(size)))
	}
	f.write(f.mkdir("sub")+"/inner", []byte("inner"))
	entries, err := list(f.ctx, f.fsys, f.dir)
	require.NoError(f, err, "ReadDir")
	seen := map[string]int{}
	for _, e := range entries {
		seen[e.Name()]++
		assert.Equal(f, e.Name() == "sub", e.IsDir(), "IsDir of %q", e.Name())
		assert.True(f, sensible(e.ModTime()), "ModTime of %q just written is %v", e.Name(), e.ModTime())
		if e.IsDir() {
			assert.Equal(f, fs.ModeDir, e.Mode().Type(), "Mode type of %q", e.Name())
			continue
		}
		assert.True(f, e.Mode().IsRegular(), "Mode of %q is %v, want a regular one", e.Name(), e.Mode())
		assert.Equal(f, want[e.Name()], e.Size(), "Size of %q", e.Name())
	}
	expected := map[string]int{"sub": 1}
	for name := range want {
		expected[name] = 1
	}
	assert.Equal(f, expected, seen, "how often each name was yielded")
}

func listEmpty(f *files) {
	assert.Empty(f, f.names(f.mkdir("sub")), "the entries of an empty directory")
}

func listFile(f *files) {
	f.write(f.path("file"), []byte("content"))
	_, err := list(f.ctx, f.fsys, f.path("file"))
	if assert.Error(f, err, "ReadDir of a file") {
		f.pathError("ReadDir", f.path("file"), err)
	}
}

func listLeft(f *files) {
	for i := range 5 {
		f.write(f.path(fmt.Sprint("file-", i)), []byte("content"))
	}
	for _, err := range f.fsys.ReadDir(f.ctx, f.dir) {
		require.NoError(f, err, "ReadDir")
		break
	}
	require.True(f, reusable(f.fsys), "a loop that was left cost the session")
	f.usable()
	assert.Len(f, f.names(f.dir), 5, "ReadDir after a loop that was left")
}

func listReentrant(f *files) {
	for i := range 5 {
		f.write(f.path(fmt.Sprint("file-", i)), []byte(fmt.Sprint("content-", i)))
	}
	err := within(f, patience, "Open, Rename and ReadDir inside a loop over ReadDir", func() error {
		n := 0
		for info, err := range f.fsys.ReadDir(f.ctx, f.dir) {
			if err != nil {
				return err
			}
			n++
			if err := f.take(info.Name()); err != nil {
				return fmt.Errorf("entry %d: %w", n, err)
			}
		}
		if n < 5 {
			return fmt.Errorf("the loop ended after %d of 5 entries", n)
		}
		return nil
	})
	require.NoError(f, err, "using the session inside a loop over ReadDir")
}

// take reads and changes a file as a job does.
func (f *files) take(name string) error {
	if _, err := f.download(f.ctx, f.path(name), 0); err != nil {
		return err
	}
	if err := f.fsys.Chtimes(f.ctx, f.path(name), testTime()); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return second(list(f.ctx, f.fsys, f.dir))
}

func listMany(f *files) {
	if testing.Short() {
		f.Skip("skipped by -short")
	}
	const n = 10_000
	// Directories, as a file can cost a connection of its own.
	err := each(parallelism(f.fsys, 64), n, func(i int) error {
		return f.fsys.Mkdir(f.ctx, f.path(fmt.Sprintf("entry-%05d", i)))
	})
	require.NoError(f, err, "creating %d directories", n)
	names := f.names(f.dir)
	require.Len(f, names, n, "entries")
	for i, name := range names {
		require.Equal(f, fmt.Sprintf("entry-%05d", i), name, "entry %d by name", i)
	}
}
