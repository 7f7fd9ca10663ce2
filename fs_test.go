package hawser_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"testing"
	"testing/fstest"
	"testing/iotest"
	"time"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func newFiles() *memoryFiles {
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	return &memoryFiles{files: fstest.MapFS{
		"srv/in/b.csv":   {Data: []byte("second,line\n"), ModTime: at},
		"srv/in/a.csv":   {Data: []byte("0123456789"), ModTime: at},
		"srv/empty.txt":  {ModTime: at},
		"srv/dir/x/y/zz": {Data: []byte("deep"), ModTime: at},
		"secret":         {Data: []byte("outside of the root")},
	}}
}

func TestFS(t *testing.T) {
	t.Parallel()
	t.Run("is an io/fs file system", func(t *testing.T) {
		t.Parallel()
		require.NoError(t, fstest.TestFS(hawser.FS(t.Context(), newFiles(), "srv"), "in/a.csv", "in/b.csv", "empty.txt", "dir/x/y/zz"))
	})
	for name, root := range map[string]string{"the login directory": "", "it by its dot": ".", "a directory": "srv", "a directory with a slash behind": "srv/"} {
		t.Run("has a root that is "+name, func(t *testing.T) {
			t.Parallel()
			file := "in/a.csv"
			if root == "" || root == "." {
				file = "srv/in/a.csv"
			}
			b, err := fs.ReadFile(hawser.FS(t.Context(), newFiles(), root), file)
			require.NoError(t, err)
			require.Equal(t, "0123456789", string(b))
		})
	}
	t.Run("calls its root .", func(t *testing.T) {
		t.Parallel()
		info, err := fs.Stat(hawser.FS(t.Context(), newFiles(), "srv"), ".")
		require.NoError(t, err)
		require.Equal(t, ".", info.Name())
		require.True(t, info.IsDir())
	})
	t.Run("sorts directories by name", func(t *testing.T) {
		t.Parallel()
		entries, err := fs.ReadDir(hawser.FS(t.Context(), newFiles(), "srv"), "in")
		require.NoError(t, err)
		require.Equal(t, "a.csv", entries[0].Name())
		require.Equal(t, "b.csv", entries[1].Name())
	})
	t.Run("refuses names that lead out of its root", func(t *testing.T) {
		t.Parallel()
		fsys := hawser.FS(t.Context(), newFiles(), "srv")
		for _, name := range []string{"../secret", "/srv/in/a.csv", "in/", ""} {
			_, openErr := fsys.Open(name)
			_, statErr := fs.Stat(fsys, name)
			_, readErr := fs.ReadDir(fsys, name)
			for _, err := range []error{openErr, statErr, readErr} {
				assert.ErrorIs(t, err, fs.ErrInvalid, name)
			}
		}
	})
	t.Run("ends with its context", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		f, err := hawser.FS(ctx, newFiles(), "srv").Open("in/a.csv")
		require.NoError(t, err)
		cancel()
		_, err = io.ReadAll(f)
		require.ErrorIs(t, err, context.Canceled)
	})
}

func TestFSFile(t *testing.T) {
	t.Parallel()
	open := func(t *testing.T, files *memoryFiles) (file interface {
		fs.File
		io.Seeker
		io.WriterTo
	},
	) {
		t.Helper()
		f, err := hawser.FS(t.Context(), files, "srv").Open("in/a.csv")
		require.NoError(t, err)
		file, ok := f.(interface {
			fs.File
			io.Seeker
			io.WriterTo
		})
		require.True(t, ok)
		return file
	}
	t.Run("reads and seeks as package io asks", func(t *testing.T) {
		t.Parallel()
		require.NoError(t, iotest.TestReader(open(t, newFiles()), []byte("0123456789")))
	})
	t.Run("costs no open until it is read", func(t *testing.T) {
		t.Parallel()
		files := newFiles()
		f := open(t, files)
		_, err := f.Stat()
		require.NoError(t, err)
		require.NoError(t, f.Close())
		require.Zero(t, files.opens)
	})
	t.Run("is copied by WriteTo", func(t *testing.T) {
		t.Parallel()
		files := newFiles()
		var b bytes.Buffer
		n, err := io.Copy(&b, open(t, files))
		require.NoError(t, err)
		require.Equal(t, "0123456789", b.String())
		require.EqualValues(t, 10, n)
		require.Equal(t, 1, files.writeTos)
	})
	for _, row := range []struct {
		name   string
		offset int64
		whence int
		want   string
	}{
		{"from the start", 2, io.SeekStart, "23456789"},
		{"from where it is", 1, io.SeekCurrent, "456789"},
		{"backwards from where it is", -3, io.SeekCurrent, "0123456789"},
		{"from the end", -2, io.SeekEnd, "89"},
		{"past the end", 5, io.SeekEnd, ""},
	} {
		t.Run("seeks "+row.name, func(t *testing.T) {
			t.Parallel()
			f := open(t, newFiles())
			_, err := io.ReadFull(f, make([]byte, 3))
			require.NoError(t, err)
			_, err = f.Seek(row.offset, row.whence)
			require.NoError(t, err)
			b, err := io.ReadAll(f)
			require.NoError(t, err)
			require.Equal(t, row.want, string(b))
		})
	}
	t.Run("refuses to seek before its start, or from nowhere", func(t *testing.T) {
		t.Parallel()
		f := open(t, newFiles())
		_, err := f.Seek(-1, io.SeekStart)
		require.ErrorIs(t, err, fs.ErrInvalid)
		_, err = f.Seek(0, 7)
		require.ErrorIs(t, err, fs.ErrInvalid)
		b, err := io.ReadAll(f)
		require.NoError(t, err)
		require.Len(t, b, 10)
	})
	t.Run("does nothing after Close", func(t *testing.T) {
		t.Parallel()
		f := open(t, newFiles())
		require.NoError(t, f.Close())
		_, err := f.Read(nil)
		assert.ErrorIs(t, err, fs.ErrClosed)
		_, err = f.WriteTo(io.Discard)
		assert.ErrorIs(t, err, fs.ErrClosed)
		_, err = f.Seek(0, io.SeekStart)
		assert.ErrorIs(t, err, fs.ErrClosed)
		_, err = f.Stat()
		assert.ErrorIs(t, err, fs.ErrClosed)
		assert.ErrorIs(t, f.Close(), fs.ErrClosed)
	})
}

func TestFSRenamesErrors(t *testing.T) {
	t.Parallel()
	requirePath := func(t *testing.T, err error, name string) {
		t.Helper()
		var pathError *fs.PathError
		require.ErrorAs(t, err, &pathError)
		require.Equal(t, name, pathError.Path)
		require.NotContains(t, err.Error(), "srv")
	}
	t.Run("of what is missing", func(t *testing.T) {
		t.Parallel()
		fsys := hawser.FS(t.Context(), newFiles(), "srv")
		_, err := fsys.Open("in/none")
		requirePath(t, err, "in/none")
		require.ErrorIs(t, err, fs.ErrNotExist)
		_, err = fs.ReadDir(fsys, "none")
		requirePath(t, err, "none")
		_, err = fs.Stat(fsys, "none")
		requirePath(t, err, "none")
	})
	t.Run("of reading", func(t *testing.T) {
		t.Parallel()
		files := newFiles()
		files.failRead = hawser.ErrLost
		for name, read := range map[string]func(fs.File) error{
			"Read":    func(f fs.File) error { _, err := io.ReadAll(f); return err },
			"WriteTo": func(f fs.File) error { _, err := io.Copy(io.Discard, f); return err },
		} {
			f, err := hawser.FS(t.Context(), files, "srv").Open("in/a.csv")
			require.NoError(t, err)
			err = read(f)
			requirePath(t, err, "in/a.csv")
			require.ErrorIs(t, err, hawser.ErrLost, name)
		}
	})
	t.Run("but not of the writer that it is copied to", func(t *testing.T) {
		t.Parallel()
		f, err := hawser.FS(t.Context(), newFiles(), "srv").Open("in/a.csv")
		require.NoError(t, err)
		full := &fs.PathError{Op: "write", Path: "/local/out", Err: errors.New("no space")}
		_, err = io.Copy(failingWriter{full}, f)
		require.Equal(t, full, err)
	})
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }
