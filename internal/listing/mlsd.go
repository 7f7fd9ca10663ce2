package listing

import (
	"errors"
	"io"
	"regexp"
	"strings"
)

var errTwo = errors.New("more than one line")

// ParseMLSD reads the answer to MLSD (RFC 3659, section 7) up to the end of r,
// whose errors it returns as they are. Entries of type cdir and pdir are left
// out. A fact that is not known is ignored; a known one with a wrong value is a
// *LineError, as is a line without a name, and then there are no entries. An
// entry without a type is what its size or its perm says, else
// fs.ModeIrregular. The order is the server's. Memory grows with the listing:
// bound r.
func ParseMLSD(r io.Reader, o Options) ([]Entry, error) {
	s, in := newScan(o), newLines(r)
	for {
		line, err := in.next()
		if err == io.EOF {
			return s.entries, nil
		}
		if err != nil {
			return nil, err
		}
		s.number, s.text = in.number, line
		if line == "" {
			continue
		}
		if err := s.addFacts(line); err != nil {
			return nil, err
		}
	}
}

// ParseMLST reads the one line of a 250 reply that describes a file (RFC 3659,
// section 7.2), with or without the space that it begins with there. Name is
// the last element of the path that the server tells: "/" for the root, and "."
// if that element is "." or "..". An error is a *LineError.
func ParseMLST(line string, o Options) (Entry, error) {
	s := newScan(o)
	s.text = trimEnd(line)
	switch {
	case len(s.text) > maxLine:
		return Entry{}, s.reject(errTooLong)
	case strings.Contains(s.text, "\n"):
		return Entry{}, s.reject(errTwo)
	}
	var f facts
	path := strings.TrimPrefix(s.text, " ")
	// A server without facts may have left out the space in their place.
	if first, _, _ := strings.Cut(path, " "); first == "" || strings.Contains(first, "=") {
		var err error
		if path, err = f.parse(path); err != nil {
			return Entry{}, s.reject(err)
		}
	}
	path, err := s.decode(path)
	if err != nil {
		return Entry{}, err
	}
	e, when := f.entry()
	if e.name, err = lastElement(path); err != nil {
		return Entry{}, s.reject(err)
	}
	if err := s.keep(e, when); err != nil {
		return Entry{}, err
	}
	return s.entries[0], nil
}

// lastElement is the last element of a path.
func lastElement(path string) (string, error) {
	if path == "" {
		return "", errEmpty
	}
	if strings.Contains(path, "\x00") {
		return "", errNUL
	}
	trimmed := strings.TrimRight(path, "/")
	if trimmed == "" {
		return "/", nil
	}
	name := trimmed[strings.LastIndexByte(trimmed, '/')+1:]
	if name == ".." {
		return ".", nil
	}
	return name, nil
}

// addFacts adds what a line of MLSD tells.
func (s *scan) addFacts(line string) error {
	var f facts
	name, err := f.parse(line)
	if err != nil {
		return s.reject(err)
	}
	if f.self {
		return nil
	}
	e, when := f.entry()
	return s.add(e, name, when)
}

// factLine is for servers that answer LIST as if it were MLSD.
var factLine = regexp.MustCompile(`(?i)^(?:[a-z0-9._-]+=[^;]*;)*(?:type|size|modify)=`)

type list3659 struct{ stateless }

func (list3659) String() string { return "MLSD" }

func (list3659) read(s *scan, line string) (bool, error) {
	if !factLine.MatchString(line) {
		return false, nil
	}
	return true, s.addFacts(line)
}
