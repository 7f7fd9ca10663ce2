package file_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/registry/file"
)

// two returns a file of two connections, b at host.
func two(host string) string {
	return lines("connections:", "  a: {protocol: smtp, host: h}", "  b: {protocol: smtp, host: "+host+"}")
}

// editors are the ways in which programs change a file.
func editors() map[string]func(t *testing.T, path, content string) {
	return map[string]func(*testing.T, string, string){
		"writes in place": func(t *testing.T, path, content string) {
			require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		},
		"renames over": func(t *testing.T, path, content string) {
			require.NoError(t, os.WriteFile(path+"~", []byte(content), 0o600))
			require.NoError(t, os.Rename(path+"~", path))
		},
		"keeps the old one by another name": func(t *testing.T, path, content string) {
			require.NoError(t, os.Rename(path, path+"~"))
			require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		},
		"deletes and creates": func(t *testing.T, path, content string) {
			require.NoError(t, os.Remove(path))
			require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		},
		"truncates, and writes later": func(t *testing.T, path, content string) {
			f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0o600)
			require.NoError(t, err)
			half := len(content) / 2
			for _, part := range []string{content[:half], content[half:]} {
				_, err := f.WriteString(part)
				require.NoError(t, err)
			}
			require.NoError(t, f.Close())
		},
	}
}

func TestChangesOfEditorsAreFollowed(t *testing.T) {
	t.Parallel()
	for name, edit := range editors() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := written(t, "r.yaml", two("one"))
			r := open(t, path, file.Options{Poll: time.Hour})
			before := r.Version()
			told(t, r, func() { edit(t, path, two("two")) }, "b")
			assert.Greater(t, r.Version(), before)
			assert.Equal(t, "two", lookup(t, r, "b").Host)

			edit(t, path, two("three"))
			assert.Equal(t, "three", lookup(t, r, "b").Host, "a Lookup sees what was there before it began")
			c := lookup(t, r, "b")
			edit(t, path, two("four"))
			_, err := r.Put(t.Context(), c)
			require.ErrorIs(t, err, hawser.ErrConflict, "an edit by hand is a change of somebody else")
			assert.ErrorContains(t, err, c.Revision)
			assert.ErrorContains(t, err, lookup(t, r, "b").Revision)
			put(t, r, mail("c", "h"))
			assert.Equal(t, "four", lookup(t, r, "b").Host, "a Put keeps what others changed")
		})
	}
}

func TestWithoutNotificationsTheFileIsLookedAt(t *testing.T) {
	t.Parallel()
	// The directory does not exist, so that there is nothing to be told of.
	path := filepath.Join(newPath(t, "later"), "r.yaml")
	r := open(t, path, file.Options{Poll: 20 * time.Millisecond})
	told(t, r, func() {
		require.NoError(t, os.Mkdir(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(two("h")), 0o600))
	}, "a", "b")
	told(t, r, func() {
		require.NoError(t, os.Rename(filepath.Dir(path), filepath.Dir(path)+"~"))
		require.NoError(t, os.Mkdir(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(two("new")), 0o600))
	}, "b")
}

func TestSymbolicLinksAreFollowed(t *testing.T) {
	t.Parallel()
	dir := filepath.Dir(newPath(t, "x"))
	link := func(target, name string) {
		t.Helper()
		require.NoError(t, os.Symlink(target, filepath.Join(dir, name+"~")))
		require.NoError(t, os.Rename(filepath.Join(dir, name+"~"), filepath.Join(dir, name)))
	}
	for _, version := range []string{"one", "two"} {
		require.NoError(t, os.Mkdir(filepath.Join(dir, version), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, version, "r.yaml"), []byte(two(version)), 0o600))
	}
	if err := os.Symlink("one", filepath.Join(dir, "..data")); err != nil {
		t.Skip("skipped:", err)
	}
	link("..data/r.yaml", "r.yaml")
	path := filepath.Join(dir, "r.yaml")
	r := open(t, path, file.Options{Poll: time.Hour})
	assert.Equal(t, "one", lookup(t, r, "b").Host)

	told(t, r, func() { link("two", "..data") }, "b") // as Kubernetes does
	assert.Equal(t, "two", lookup(t, r, "b").Host)
	told(t, r, func() { editors()["renames over"](t, filepath.Join(dir, "two", "r.yaml"), two("three")) }, "b")
	put(t, r, mail("c", "h"))
	info, err := os.Lstat(path)
	require.NoError(t, err)
	assert.NotZero(t, info.Mode()&os.ModeSymlink, "the link stays one")
	assert.FileExists(t, filepath.Join(dir, "two", "r.yaml.bak"))
}

func TestAFileThatIsEmptiedHasNotLostItsConnections(t *testing.T) {
	t.Parallel()
	path := written(t, "r.yaml", two("one"))
	r := open(t, path, file.Options{Poll: time.Hour})
	told(t, r, func() { editors()["writes in place"](t, path, " \n") }, "")
	_, err := r.Lookup(t.Context(), "b")
	require.ErrorContains(t, err, path+" is empty, and had 2 connections; put them back")
	require.NotErrorIs(t, err, hawser.ErrNotFound)
	_, err = r.Put(t.Context(), mail("c", "h"))
	require.Error(t, err)
	editors()["writes in place"](t, path, "connections: {}\n")
	_, err = r.Lookup(t.Context(), "b")
	require.ErrorIs(t, err, hawser.ErrNotFound)
}

func TestAFileThatBreaksIsAnErrorUntilItIsMended(t *testing.T) {
	t.Parallel()
	for name, edit := range editors() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := written(t, "r.yaml", two("one"))
			r := open(t, path, file.Options{Poll: time.Hour})
			const broken = "connections:\n  a: {protocol: smtp, hots: h}\n"
			told(t, r, func() { edit(t, path, broken) }, "")
			_, err := r.Lookup(t.Context(), "a")
			require.ErrorIs(t, err, hawser.ErrInvalid)
			require.NotErrorIs(t, err, hawser.ErrNotFound)
			require.ErrorContains(t, err, path+`:2:23: connection "a": hots: unknown field; did you mean "host"?`)
			for _, err := range r.All(t.Context()) {
				require.ErrorIs(t, err, hawser.ErrInvalid)
			}
			_, err = r.Put(t.Context(), mail("c", "h"))
			require.ErrorIs(t, err, hawser.ErrInvalid)
			require.ErrorIs(t, r.Delete(t.Context(), "a", hawser.AnyRevision), hawser.ErrInvalid)
			assert.Equal(t, broken, content(t, path), "a broken file is left to whoever broke it")
			told(t, r, func() { edit(t, path, two("mended")) }, "")
			assert.Equal(t, "mended", lookup(t, r, "b").Host)
		})
	}
}

func TestAFileThatIsGoneIsNoEmptyRegistry(t *testing.T) {
	t.Parallel()
	path := written(t, "r.yaml", two("one"))
	r := open(t, path, file.Options{Poll: time.Hour})
	told(t, r, func() { require.NoError(t, os.Remove(path)) }, "")
	_, err := r.Lookup(t.Context(), "a")
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NotErrorIs(t, err, hawser.ErrNotFound)
	require.ErrorContains(t, err, "registry file is gone, and so are its connections; put it back, or the last version from "+path+".bak")
	_, err = r.Put(t.Context(), mail("c", "h"))
	require.ErrorIs(t, err, os.ErrNotExist)
	assert.NoFileExists(t, path)
	told(t, r, func() { require.NoError(t, os.WriteFile(path, []byte(two("back")), 0o600)) }, "")
	assert.Equal(t, "back", lookup(t, r, "b").Host)
}

func TestAFileThatIsBeingWrittenIsWaitedFor(t *testing.T) {
	t.Parallel()
	path := written(t, "r.yaml", two("one"))
	r := open(t, path, file.Options{Poll: time.Hour})
	stop := make(chan struct{})
	done := make(chan error, 1)
	go func() { done <- rewrite(path, stop) }()
	for range 30 {
		c, err := r.Lookup(t.Context(), "b")
		if err != nil || c.Host == "" {
			close(stop)
			require.NoError(t, errors.Join(err, <-done))
		}
		pause(t, 3*time.Millisecond)
	}
	close(stop)
	require.NoError(t, <-done)
}

// rewrite writes the file anew in place, in two parts, again and again.
func rewrite(path string, stop chan struct{}) error {
	for i := 0; ; i++ {
		content := two(fmt.Sprintf("host-%d", i))
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0o600)
		if err != nil {
			return err
		}
		_, err = f.WriteString(content[:20])
		if err == nil {
			_, err = f.WriteString(content[20:])
		}
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
		select {
		case <-stop:
			return nil
		case <-time.After(40 * time.Millisecond):
		}
	}
}

func pause(t *testing.T, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	<-ctx.Done()
}

func TestTheContextBoundsTheWaitForTheLock(t *testing.T) {
	t.Parallel()
	path := written(t, "r.yaml", two("one"))
	r := open(t, path, file.Options{})
	unlock := lock(t, path)
	defer unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := r.Put(ctx, mail("c", "h"))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorIs(t, r.Delete(ctx, "a", hawser.AnyRevision), context.DeadlineExceeded)
	assert.Equal(t, "one", lookup(t, r, "b").Host, "a reader needs no lock")
}

func TestClose(t *testing.T) {
	t.Parallel()
	path := written(t, "r.yaml", two("one"))
	r := open(t, path, file.Options{})
	watch, err := r.Watch(t.Context())
	require.NoError(t, err)
	require.NoError(t, r.Close())
	require.NoError(t, r.Close(), "again")
	for _, err := range watch {
		require.ErrorContains(t, err, "use of closed")
	}
	_, err = r.Lookup(t.Context(), "a")
	require.ErrorContains(t, err, "use of closed")
	_, err = r.Put(t.Context(), mail("c", "h"))
	require.ErrorContains(t, err, "use of closed")
	_, err = r.Watch(t.Context())
	require.ErrorContains(t, err, "use of closed")
}

func TestAMissingNameComesWithASuggestion(t *testing.T) {
	t.Parallel()
	r := open(t, written(t, "r.yaml", two("one")), file.Options{})
	_, err := r.Lookup(t.Context(), " A")
	require.EqualError(t, err, `connection not found: " A"; did you mean "a"?`)
}
