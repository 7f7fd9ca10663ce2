// Package listing reads what FTP servers answer to LIST, MLSD and MLST. It
// knows no network.
//
// A line that cannot be understood is an error, never left out: a file that is
// missing from a listing is a file that a mirror deletes.
package listing

import (
	"io"
	"io/fs"
	"time"

	"github.com/hawser/hawser"
)

// An Entry is one file of a listing. It is an fs.FileInfo whose Sys is a
// *hawser.FileAttributes. All text of it is the server's.
type Entry struct {
	Target string // what a symbolic link points at; empty also where the server does not tell it
	Unique string // the fact "unique" of MLSD, or the identifier of EPLF: the same for the same file
	Perm   string // the fact "perm" of MLSD: what this login may do (RFC 3659, section 7.5.5)
	Raw    string // as the server sent it, without the line's end; VMS takes several lines for some

	// Resolution is how exact ModTime is: a LIST often tells minutes, or days.
	// Zero means that the server told no time, and ModTime is zero. Who needs
	// better asks by MDTM.
	Resolution time.Duration
	// Exact says that Size is what SIZE would tell. Otherwise it is zero or an
	// estimate: mainframes count records, blocks and tracks.
	Exact bool

	name       string
	size       int64
	mode       fs.FileMode
	modified   time.Time
	attributes *hawser.FileAttributes
}

var _ fs.FileInfo = Entry{}

// Name is the file's name within its directory. It is never empty, "." or
// "..", and holds neither "/" nor NUL, but for what ParseMLST says of its own.
func (e Entry) Name() string { return e.name }

// Size is in bytes; see Exact.
func (e Entry) Size() int64 { return e.size }

// Mode is the type, and the permissions where the server tells them. A file
// whose type is not known is fs.ModeIrregular.
func (e Entry) Mode() fs.FileMode { return e.mode }

// ModTime is when the content last changed; see Resolution.
func (e Entry) ModTime() time.Time { return e.modified }

// IsDir reports whether the file is a directory, or what its system has for
// one: a library, a folder, a partitioned data set.
func (e Entry) IsDir() bool { return e.mode.IsDir() }

// Sys is a *hawser.FileAttributes, never nil, and the caller's own.
func (e Entry) Sys() any { return e.attributes }

// Options say what a listing alone does not. The zero value works.
type Options struct {
	// Now decides the year of a date that has none: the latest that is not more
	// than a day after Now. Zero means time.Now().
	Now time.Time
	// Location is where the times of a LIST are local; nil means UTC. The times
	// of MLSD, MLST and EPLF are UTC always.
	Location *time.Location
	// Decode turns a file's name, and a link's target, from the server's
	// encoding into UTF-8. Nil leaves all bytes as they are.
	Decode func(string) (string, error)
}

// ParseList reads the answer to LIST up to the end of r, whose errors it
// returns as they are. The first line that is not blank decides the format, and
// every further line must be of it. "." and ".." are left out, as are headers.
// The order is the server's. A line that cannot be understood is a *LineError,
// and then there are no entries. Memory grows with the listing: bound r.
//
// Dates of three short numbers are read in the order of day, month and year that
// fits all of the listing. Where several orders do, as with nothing but
// "03/04/24", it is the month first; but the day first where points separate
// them, and with hyphens in the formats of ls and of IBM i.
func ParseList(r io.Reader, o Options) ([]Entry, error) {
	s, in := newScan(o), newLines(r)
	var d dialect
	for {
		line, err := in.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		s.number, s.text = in.number, line
		if err := s.take(&d, line); err != nil {
			return nil, err
		}
	}
	if d != nil {
		if err := d.end(s); err != nil {
			return nil, err
		}
	}
	s.settle()
	return s.entries, nil
}
