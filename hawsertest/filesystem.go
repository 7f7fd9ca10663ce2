package hawsertest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/require"
)

// TestFileSystem checks a [hawser.FileSystem]: that content of many sizes comes
// back whole by Read, Write, WriterTo and ReaderFrom, from offsets too; that
// listings are complete; that errors are *fs.PathError of the right kind; that
// any name is a name, and those that could smuggle in a command are refused
// before anything is sent; that contexts are heeded, and a file that was given
// up is never reported complete; that closed files stay closed; the view of
// [hawser.FS]; and the optional abilities that it finds by [hawser.As].
//
// open returns a FileSystem of a session of its own, and is called for each
// rule; t.Cleanup is the place to close the session. If it is a
// [hawser.Session], what it says of itself is used: Leasable tells whether it
// lives on after a cancel, Parallel how many goroutines may use it. The login
// directory must be writable and need not be empty: the suite works in a new
// directory of its own and removes it. go test -short leaves out the directory
// of 10,000 entries.
func TestFileSystem(t *testing.T, open func(t *testing.T) hawser.FileSystem) {
	t.Helper()
	run(t, fileSystemRules(), func(t *testing.T) *files { return newFiles(t, open) })
}

func fileSystemRules() []rule[*files] {
	return slices.Concat(
		contentRules(), offsetRules(), abandonRules(), closedRules(), treeRules(), listRules(),
		nameRules(), contextRules(), viewRules(), abilityRules(),
	)
}

// files is the subject of the rules: a FileSystem and a new directory on it.
type files struct {
	*testing.T
	ctx  context.Context // of the rule; ends after patience
	fsys hawser.FileSystem
	dir  string
}

func newFiles(t *testing.T, open func(t *testing.T) hawser.FileSystem) *files {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	f := &files{T: t, ctx: ctx, fsys: open(t), dir: "hawsertest-" + rand.Text()}
	require.NotNil(t, f.fsys, "open returned no FileSystem")
	require.NoError(t, f.fsys.Mkdir(ctx, f.dir), "Mkdir of the suite's own directory")
	t.Cleanup(func() { cleanUp(t, f.dir, f.fsys, open) })
	return f
}

// cleanUp removes dir, by a new session if that of fsys has ended.
func cleanUp(t *testing.T, dir string, fsys hawser.FileSystem, open func(t *testing.T) hawser.FileSystem) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if reusable(fsys) && removeAll(ctx, fsys, dir, depth) == nil {
		return
	}
	if err := removeAll(ctx, open(t), dir, depth); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Logf("%s is left behind: %v", dir, err)
	}
}

// depth is how deep the suite's own trees go.
const depth = 3

// removeAll removes dir and what is in it, but never anything beside it: the
// FileSystem may be one whose listings are wrong.
func removeAll(ctx context.Context, fsys hawser.FileSystem, dir string, depth int) error {
	entries, err := list(ctx, fsys, dir)
	if err != nil {
		return err
	}
	err = each(parallelism(fsys, 16), len(entries), func(i int) error {
		name := entries[i].Name()
		switch {
		case name == "" || name == "." || name == ".." || strings.Contains(name, "/"):
			return fmt.Errorf("%s has an entry %q", dir, name)
		case !entries[i].IsDir():
			return fsys.Remove(ctx, dir+"/"+name)
		case depth == 0:
			return fmt.Errorf("%s is too deep to be the suite's", dir)
		case fsys.Remove(ctx, dir+"/"+name) == nil:
			return nil // most are empty
		}
		return removeAll(ctx, fsys, dir+"/"+name, depth-1)
	})
	return errors.Join(err, fsys.Remove(ctx, dir))
}

// path is the name of an entry of the suite's directory.
func (f *files) path(name string) string { return f.dir + "/" + name }

func (f *files) mkdir(name string) string {
	f.Helper()
	require.NoError(f, f.fsys.Mkdir(f.ctx, f.path(name)), "Mkdir(%q)", name)
	return f.path(name)
}

func (f *files) stat(name string) fs.FileInfo {
	f.Helper()
	return must(f.fsys.Stat(f.ctx, name))(f, "Stat of "+name)
}

// names lists a directory by name.
func (f *files) names(dir string) []string {
	f.Helper()
	entries, err := list(f.ctx, f.fsys, dir)
	require.NoError(f, err, "ReadDir(%q)", dir)
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	slices.Sort(names)
	return names
}

func list(ctx context.Context, fsys hawser.FileSystem, dir string) ([]fs.FileInfo, error) {
	var entries []fs.FileInfo
	for info, err := range fsys.ReadDir(ctx, dir) {
		if err != nil {
			return entries, err
		}
		entries = append(entries, info)
	}
	return entries, nil
}

// usable asks for a session that works, or says that it does not.
func (f *files) usable() {
	f.Helper()
	if !reusable(f.fsys) {
		f.Log("the session is not Reusable afterwards")
		return
	}
	err := within(f, prompt, "Stat afterwards", func() error {
		_, err := f.fsys.Stat(f.ctx, f.dir)
		return err
	})
	require.NoError(f, err, "the session does not work afterwards, and does not say so by Reusable")
}

// cancellable returns a context of the rule that may be cancelled.
func (f *files) cancellable() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(f.ctx)
	f.Cleanup(cancel)
	return ctx, cancel
}

// sensible reports whether a file just written may have this time: servers
// whose clock or time zone is off by a day at most are none of our business.
func sensible(t time.Time) bool { return time.Since(t).Abs() < 26*time.Hour }
