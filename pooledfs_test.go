package hawser_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fsSession is Leasable and has files.
type fsSession struct {
	*poolSession
	*memoryFiles
	lose *int // operations that are still to lose their session
}

func (s fsSession) Stat(ctx context.Context, name string) (fs.FileInfo, error) {
	if *s.lose > 0 {
		*s.lose--
		s.soiled.Store(true)
		return nil, &fs.PathError{Op: "stat", Path: name, Err: hawser.ErrLost}
	}
	return s.memoryFiles.Stat(ctx, name)
}

func (s fsSession) Open(ctx context.Context, name string, offset int64) (io.ReadCloser, error) {
	if name == "busy" {
		s.soiled.Store(true)
		return nil, &fs.PathError{Op: "open", Path: name, Err: fmt.Errorf("%w: 421 too many transfers", hawser.ErrLost)}
	}
	return s.memoryFiles.Open(ctx, name, offset)
}

func (s fsSession) Chmod(context.Context, string, fs.FileMode) error { return errFake }

// fsServers is a driver of fsSessions, each of which is told the Dials.
type fsServers struct {
	fakeServers
	lose int
}

func (d *fsServers) Dial(ctx context.Context, c hawser.Connection) (hawser.Session, error) {
	s, err := d.fakeServers.Dial(ctx, c)
	if err != nil {
		return nil, err
	}
	return fsSession{s.(*poolSession), newFiles(), &d.lose}, nil
}

func TestManagerFileSystem(t *testing.T) {
	t.Parallel()
	files := func(t *testing.T, sessions int) (*hawser.Manager, *fsServers, hawser.FileSystem) {
		t.Helper()
		d := &fsServers{}
		m := newManager(t, d, limited(job("bank", "a"), sessions))
		return m, d, m.FileSystem("bank")
	}
	t.Run("takes a session for each operation and gives it back", func(t *testing.T) {
		t.Parallel()
		m, d, fsys := files(t, 1)
		for range 3 {
			_, err := fsys.Stat(t.Context(), "srv/in/a.csv")
			require.NoError(t, err)
		}
		require.Equal(t, 1, d.dialed())
		require.Equal(t, 1, stats(t, m).Idle)
	})
	t.Run("holds none while a listing is looped over", func(t *testing.T) {
		t.Parallel()
		_, _, fsys := files(t, 1)
		names := 0
		for info, err := range fsys.ReadDir(t.Context(), "srv/in") {
			require.NoError(t, err)
			_, err = fsys.Stat(t.Context(), "srv/in/"+info.Name())
			require.NoError(t, err)
			names++
		}
		require.NotZero(t, names)
	})
	t.Run("holds one while a file is open", func(t *testing.T) {
		t.Parallel()
		m, _, fsys := files(t, 2)
		r, err := fsys.Open(t.Context(), "srv/in/a.csv", 0)
		require.NoError(t, err)
		require.Zero(t, stats(t, m).Idle)
		var text strings.Builder
		_, err = io.Copy(&text, r)
		require.NoError(t, err)
		require.NotEmpty(t, text.String())
		require.NoError(t, r.Close())
		require.NoError(t, r.Close())
		require.Equal(t, 1, stats(t, m).Idle)
	})
	t.Run("gives it back when a file cannot be opened or made", func(t *testing.T) {
		t.Parallel()
		m, _, fsys := files(t, 1)
		_, err := fsys.Open(t.Context(), "none", 0)
		require.ErrorIs(t, err, fs.ErrNotExist)
		_, err = fsys.Create(t.Context(), "x", 0)
		require.ErrorIs(t, err, fs.ErrPermission)
		require.ErrorIs(t, fsys.Remove(t.Context(), "x"), fs.ErrPermission)
		require.Equal(t, 1, stats(t, m).Idle)
	})
	t.Run("reads once more what a lost session could not, and no more often", func(t *testing.T) {
		t.Parallel()
		_, d, fsys := files(t, 1)
		d.lose = 1
		_, err := fsys.Stat(t.Context(), "srv/in/a.csv")
		require.NoError(t, err)
		require.Equal(t, 2, d.dialed())
		d.lose = 2
		_, err = fsys.Stat(t.Context(), "srv/in/a.csv")
		require.ErrorIs(t, err, hawser.ErrLost)
		require.Zero(t, d.lose)
	})
	t.Run("tells why a file could not be opened", func(t *testing.T) {
		t.Parallel()
		_, d, fsys := files(t, 1)
		d.lose = 2
		_, err := fsys.Open(t.Context(), "busy", 0)
		require.ErrorIs(t, err, hawser.ErrLost)
		require.ErrorContains(t, err, "421 too many transfers")
	})
	t.Run("has every ability that the session has", func(t *testing.T) {
		t.Parallel()
		_, _, fsys := files(t, 1)
		require.Equal(t, errFake, fsys.(hawser.Chmoder).Chmod(t.Context(), "x", 0))
		_, hash := fsys.(hawser.Hasher).Hash(t.Context(), "md5", "x")
		_, space := fsys.(hawser.SpaceReporter).Space(t.Context(), "x")
		_, link := fsys.(hawser.Symlinker).ReadLink(t.Context(), "x")
		_, lstat := fsys.(hawser.Symlinker).Lstat(t.Context(), "x")
		made := fsys.(hawser.Symlinker).Symlink(t.Context(), "x", "y")
		for _, err := range []error{hash, space, link, lstat, made} {
			assert.ErrorIs(t, err, errors.ErrUnsupported)
		}
	})
	t.Run("fails as opening does", func(t *testing.T) {
		t.Parallel()
		m, _, _ := files(t, 1)
		fsys := m.FileSystem("none")
		_, err := fsys.Stat(t.Context(), "x")
		require.ErrorIs(t, err, hawser.ErrNotFound)
		for _, err := range fsys.ReadDir(t.Context(), "x") {
			require.ErrorIs(t, err, hawser.ErrNotFound)
		}
		require.ErrorIs(t, fsys.Chtimes(t.Context(), "x", time.Now()), hawser.ErrNotFound)
	})
}
