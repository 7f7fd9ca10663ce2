package listing

import (
	"errors"
	"io/fs"
	"strings"

	"github.com/hawser/hawser"
)

var (
	errNoTail = errors.New("no size and date before a name")
	errDates  = errors.New("a line without a date among lines with one")
)

// unix is ls -l, in all that became of it: with an inode or blocks in front, a
// mark of access lists behind the mode, owners with spaces or none at all, any
// date, and on small systems no date.
type unix struct{ dated, dateless bool }

func (*unix) String() string { return "ls -l" }

func (*unix) end(*scan) error { return nil }

func (u *unix) read(s *scan, line string) (bool, error) {
	mode, from, ok := findMode(line)
	if !ok {
		return false, nil
	}
	var buffer [maxFields]field
	f := split(buffer[:0], line, from)
	t, err := u.tail(s, line, f, mode)
	if err != nil {
		return true, err
	}
	e := Entry{mode: mode, size: t.size.n, Exact: t.size.exact && mode.IsRegular()}
	e.attributes = &hawser.FileAttributes{}
	e.attributes.Owner, e.attributes.Group = owners(line[from:f[t.first].start])
	name := t.name
	switch {
	case mode&fs.ModeSymlink != 0:
		name, e.Target = splitLink(name, t.size.n)
	case mode.IsDir():
		name = trimSlash(name)
	}
	return true, s.add(e, name, t.when)
}

// tail finds how the line ends. Dates are on every line of a listing or on
// none: a line that was cut could otherwise pass for one without.
func (u *unix) tail(s *scan, line string, f []field, mode fs.FileMode) (tail, error) {
	if t, ok := findTail(line, f, mode&fs.ModeDevice != 0); ok {
		if u.dateless {
			return tail{}, s.reject(errDates)
		}
		u.dated = true
		return t, nil
	}
	t, ok := findName(line, f, mode&fs.ModeSymlink != 0)
	switch {
	case !ok, !u.dated && !u.dateless && parseMonth(t.name) != 0:
		return tail{}, s.reject(errNoTail)
	case u.dated:
		return tail{}, s.reject(errDates)
	}
	u.dateless = true
	return t, nil
}

// findMode finds "drwxr-xr-x" at the start of a line, or behind an inode and a
// number of blocks, and where the line goes on.
func findMode(line string) (mode fs.FileMode, next int, ok bool) {
	var buffer [4]field
	f := split(buffer[:0], line[:min(len(line), 80)], 0)
	for i := 0; i < min(len(f), 3); i++ {
		if mode, ok = parseMode(line[f[i].start:]); ok {
			next = f[i].start + 10
			// A dot of SELinux, a plus of access lists, an at sign of macOS.
			if next < len(line) && strings.IndexByte(".+@*?e", line[next]) >= 0 {
				next++
			}
			// Long counts of links leave no space: "drwxr-x---+1464 root".
			return mode, next, next < len(line) && (isSpace(line[next]) || isDigit(line[next]))
		}
		if _, numeric := parseAmount(f[i].of(line)); !numeric {
			break
		}
	}
	return 0, 0, false
}

// parseMode reads the ten characters of ls.
func parseMode(text string) (fs.FileMode, bool) {
	if len(text) < 10 {
		return 0, false
	}
	mode, ok := modeType(text[0])
	special := [3]fs.FileMode{fs.ModeSetuid, fs.ModeSetgid, fs.ModeSticky}
	for i := range 9 {
		bit := fs.FileMode(1) << (8 - i)
		switch c := text[1+i]; {
		case c == "rwx"[i%3]:
			mode |= bit
		case c == '-':
		case i%3 < 2:
			return 0, false
		case c == 's' || c == 't':
			mode |= bit | special[i/3]
		case c == 'S' || c == 'T' || c == 'l' || c == 'L': // l: a lock of Solaris, written as setgid
			mode |= special[i/3]
		default:
			return 0, false
		}
	}
	return mode, ok
}

// modeType reads the first character of ls, of any Unix.
func modeType(c byte) (fs.FileMode, bool) {
	switch c {
	case '-', 'C', 'M': // C: contiguous, M: migrated to tape
		return 0, true
	case 'd':
		return fs.ModeDir, true
	case 'l':
		return fs.ModeSymlink, true
	case 'b':
		return fs.ModeDevice, true
	case 'c':
		return fs.ModeDevice | fs.ModeCharDevice, true
	case 'p':
		return fs.ModeNamedPipe, true
	case 's':
		return fs.ModeSocket, true
	case 'D', 'P', 'n', 'w', '?': // a door, a port, a special of HP-UX, a whiteout
		return fs.ModeIrregular, true
	}
	return 0, false
}

// owners splits what stands between the mode and the size: perhaps a number of
// links, then an owner and a group, either of which may be missing or hold
// spaces.
func owners(text string) (owner, group string) {
	text = strings.Trim(text, " \t")
	if first, rest, _ := strings.Cut(text, " "); strings.Trim(first, "0123456789") == "" {
		text = strings.TrimLeft(rest, " \t")
	}
	if text == "folder" { // of NetPresenz, where a file has sizes
		return "", ""
	}
	// ls pads the owner to a column: two spaces end it, if it holds some.
	if before, after, padded := strings.Cut(text, "  "); padded {
		return before, strings.TrimLeft(after, " ")
	}
	// Without, a name of several words is most often a group: "Domain Users".
	owner, group, _ = strings.Cut(text, " ")
	return owner, strings.TrimLeft(group, " ")
}

// splitLink splits "name -> target", where both may hold an arrow: the size of
// a link is the length of its target.
func splitLink(text string, size int64) (name, target string) {
	const arrow = " -> "
	for from := 0; ; {
		i := strings.Index(text[from:], arrow)
		if i < 0 {
			break
		}
		at := from + i
		if int64(len(text)-at-len(arrow)) == size {
			return text[:at], text[at+len(arrow):]
		}
		from = at + 1
	}
	name, target, _ = strings.Cut(text, arrow)
	return name, target
}

// trimSlash cuts what ls -p and ls -F put behind a directory's name.
func trimSlash(name string) string {
	if len(name) > 1 {
		return strings.TrimSuffix(name, "/")
	}
	return name
}
