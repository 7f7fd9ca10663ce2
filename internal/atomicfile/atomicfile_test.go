package atomicfile_test

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/hawser/hawser/internal/atomicfile"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestLockHasOneHolderAtATime(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	unlock, err := atomicfile.Lock(t.Context(), path)
	require.NoError(t, err)

	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err = atomicfile.Lock(ctx, path)
	require.ErrorIs(t, err, context.DeadlineExceeded)

	unlock()
	unlock, err = atomicfile.Lock(t.Context(), path)
	require.NoError(t, err)
	unlock()
}

func TestLockFollowsSymbolicLinks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, link := filepath.Join(dir, "file"), filepath.Join(dir, "link")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	if err := os.Symlink(path, link); err != nil {
		t.Skip(err)
	}
	unlock, err := atomicfile.Lock(t.Context(), path)
	require.NoError(t, err)
	defer unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err = atomicfile.Lock(ctx, link)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestWriteReplacesTheContentAndWhatAKilledWriterLeft(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	victim := filepath.Join(t.TempDir(), "victim")
	require.NoError(t, os.WriteFile(victim, []byte("untouched"), 0o600))
	if runtime.GOOS != "windows" {
		require.NoError(t, os.Symlink(victim, path+".new"))
	}
	for _, want := range []string{"one", "a longer second", ""} {
		require.NoError(t, atomicfile.Write(path, []byte(want), 0o640))
		got, err := atomicfile.Read(path, 100)
		require.NoError(t, err)
		assert.Equal(t, want, string(got))
	}
	if info, err := os.Stat(path); runtime.GOOS != "windows" {
		require.NoError(t, err)
		assert.EqualValues(t, 0o640, info.Mode().Perm())
	}
	assert.NoFileExists(t, path+".new")
	got, err := os.ReadFile(victim)
	require.NoError(t, err)
	assert.Equal(t, "untouched", string(got))
}

func TestWriteThatFailsLeavesTheFileAsItWas(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "target")
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "full"), 0o700))
	require.Error(t, atomicfile.Write(dir, []byte("x"), 0o600), "a directory cannot be replaced")
	assert.DirExists(t, filepath.Join(dir, "full"))
	assert.NoFileExists(t, dir+".new")
}

func TestReadIsBounded(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, []byte("12345"), 0o600))
	_, err := atomicfile.Read(path, 5)
	require.NoError(t, err)
	_, err = atomicfile.Read(path, 4)
	require.ErrorContains(t, err, "longer than 4 bytes")
}
