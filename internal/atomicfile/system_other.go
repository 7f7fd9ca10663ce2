//go:build aix || (!unix && !windows)

package atomicfile

import (
	"errors"
	"os"
)

// tryLock fails: without a lock two writers would lose each other's changes.
func tryLock(*os.File) (held bool, err error) { return false, errors.ErrUnsupported }

func rename(from, to string) error { return os.Rename(from, to) }

func syncDir(string) error { return nil }
