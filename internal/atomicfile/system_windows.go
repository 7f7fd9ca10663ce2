package atomicfile

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/windows"
)

// tryLock takes the lock if it is free. It covers one byte of an empty file,
// which Windows allows.
func tryLock(f *os.File) (held bool, err error) {
	const exclusive = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	err = windows.LockFileEx(windows.Handle(f.Fd()), exclusive, 0, 1, 0, new(windows.Overlapped))
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, windows.ERROR_LOCK_VIOLATION), errors.Is(err, windows.ERROR_IO_PENDING):
		return false, nil
	}
	return false, err
}

// rename tries for two seconds: Windows refuses to replace a file while a
// reader, or a virus scanner, has it open.
func rename(from, to string) error {
	const tries, pause = 100, 20 * time.Millisecond
	for i := 1; ; i++ {
		err := os.Rename(from, to)
		if i == tries || !errors.Is(err, windows.ERROR_ACCESS_DENIED) && !errors.Is(err, windows.ERROR_SHARING_VIOLATION) {
			return err
		}
		time.Sleep(pause)
	}
}

// syncDir does nothing: Windows has no such call, and NTFS logs the rename.
func syncDir(string) error { return nil }
