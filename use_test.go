package hawser_test

import (
	"context"
	"errors"
	"testing"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/require"
)

func TestUse(t *testing.T) {
	t.Parallel()
	files := func(context.Context, hawser.Connection) (hawser.Session, error) {
		return wrapped{wrapped{fileSession{&fakeSession{}, newFiles()}}}, nil
	}
	t.Run("hands over the capability through wrappers", func(t *testing.T) {
		t.Parallel()
		called := false
		err := hawser.Use(t.Context(), newManager(t, &fakeDialer{dial: files}, valid(ftp)), "bank", func(ctx context.Context, fsys hawser.FileSystem) error {
			called = true
			_, err := fsys.Stat(ctx, "srv/in/a.csv")
			return err
		})
		require.NoError(t, err)
		require.True(t, called)
	})
	t.Run("keeps the session open until its function returned", func(t *testing.T) {
		t.Parallel()
		d := &fakeDialer{}
		err := hawser.Use(t.Context(), newManager(t, d, valid(ftp)), "bank", func(ctx context.Context, s hawser.Session) error { return s.Ping(ctx) })
		require.NoError(t, err)
		require.Equal(t, 1, d.sessions[0].closes())
	})
	t.Run("returns the error of its function as it is", func(t *testing.T) {
		t.Parallel()
		err := hawser.Use(t.Context(), newManager(t, &fakeDialer{}, valid(ftp)), "bank", func(context.Context, hawser.Session) error { return errFake })
		require.Equal(t, errFake, err)
	})
	t.Run("returns the error of opening and calls nothing", func(t *testing.T) {
		t.Parallel()
		err := hawser.Use(t.Context(), newManager(t, &fakeDialer{}), "bank", func(context.Context, hawser.Session) error { panic("called") })
		require.ErrorIs(t, err, hawser.ErrNotFound)
	})
	t.Run("refuses a missing capability in words that name it, and closes", func(t *testing.T) {
		t.Parallel()
		d := &fakeDialer{}
		m := newManager(t, d, valid(ftp))
		err := hawser.Use(t.Context(), m, "bank", func(context.Context, hawser.FileSystem) error { panic("called") })
		require.ErrorIs(t, err, errors.ErrUnsupported)
		require.EqualError(t, err, "unsupported operation: connection bank is no hawser.FileSystem")
		err = hawser.Use(t.Context(), m, "bank", func(context.Context, *fakeSession) error { return nil })
		require.NoError(t, err, "a driver's own type")
		err = hawser.Use(t.Context(), m, "bank", func(context.Context, *fileSession) error { panic("called") })
		require.EqualError(t, err, "unsupported operation: connection bank is no *hawser_test.fileSession")
		for _, s := range d.sessions {
			require.Equal(t, 1, s.closes())
		}
	})
	t.Run("closes the session when its function panics", func(t *testing.T) {
		t.Parallel()
		d := &fakeDialer{}
		require.PanicsWithValue(t, "boom", func() {
			_ = hawser.Use(t.Context(), newManager(t, d, valid(ftp)), "bank", func(context.Context, hawser.Session) error { panic("boom") })
		})
		require.Equal(t, 1, d.sessions[0].closes())
	})
}
