package listing

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hawser/hawser"
)

var (
	errUnknown = errors.New("of no format that is known")
	errEmpty   = errors.New("the name is empty")
	errOutside = errors.New("the name leads out of the directory")
	errNUL     = errors.New("the name holds NUL")
	errOrder   = errors.New("the date does not fit the order of day, month and year of the lines before")
)

// A scan is one listing being read.
type scan struct {
	o       Options
	entries []Entry
	open    []openDate // of entries whose date is not settled
	orders  order      // those that every date of open fits

	number int    // of the line at hand
	text   string // that line
}

func newScan(o Options) *scan {
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	if o.Location == nil {
		o.Location = time.UTC
	}
	return &scan{o: o, orders: mdy | dmy | ymd}
}

// reject is the error for the line at hand.
func (s *scan) reject(reason error) *LineError {
	return &LineError{Line: s.number, Text: s.text, Err: reason}
}

func (s *scan) rejectf(format string, args ...any) *LineError {
	return s.reject(fmt.Errorf(format, args...))
}

// A dialect is one format of LIST, with what it keeps of the lines before.
type dialect interface {
	// read takes a line, which is not blank. It reports whether the line is of
	// the dialect; one that is not leaves the scan as it was.
	read(s *scan, line string) (bool, error)
	// end is called after the last line.
	end(s *scan) error
	// String names the dialect in an error.
	String() string
}

// stateless is for a dialect that has nothing to do at the end.
type stateless struct{}

func (stateless) end(*scan) error { return nil }

// dialects are what a listing may be in. Each takes only what no other takes,
// so that their order is that of how often they are met.
func dialects() []dialect {
	return []dialect{
		&unix{}, dos{}, list3659{}, // what most servers send
		&vms{}, &dataSets{}, &members{}, jobs{}, cms{}, &ibmi{}, nonstop{}, // mainframes
		netware{}, os2{}, eplf{}, vxworks{}, enterprise{},
	}
}

// take reads a line by *d, or finds which dialect reads it.
func (s *scan) take(d *dialect, line string) error {
	if isBlank(line) {
		return nil
	}
	if *d != nil {
		ok, err := (*d).read(s, line)
		if err == nil && !ok {
			return s.rejectf("not of the format of %v, as the lines before it are", *d)
		}
		return err
	}
	if isTotal(line) { // which ls and NetWare begin with
		return nil
	}
	for _, candidate := range dialects() {
		if ok, err := candidate.read(s, line); ok || err != nil {
			*d = candidate
			return err
		}
	}
	return s.reject(errUnknown)
}

// add keeps e under a name as the server wrote it, unless that is "." or "..".
func (s *scan) add(e Entry, name string, when date) error {
	if name == "." || name == ".." {
		return nil
	}
	name, err := s.decode(name)
	if err != nil {
		return err
	}
	if reason := checkName(name); reason != nil {
		return s.reject(reason)
	}
	e.name = name
	return s.keep(e, when)
}

// keep completes and keeps an entry that has its name.
func (s *scan) keep(e Entry, when date) error {
	var err error
	if e.Target, err = s.decode(e.Target); err != nil {
		return err
	}
	if e.attributes == nil {
		e.attributes = &hawser.FileAttributes{}
	}
	if e.Raw == "" {
		e.Raw = s.text
	}
	e.Resolution = when.resolution
	if when.numeric == nil {
		e.modified = s.moment(when)
	} else {
		if s.orders &= when.numeric.orders(); s.orders == 0 {
			return s.reject(errOrder)
		}
		s.open = append(s.open, openDate{index: len(s.entries), when: when})
	}
	s.entries = append(s.entries, e)
	return nil
}

func (s *scan) decode(text string) (string, error) {
	if s.o.Decode == nil || text == "" {
		return text, nil
	}
	decoded, err := s.o.Decode(text)
	if err != nil {
		return "", s.rejectf("the name cannot be decoded: %w", err)
	}
	return decoded, nil
}

// checkName refuses a name that leads out of the directory that lists it: a
// caller would join the two and follow.
func checkName(name string) error {
	switch {
	case name == "":
		return errEmpty
	case name == "." || name == ".." || strings.Contains(name, "/"):
		return errOutside
	case strings.Contains(name, "\x00"):
		return errNUL
	}
	return nil
}
