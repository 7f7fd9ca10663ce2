package sftp_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
)

func TestAttributes(t *testing.T) {
	t.Parallel()
	eachServer(t, func(t *testing.T, c hawser.Connection, dir string) {
		put(t, dir, "file", content(1000))
		f := login(t, c)
		if realServer(t) {
			require.NoError(t, os.Chmod(filepath.Join(dir, "file"), 0o666))
		}
		own := upload(t.Context(), f, "own", nil)
		require.NoError(t, own)
		at := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
		require.NoError(t, f.Chtimes(t.Context(), "own", at.Add(600*time.Millisecond)))
		require.NoError(t, f.Chmod(t.Context(), "own", 0o640))
		info, err := f.Stat(t.Context(), "own")
		require.NoError(t, err)
		assert.True(t, info.ModTime().Equal(at), "%v", info.ModTime())
		assert.Equal(t, fs.FileMode(0o640), info.Mode())
		attributes, ok := info.Sys().(*hawser.FileAttributes)
		require.True(t, ok, "Sys is %T", info.Sys())
		if id := os.Getuid(); id >= 0 { // Windows has none
			if strings.Contains(t.Name(), "OpenSSH") {
				id = 65000
			}
			assert.Equal(t, fmt.Sprint(id), attributes.Owner)
			assert.NotEmpty(t, attributes.Group)
		}
		assert.True(t, attributes.Accessed.Equal(at), "%v", attributes.Accessed)
		assert.Zero(t, attributes.Created)
		for entry, err := range f.ReadDir(t.Context(), ".") {
			require.NoError(t, err)
			assert.IsType(t, &hawser.FileAttributes{}, entry.Sys(), entry.Name())
		}
		room, err := f.Space(t.Context(), ".")
		if !errors.Is(err, errors.ErrUnsupported) {
			require.NoError(t, err)
			assert.Positive(t, room.Total)
		}
	})
}

func TestTimesThatDoNotFit(t *testing.T) {
	t.Parallel()
	s, root := hooked(t, (&tally{}).hook)
	put(t, root, "file", nil)
	f := login(t, to(s))
	for _, at := range []time.Time{{}, time.Unix(-1, 0), time.Unix(1<<32, 0)} {
		assert.ErrorIs(t, f.Chtimes(t.Context(), "file", at), fs.ErrInvalid, "%v", at)
	}
	assert.NoError(t, f.Chtimes(t.Context(), "file", time.Unix(1<<32-1, 0)))
}

// Attributes that the server does not tell must not look like some.
func TestAttributesThatAreNotTold(t *testing.T) {
	t.Parallel()
	s, _ := hooked(t, func(p testserver.Packet) (forward, reply *testserver.Packet) {
		if p.Type == testserver.FxpStat {
			return nil, &testserver.Packet{Type: testserver.FxpAttrs, ID: p.ID, Payload: make([]byte, 4)}
		}
		return &p, nil
	})
	info, err := login(t, to(s)).Stat(t.Context(), "file")
	require.NoError(t, err)
	attributes, ok := info.Sys().(*hawser.FileAttributes)
	require.True(t, ok)
	assert.True(t, attributes.Accessed.IsZero(), "%v", attributes.Accessed)
}

// The direction of links on the server's own disk: pkg/sftp sends the
// arguments in the order of OpenSSH, which is not that of the draft.
func TestSymlink(t *testing.T) {
	t.Parallel()
	eachServer(t, func(t *testing.T, c hawser.Connection, dir string) {
		f := login(t, c)
		require.NoError(t, upload(t.Context(), f, "target", content(10)))
		require.NoError(t, f.Symlink(t.Context(), "target", "link"))
		to, err := os.Readlink(filepath.Join(dir, "link"))
		require.NoError(t, err)
		assert.Equal(t, "target", to)
		to, err = f.ReadLink(t.Context(), "link")
		require.NoError(t, err)
		assert.Equal(t, "target", to)
		assert.ErrorIs(t, f.Symlink(t.Context(), "target", "link"), fs.ErrExist)
		info, err := f.Lstat(t.Context(), "link")
		require.NoError(t, err)
		if info.Mode().IsRegular() {
			t.Log("LSTAT follows links here, as ProFTPD's does")
			return
		}
		assert.Equal(t, fs.ModeSymlink, info.Mode().Type())
	})
}

// The server's directory has 5 GiB in a few blocks.
func TestBeyond4GiB(t *testing.T) {
	t.Parallel()
	const size, mark = 5 << 30, 4<<30 + 12345
	eachServer(t, func(t *testing.T, c hawser.Connection, dir string) {
		name := filepath.Join(dir, "big")
		big, err := os.Create(name)
		require.NoError(t, err)
		defer big.Close()
		require.NoError(t, big.Chmod(0o666))
		_, err = big.WriteAt([]byte("beyond"), mark)
		require.NoError(t, err)
		require.NoError(t, big.Truncate(size))
		f := login(t, c)
		info, err := f.Stat(t.Context(), "big")
		require.NoError(t, err)
		assert.EqualValues(t, size, info.Size())
		r, err := f.Open(t.Context(), "big", mark)
		require.NoError(t, err)
		got := make([]byte, 6)
		_, err = io.ReadFull(r, got)
		require.NoError(t, err)
		require.NoError(t, r.Close())
		assert.Equal(t, "beyond", string(got))
		w, err := f.Create(t.Context(), "big", size)
		require.NoError(t, err)
		_, err = w.Write([]byte("appended"))
		require.NoError(t, err)
		require.NoError(t, w.Close())
		tail := make([]byte, 14)
		_, err = big.ReadAt(tail, size-6)
		require.NoError(t, err)
		assert.Equal(t, "\x00\x00\x00\x00\x00\x00appended", string(tail))
		w, err = f.Create(t.Context(), "big", mark+6) // and what is behind is cut
		require.NoError(t, err)
		require.NoError(t, w.Close())
		local, err := big.Stat()
		require.NoError(t, err)
		assert.EqualValues(t, mark+6, local.Size())
	})
}

func TestNames(t *testing.T) {
	t.Parallel()
	eachServer(t, func(t *testing.T, c hawser.Connection, dir string) {
		f := login(t, c)
		for _, name := range []string{"with space", `quote"s'`, "grüße-日本語-🚢", "-rf", "--", `back\slash`, "*", "%41", "~"} {
			if name == "~" && strings.HasSuffix(t.Name(), "ProFTPD") {
				continue // there it is the login directory, also where no shell is near
			}
			require.NoError(t, upload(t.Context(), f, name, []byte(name)), name)
			assert.Equal(t, name, string(stored(t, dir, name)))
			require.NoError(t, f.Remove(t.Context(), name), name)
			assert.NoFileExists(t, filepath.Join(dir, name))
		}
		require.NoError(t, upload(t.Context(), f, "empty", nil))
		got, err := download(t.Context(), f, "empty")
		require.NoError(t, err)
		assert.Empty(t, got)
		r := &recorder{}
		ctx := hawser.WithTrace(t.Context(), r.trace())
		_, err = f.Stat(ctx, "a\nb")
		assert.ErrorIs(t, err, fs.ErrInvalid)
		assert.ErrorIs(t, f.Rename(ctx, "empty", "a\rb"), fs.ErrInvalid)
		assert.ErrorIs(t, f.Symlink(ctx, "a\x00b", "link"), fs.ErrInvalid)
		_, err = f.Create(ctx, "", 0)
		assert.ErrorIs(t, err, fs.ErrInvalid)
		assert.Empty(t, r.text(), "what was sent")
	})
}

func TestRenameWithoutPosixRename(t *testing.T) {
	t.Parallel()
	y := &tally{}
	root := t.TempDir()
	plain := func(p testserver.Packet) *testserver.Packet {
		if p.Type == testserver.FxpVersion {
			p.Payload = p.Payload[:4] // without extensions
		}
		return &p
	}
	refuse := y.then(func(p testserver.Packet) (forward, reply *testserver.Packet) {
		if p.Type == testserver.FxpRename {
			if _, err := os.Stat(filepath.Join(root, "new")); err == nil {
				return nil, testserver.Status(p.ID, 4, "Failure") // the draft's own rule
			}
		}
		return &p, nil
	})
	s := start(t, testserver.SSHConfig{SFTP: testserver.TapReplies(testserver.TapSFTP(testserver.Files(root, 0), refuse), plain)})
	f := login(t, to(s))
	put(t, root, "old", []byte("old"))
	require.NoError(t, f.Rename(t.Context(), "old", "new"))
	put(t, root, "old", []byte("older"))
	err := f.Rename(t.Context(), "old", "new")
	t.Log(err)
	assert.ErrorIs(t, err, fs.ErrExist)
	assert.Equal(t, "old", string(stored(t, root, "new")))
	assert.Equal(t, "older", string(stored(t, root, "old")))
	assert.Zero(t, y.count(testserver.FxpExtended))
	_, err = f.Space(t.Context(), ".")
	assert.ErrorIs(t, err, errors.ErrUnsupported)
}
