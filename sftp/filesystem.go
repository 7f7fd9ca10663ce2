package sftp

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"strings"
	"time"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/bounded"
)

// call runs one operation on name: it checks the name, bounds the wait, and
// gives the error its path.
func call[T any](ctx context.Context, s *Session, op, name string, fn func() (T, error), late func(T)) (T, error) {
	var none T
	if err := checkName(op, name); err != nil {
		return none, err
	}
	s.begin()
	defer s.finish()
	defer s.log.Listen(ctx)()
	value, err := bounded.Do(ctx, s.calls, guarded(s, fn), late)
	if err != nil {
		return none, s.pathError(op, name, err)
	}
	return value, nil
}

// do is call for an operation without a result.
func (s *Session) do(ctx context.Context, op, name string, fn func() error) error {
	_, err := call(ctx, s, op, name, func() (struct{}, error) { return struct{}{}, fn() }, nil)
	return err
}

// Stat describes the file that name leads to, through symbolic links.
func (s *Session) Stat(ctx context.Context, name string) (fs.FileInfo, error) {
	return s.describe(ctx, "stat", name, s.client.Stat)
}

// Lstat describes name, also if it is a symbolic link.
func (s *Session) Lstat(ctx context.Context, name string) (fs.FileInfo, error) {
	return s.describe(ctx, "lstat", name, s.client.Lstat)
}

func (s *Session) describe(ctx context.Context, op, name string, ask func(string) (os.FileInfo, error)) (fs.FileInfo, error) {
	found, err := call(ctx, s, op, name, func() (os.FileInfo, error) { return ask(name) }, nil)
	if err != nil {
		return nil, err
	}
	return newInfo(found), nil
}

// ReadDir yields the entries of a directory, in the server's order. It reads
// the whole directory before it yields, so the session is free inside the loop.
func (s *Session) ReadDir(ctx context.Context, name string) iter.Seq2[fs.FileInfo, error] {
	return func(yield func(fs.FileInfo, error) bool) {
		found, err := call(ctx, s, "readdir", name, func() ([]os.FileInfo, error) {
			return s.client.ReadDirContext(ctx, name)
		}, nil)
		if err != nil {
			yield(nil, err)
			return
		}
		for _, f := range found {
			if err := checkEntry(f.Name()); err != nil {
				yield(nil, s.pathError("readdir", name, err))
				return
			}
			if !yield(newInfo(f), nil) {
				return
			}
		}
	}
}

// checkEntry refuses a name that leads out of the directory which it was
// listed in: a caller would join the two and follow.
func checkEntry(name string) error {
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
		return fmt.Errorf("the server lists an entry called %q", name)
	}
	return nil
}

// Mkdir makes a directory with the server's default permissions.
func (s *Session) Mkdir(ctx context.Context, name string) error {
	err := s.do(ctx, "mkdir", name, func() error { return s.client.Mkdir(name) })
	return s.existsAlready(ctx, err, name)
}

// existsAlready gives a bare SSH_FX_FAILURE the reason fs.ErrExist if name is
// there.
func (s *Session) existsAlready(ctx context.Context, err error, name string) error {
	var pathError *fs.PathError
	if !isFailure(err) || !errors.As(err, &pathError) {
		return err
	}
	if _, missing := s.Lstat(ctx, name); missing == nil {
		pathError.Err = fmt.Errorf("%w: %w", fs.ErrExist, pathError.Err)
	}
	return err
}

// Rename replaces newname in one step by posix-rename@openssh.com. A server
// without it renames only to a name that is free.
func (s *Session) Rename(ctx context.Context, oldname, newname string) error {
	if err := checkName("rename", newname); err != nil {
		return err
	}
	rename := s.client.Rename
	if _, ok := s.extensions["posix-rename@openssh.com"]; ok {
		rename = s.client.PosixRename
	}
	err := s.do(ctx, "rename", oldname, func() error { return rename(oldname, newname) })
	return s.existsAlready(ctx, err, newname)
}

// Remove removes a file or an empty directory.
func (s *Session) Remove(ctx context.Context, name string) error {
	return s.do(ctx, "remove", name, func() error { return s.client.Remove(name) })
}

// Chtimes sets the modification time, to the second, and the time of access
// along with it, because version 3 of the protocol sets both or none.
func (s *Session) Chtimes(ctx context.Context, name string, mtime time.Time) error {
	if at := mtime.Unix(); at < 0 || at > 1<<32-1 {
		return &fs.PathError{Op: "chtimes", Path: name, Err: fmt.Errorf("%w: SFTP version 3 has times from 1970 to 2106", fs.ErrInvalid)}
	}
	return s.do(ctx, "chtimes", name, func() error { return s.client.Chtimes(name, mtime, mtime) })
}

// Chmod sets permissions.
func (s *Session) Chmod(ctx context.Context, name string, mode fs.FileMode) error {
	return s.do(ctx, "chmod", name, func() error { return s.client.Chmod(name, mode) })
}

// Symlink makes newname a symbolic link to oldname.
func (s *Session) Symlink(ctx context.Context, oldname, newname string) error {
	if err := checkName("symlink", oldname); err != nil {
		return err
	}
	err := s.do(ctx, "symlink", newname, func() error { return s.client.Symlink(oldname, newname) })
	return s.existsAlready(ctx, err, newname)
}

// ReadLink returns what the symbolic link name points at.
func (s *Session) ReadLink(ctx context.Context, name string) (string, error) {
	return call(ctx, s, "readlink", name, func() (string, error) { return s.client.ReadLink(name) }, nil)
}

// Space tells the room on the volume of name by statvfs@openssh.com.
func (s *Session) Space(ctx context.Context, name string) (hawser.Space, error) {
	return call(ctx, s, "space", name, func() (hawser.Space, error) {
		if _, ok := s.extensions["statvfs@openssh.com"]; !ok {
			return hawser.Space{}, fmt.Errorf("%w: the server has no statvfs@openssh.com", errors.ErrUnsupported)
		}
		v, err := s.client.StatVFS(name)
		if err != nil {
			return hawser.Space{}, err
		}
		return hawser.Space{Total: v.Frsize * v.Blocks, Free: v.Frsize * v.Bfree, Available: v.Frsize * v.Bavail}, nil
	}, nil)
}
