// Package atomicfile changes a file that several processes share: one writer at
// a time, by [Lock], and readers see the old content or the new, never a part,
// by [Write].
package atomicfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// maxLockWait bounds the pause between two tries for a lock. The locks of the
// operating system either do not wait or cannot be interrupted by a context, so
// [Lock] tries again and again.
const maxLockWait = 50 * time.Millisecond

// Lock waits until no other process, and no other caller in this one, holds the
// lock of path, and takes it. It creates the file beside path that carries the
// lock, path + ".lock", and leaves it there, since removing a lock file lets two
// holders in. The lock ends with the process at the latest; the caller ends it
// by unlock, once. The error matches the context's own if ctx ended. Names of
// one file that differ by symbolic links share a lock.
func Lock(ctx context.Context, path string) (unlock func(), err error) {
	path, err = resolve(path)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for pause := time.Millisecond; ; pause = min(2*pause, maxLockWait) {
		held, err := tryLock(f)
		if err != nil {
			_ = f.Close()
			return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
		}
		if held {
			// Closing ends the lock too, on every system.
			return func() { _ = f.Close() }, nil
		}
		if err := wait(ctx, pause); err != nil {
			_ = f.Close()
			return nil, err
		}
	}
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// Write replaces the content of path by data, on disk, or leaves it as it was.
// A new file has the permissions perm, and so has an old one afterwards. A
// symbolic link stays one: the file that it leads to is replaced. The caller
// holds the [Lock] of path, because the content is gathered in path + ".new",
// which a process that was killed leaves behind and the next Write replaces.
func Write(path string, data []byte, perm fs.FileMode) error {
	target, err := resolve(path)
	if err != nil {
		return err
	}
	temp := target + ".new"
	if err := writeTemp(temp, data, perm); err != nil {
		return errors.Join(err, removeIfThere(temp))
	}
	if err := rename(temp, target); err != nil {
		return errors.Join(err, removeIfThere(temp))
	}
	return syncDir(filepath.Dir(target))
}

// resolve follows symbolic links; what is not there stays as named.
func resolve(path string) (string, error) {
	target, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		return path, nil
	}
	return target, err
}

// writeTemp refuses to follow what somebody else put at path: it is removed,
// and O_EXCL fails if it is back.
func writeTemp(path string, data []byte, perm fs.FileMode) error {
	if err := removeIfThere(path); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(perm) // the umask may have taken bits away
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func removeIfThere(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Read returns the content of path, which has at most limit bytes. A longer
// file is an error.
func Read(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s is longer than %d bytes", path, limit)
	}
	return data, nil
}
