package listing

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/hawser/hawser"
)

var (
	errNoName = errors.New("no name behind the facts")
	errNoFact = errors.New("neither a fact nor the space that ends the facts")
)

// facts are what a line of MLSD tells (RFC 3659, section 7.5).
type facts struct {
	mode        fs.FileMode
	typed       bool
	self        bool // cdir or pdir
	target      string
	size, sizd  amount // sizd is what Pure-FTPd tells of directories
	modified    date
	created     time.Time
	unique      string
	perm        string
	owner       [3]string // the name, the number, the number by another name of the fact
	group       [3]string
	permissions fs.FileMode
}

// parse takes all facts of a line and returns the name behind them.
func (f *facts) parse(line string) (name string, err error) {
	if rest, ok := strings.CutPrefix(line, " "); ok { // no facts at all
		return rest, nil
	}
	for last := false; !last; {
		var fact, value string
		if fact, value, line, last, err = cutFact(line); err != nil {
			return "", err
		}
		if value == "" { // not known of this file: "size=;"
			continue
		}
		if !f.take(strings.ToLower(fact), value) {
			return "", fmt.Errorf("bad value of the fact %s", quote(fact))
		}
	}
	return line, nil
}

// cutFact cuts the fact that a line begins with. Behind the last one the rest
// is the name.
func cutFact(line string) (fact, value, rest string, last bool, err error) {
	fact, text, ok := strings.Cut(line, "=")
	if !ok || !isFactName(fact) {
		return "", "", "", false, errNoFact
	}
	end, space := strings.IndexByte(text, ';'), strings.IndexByte(text, ' ')
	switch {
	case space >= 0 && (end < 0 || space < end && !goesOn(fact, text, space, end)):
		// The drafts before RFC 3659 had no ";" behind the last fact, and so has NcFTPd.
		return fact, text[:space], text[space+1:], true, nil
	case end < 0 || end == len(text)-1:
		return "", "", "", false, errNoName
	}
	value, rest = text[:end], text[end+1:]
	if isSpace(rest[0]) { // some send a tab
		return fact, value, rest[1:], true, nil
	}
	return fact, value, rest, false, nil
}

// goesOn reports whether a value goes on behind its first space: ProFTPD before
// 1.3.8 sends "UNIX.groupname=domain users;", and a link's target may hold one.
func goesOn(fact, text string, space, end int) bool {
	switch strings.ToLower(fact) {
	case "unix.ownername", "unix.groupname":
	case "type":
		if !strings.Contains(text[:space], ":") {
			return false
		}
	default:
		return false
	}
	next := text[end+1:]
	if strings.HasPrefix(next, " ") {
		return true
	}
	following, _, ok := strings.Cut(next, "=")
	return ok && isFactName(following)
}

func isFactName(text string) bool {
	for i := range len(text) {
		c := text[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && !isDigit(c) && c != '.' && c != '-' && c != '_' {
			return false
		}
	}
	return text != ""
}

// take takes one fact, whose name is in lower case. It reports whether the
// value is one of that fact.
func (f *facts) take(fact, value string) (ok bool) {
	ok = true
	switch fact {
	case "type":
		f.setType(value)
	case "size":
		f.size, ok = parseSize(value)
	case "sizd":
		f.sizd, ok = parseSize(value)
	case "modify":
		f.modified, ok = parseStamp(value)
	case "create":
		var created date
		created, ok = parseStamp(value)
		f.created = (&scan{}).moment(created)
	case "unique":
		f.unique = value
	case "perm":
		f.perm = value
	case "unix.mode":
		bits, err := strconv.ParseUint(value, 8, 32)
		f.permissions = octalMode(uint32(bits))
		return err == nil
	case "unix.ownername":
		f.owner[0] = value
	case "unix.owner":
		f.owner[1] = value
	case "unix.uid":
		f.owner[2] = value
	case "unix.groupname":
		f.group[0] = value
	case "unix.group":
		f.group[1] = value
	case "unix.gid":
		f.group[2] = value
	}
	return ok
}

// setType takes "file", "dir", "OS.unix=slink:target", "OS.unix=chr-13/29".
func (f *facts) setType(value string) {
	kind := value
	if strings.HasPrefix(strings.ToLower(value), "os.") {
		_, kind, _ = strings.Cut(value, "=")
	}
	kind, target, _ := strings.Cut(kind, ":")
	kind, _, _ = strings.Cut(strings.ToLower(kind), "-")
	f.typed, f.target = true, ""
	switch kind {
	case "file":
		f.mode = 0
	case "dir":
		f.mode = fs.ModeDir
	case "cdir", "pdir":
		f.mode, f.self = fs.ModeDir, true
	case "slink", "symlink", "link":
		f.mode, f.target = fs.ModeSymlink, target
	case "chr":
		f.mode = fs.ModeDevice | fs.ModeCharDevice
	case "blk":
		f.mode = fs.ModeDevice
	case "fifo", "pipe":
		f.mode = fs.ModeNamedPipe
	case "sock", "socket":
		f.mode = fs.ModeSocket
	default:
		f.mode = fs.ModeIrregular
	}
}

// entry is what the facts say together.
func (f *facts) entry() (Entry, date) {
	if !f.typed {
		f.mode = f.guess()
	}
	e := Entry{mode: f.mode | f.permissions, Target: f.target, Unique: f.unique, Perm: f.perm}
	e.size, e.Exact = f.size.n, f.size.exact && f.mode.IsRegular()
	if f.mode.IsDir() && !f.size.exact {
		e.size = f.sizd.n
	}
	e.attributes = &hawser.FileAttributes{
		Owner: cmp.Or(f.owner[:]...), Group: cmp.Or(f.group[:]...), Created: f.created,
	}
	return e, f.modified
}

// guess is the type of an entry that tells none. What a login may do is not the
// same with a file and with a directory.
func (f *facts) guess() fs.FileMode {
	perm := strings.ToLower(f.perm)
	switch {
	case strings.ContainsAny(perm, "celmp"):
		return fs.ModeDir
	case strings.ContainsAny(perm, "arw") || f.size.exact:
		return 0
	}
	return fs.ModeIrregular
}

func parseSize(value string) (amount, bool) {
	n, err := strconv.ParseUint(value, 10, 63)
	return amount{int64(n), err == nil}, err == nil
}

// parseStamp reads "20050607212205" and "20050607212205.123", which are UTC
// (RFC 3659, section 2.3). Zeros alone are no time.
func parseStamp(value string) (date, bool) {
	if strings.Trim(value, "0") == "" {
		return date{}, true
	}
	digits, fraction, fractional := strings.Cut(value, ".")
	if len(digits) != 14 {
		return date{}, false
	}
	d := date{zone: time.UTC, resolution: time.Second}
	var ok [6]bool
	var month int
	d.year, ok[0] = parseYear(digits[:4])
	month, ok[1] = parseDigits(digits[4:6], 2, 2, 12)
	d.day, ok[2] = parseDigits(digits[6:8], 2, 2, 31)
	d.clock.hour, ok[3] = parseDigits(digits[8:10], 2, 2, 23)
	d.clock.minute, ok[4] = parseDigits(digits[10:12], 2, 2, 59)
	d.clock.second, ok[5] = parseDigits(digits[12:], 2, 2, 60)
	d.month = time.Month(month)
	good := ok == [6]bool{true, true, true, true, true, true} && isDay(d.year, d.month, d.day)
	if fractional {
		d.clock.nano, d.resolution, fractional = parseFraction(fraction)
		good = good && fractional
	}
	return d, good
}
