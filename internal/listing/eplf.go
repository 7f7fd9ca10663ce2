package listing

import (
	"io/fs"
	"strconv"
	"strings"
	"time"
)

// eplf is the Easily Parsed LIST Format of publicfile and anonftpd:
// "+i8388621.48594,m825718503,r,s280,", a tab, a name.
type eplf struct{ stateless }

func (eplf) String() string { return "EPLF" }

func (eplf) read(s *scan, line string) (bool, error) {
	facts, name, ok := strings.Cut(line, "\t")
	if !ok || line[0] != '+' {
		return false, nil
	}
	var e eplfEntry
	for fact := range strings.SplitSeq(facts[1:], ",") {
		if !e.take(fact) {
			return true, s.rejectf("bad fact %s", quote(fact))
		}
	}
	if !e.mode.IsDir() && !e.readable {
		e.mode |= fs.ModeIrregular
	}
	return true, s.add(e.Entry, name, e.when)
}

type eplfEntry struct {
	Entry
	when     date
	readable bool // by RETR
}

// take takes one fact. Unknown ones are left to who knows them.
func (e *eplfEntry) take(fact string) bool {
	switch {
	case fact == "/":
		e.mode |= fs.ModeDir
	case fact == "r":
		e.readable = true
	case strings.HasPrefix(fact, "i"):
		e.Unique = fact[1:]
	case strings.HasPrefix(fact, "s"):
		n, err := strconv.ParseUint(fact[1:], 10, 63)
		e.size, e.Exact = int64(n), true
		return err == nil
	case strings.HasPrefix(fact, "m"):
		seconds, err := strconv.ParseUint(fact[1:], 10, 37) // to the year 6325
		e.when = dateOf(time.Unix(int64(seconds), 0).UTC(), time.Second)
		return err == nil
	case strings.HasPrefix(fact, "up"):
		bits, err := strconv.ParseUint(fact[2:], 8, 12)
		e.mode |= octalMode(uint32(bits))
		return err == nil
	}
	return true
}

// dateOf is the date of t, which needs no options.
func dateOf(t time.Time, resolution time.Duration) date {
	return date{
		year: t.Year(), month: t.Month(), day: t.Day(), zone: t.Location(), resolution: resolution,
		clock: clock{t.Hour(), t.Minute(), t.Second(), t.Nanosecond()},
	}
}

// octalMode turns the twelve bits of chmod into those of io/fs.
func octalMode(bits uint32) fs.FileMode {
	mode := fs.FileMode(bits & 0o777)
	if bits&0o4000 != 0 {
		mode |= fs.ModeSetuid
	}
	if bits&0o2000 != 0 {
		mode |= fs.ModeSetgid
	}
	if bits&0o1000 != 0 {
		mode |= fs.ModeSticky
	}
	return mode
}
