package hawsertest

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"hash"
	"hash/crc32"
	"io"
	"io/fs"
	"testing/fstest"
	"time"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func viewRules() []rule[*files] {
	return []rule[*files]{
		{"hawser.FS passes testing fstest.TestFS", "a remote directory is an fs.FS, for all code that takes one", viewed},
	}
}

func viewed(f *files) {
	f.write(f.path("a.txt"), content(1000))
	f.write(f.path("empty"), nil)
	f.write(f.mkdir("sub")+"/b c.txt", content(70_000))
	f.mkdir("sub/none")
	if f.stat(f.path("sub")).Mode() == fs.ModeDir && f.listed("sub").Mode() != fs.ModeDir {
		f.Skip("skipped: the server tells less of a directory than a listing does, and TestFS wants the same")
	}
	err := fstest.TestFS(hawser.FS(f.ctx, f.fsys, f.dir), "a.txt", "empty", "sub", "sub/b c.txt", "sub/none")
	require.NoError(f, err, "fstest.TestFS of hawser.FS")
}

// listed is what the listing of the test's directory tells of name.
func (f *files) listed(name string) fs.FileInfo {
	f.Helper()
	for info, err := range f.fsys.ReadDir(f.ctx, f.dir) {
		require.NoError(f, err, "ReadDir")
		if info.Name() == name {
			return info
		}
	}
	require.Fail(f, "not listed", name)
	return nil
}

func abilityRules() []rule[*files] {
	return []rule[*files]{
		{"Chmod sets permissions", "what is written for one group must not be readable to all", chmod},
		{"a symbolic link is made and read", "Stat follows it, Lstat does not", symlink},
		{"Hash is of the content", "a transfer is verified by it", hashes},
		{"Space makes sense", "a job asks before it fills the volume", space},
	}
}

// optional returns what f's FileSystem can do as a T, or skips the rule.
func optional[T any](f *files) T {
	f.Helper()
	t, ok := ability[T](f.fsys)
	if !ok {
		f.Skipf("skipped: no %T", &t)
	}
	return t
}

func chmod(f *files) {
	c := optional[hawser.Chmoder](f)
	f.write(f.path("file"), []byte("content"))
	for _, mode := range []fs.FileMode{0o600, 0o640, 0o444, 0o755} {
		err := c.Chmod(f.ctx, f.path("file"), mode)
		if unsupported(f, "Chmod", err) {
			return
		}
		require.NoError(f, err, "Chmod(%v)", mode)
		assert.Equal(f, mode, f.mode("file"), "Mode after Chmod(%v)", mode)
	}
}

// mode is what Stat tells, or a listing, where only that does.
func (f *files) mode(name string) fs.FileMode {
	f.Helper()
	if mode := f.stat(f.path(name)).Mode(); mode != 0 {
		return mode
	}
	return f.listed(name).Mode()
}

func symlink(f *files) {
	s := optional[hawser.Symlinker](f)
	f.write(f.path("target"), content(1234))
	err := s.Symlink(f.ctx, "target", f.path("link"))
	if unsupported(f, "Symlink", err) {
		return
	}
	require.NoError(f, err, "Symlink")
	to, err := s.ReadLink(f.ctx, f.path("link"))
	require.NoError(f, err, "ReadLink")
	assert.Equal(f, "target", to, "ReadLink")
	link, err := s.Lstat(f.ctx, f.path("link"))
	require.NoError(f, err, "Lstat")
	assert.Equal(f, fs.ModeSymlink, link.Mode().Type(), "Lstat's mode type")
	assert.Equal(f, "link", link.Name(), "Lstat's name")
	followed := f.stat(f.path("link"))
	assert.True(f, followed.Mode().IsRegular(), "Stat's mode through a link is %v, want a regular one", followed.Mode())
	assert.EqualValues(f, 1234, followed.Size(), "Stat's size through a link")
	sameContent(f, content(1234), f.read(f.path("link"), 0))
	require.NoError(f, f.fsys.Remove(f.ctx, f.path("link")), "Remove of a link")
	assert.Equal(f, []string{"target"}, f.names(f.dir), "the directory after Remove of a link")
}

func hashes(f *files) {
	h := optional[hawser.Hasher](f)
	data := content(1<<20 + 7)
	f.write(f.path("file"), data)
	for algorithm, local := range map[string]hash.Hash{
		"sha256": sha256.New(), "sha1": sha1.New(), "md5": md5.New(), "crc32": crc32.NewIEEE(),
	} {
		got, err := h.Hash(f.ctx, algorithm, f.path("file"))
		if unsupported(f, "Hash by "+algorithm, err) {
			continue
		}
		require.NoError(f, err, "Hash by %s", algorithm)
		_, _ = io.Copy(local, bytes.NewReader(data)) // a hash never fails
		assert.Equal(f, local.Sum(nil), got, "Hash by %s", algorithm)
	}
}

func space(f *files) {
	s := optional[hawser.SpaceReporter](f)
	got, err := s.Space(f.ctx, f.dir)
	if unsupported(f, "Space", err) {
		return
	}
	require.NoError(f, err, "Space")
	assert.NotZero(f, got.Total, "Space.Total")
	assert.LessOrEqual(f, got.Free, got.Total, "Space.Free, against Total")
	assert.LessOrEqual(f, got.Available, got.Total, "Space.Available, against Total")
}

// testTime is a time that no clock gives to a new file.
func testTime() time.Time { return time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC) }
