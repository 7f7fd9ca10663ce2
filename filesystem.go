package hawser

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"time"
)

// A FileSystem reads and writes remote files. Names are the server's own,
// separated by "/"; a relative one starts at the login directory. Errors are
// *fs.PathError and match fs.ErrNotExist, fs.ErrExist and fs.ErrPermission. A
// name that is empty or holds CR, LF or NUL matches fs.ErrInvalid and is
// refused before anything is sent. hawsertest.TestFileSystem checks one.
type FileSystem interface {
	// Stat describes the file that name leads to, through symbolic links. Its
	// Sys is a *FileAttributes or nil.
	Stat(ctx context.Context, name string) (fs.FileInfo, error)
	// ReadDir yields the entries of a directory without "." and "..". The
	// session may be used inside the loop. A line that cannot be understood is
	// an error, never skipped.
	ReadDir(ctx context.Context, name string) iter.Seq2[fs.FileInfo, error]
	// Open reads a file from offset, in bytes; at or past its end there is
	// nothing to read. ctx governs the reader until Close. A reader that has
	// WriteTo moves bytes fastest by it, as io.Copy does.
	Open(ctx context.Context, name string, offset int64) (io.ReadCloser, error)
	// Create writes a file from offset, and the file ends where writing ended.
	// 0 truncates or creates; more, up to the file's size, continues it (ftp
	// needs exactly the size, else the error matches errors.ErrUnsupported).
	// The content is complete only once Close returns nil. ctx governs the
	// writer until then: cancel it to abandon the file, as a ReadFrom whose
	// source fails does, and Close returns that error; see [PartialError].
	Create(ctx context.Context, name string, offset int64) (io.WriteCloser, error)
	Mkdir(ctx context.Context, name string) error
	// Rename replaces newname in one step where the server can; where it
	// cannot, the error matches fs.ErrExist and nothing has changed.
	Rename(ctx context.Context, oldname, newname string) error
	Remove(ctx context.Context, name string) error // a file or an empty directory
	Chtimes(ctx context.Context, name string, mtime time.Time) error
}

// Optional abilities of a FileSystem, found by [As]. One that the server lacks
// gives an error that matches errors.ErrUnsupported.
type (
	// A Chmoder sets permissions: the bits of fs.ModePerm and of
	// fs.ModeSetuid, fs.ModeSetgid and fs.ModeSticky.
	Chmoder interface {
		Chmod(ctx context.Context, name string, mode fs.FileMode) error
	}
	// A Symlinker makes and reads symbolic links. oldname is what the link
	// newname points at. Lstat does not follow a link, as Stat does.
	Symlinker interface {
		Symlink(ctx context.Context, oldname, newname string) error
		ReadLink(ctx context.Context, name string) (string, error)
		Lstat(ctx context.Context, name string) (fs.FileInfo, error)
	}
	// A Hasher hashes on the server. Algorithm is "sha256", "sha1", "md5", "crc32".
	Hasher interface {
		Hash(ctx context.Context, algorithm, name string) ([]byte, error)
	}
	// A SpaceReporter tells the room on the volume that name is on.
	SpaceReporter interface {
		Space(ctx context.Context, name string) (Space, error)
	}
)

// Space is the room on a volume, in bytes.
type Space struct {
	Total     uint64
	Free      uint64 // also what only an administrator may use
	Available uint64 // to this login
}

// FileAttributes is what a FileInfo's Sys gives as *FileAttributes where the
// server tells more of a file than io/fs has a place for. A field that the
// server does not tell is zero.
type FileAttributes struct {
	Owner    string // name, or the decimal id where the server tells no more
	Group    string // likewise
	Accessed time.Time
	Created  time.Time
}

// A PartialError is why a file being written is not complete. Its first Good
// bytes are right, and a session that is still alive cut the file to them.
type PartialError struct {
	Name string
	Good int64 // bytes from the start of the file
	Err  error
}

// Error returns "name: complete up to byte 4096 only: cause".
func (e *PartialError) Error() string {
	return fmt.Sprintf("%s: complete up to byte %d only: %v", Printable(e.Name), e.Good, e.Err)
}

// Unwrap returns the cause.
func (e *PartialError) Unwrap() error { return e.Err }
