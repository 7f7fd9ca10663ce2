package listing

import (
	"errors"
	"io/fs"
	"regexp"
	"strings"

	"github.com/hawser/hawser"
)

var (
	// Owner, size and time may be missing, each alone.
	ibmiLine = regexp.MustCompile(`^(?:(\S+)[ \t]+|[ \t]+)` + // owner
		`(?:(\d+)[ \t]+)?` + // size
		`(?:(\d\d\D\d\d\D\d\d)[ \t]+(\d\d[:.,]\d\d[:.,]\d\d)[ \t]+)?` + // date and time
		`(\*[A-Z][A-Z0-9]*)((?:[ \t].*)?)$`) // type and name
	errOrphan = errors.New("inside of a directory that the lines before do not tell")
)

// ibmi is what IBM i, once OS/400, lists with LISTFMT 0. Dates are in the format
// of the server's job.
//
// A library's listing tells the members of its files too: they are left out,
// since they are not in the library but in the file, which is a directory
// because of them. A *FILE without members is told as a file: it may be a save
// file.
type ibmi struct {
	entries map[string]int // by name
}

func (*ibmi) String() string    { return "IBM i" }
func (*ibmi) end(s *scan) error { return nil }

func (i *ibmi) read(s *scan, line string) (bool, error) {
	m := ibmiLine.FindStringSubmatch(line)
	if m == nil {
		return false, nil
	}
	when, ok := ibmiDate(m[3], m[4])
	if !ok {
		return false, nil
	}
	kind, name := m[5], ibmiName(m[5], m[6])
	if name == "" && kind == "*FILE" { // the directory itself, whose members follow
		return true, nil
	}
	name, slash := strings.CutSuffix(name, "/")
	if parent, _, inside := strings.Cut(name, "/"); inside {
		return true, i.inside(s, parent)
	}
	e := Entry{mode: ibmiMode(kind), attributes: &hawser.FileAttributes{Owner: m[1]}}
	if slash {
		e.mode = fs.ModeDir
	}
	if size, ok := parseAmount(m[2]); ok {
		e.size, e.Exact = size.n, kind == "*STMF"
	}
	before := len(s.entries)
	if err := s.add(e, name, when); err != nil || len(s.entries) == before {
		return true, err
	}
	if i.entries == nil {
		i.entries = map[string]int{}
	}
	i.entries[name] = before
	return true, nil
}

// inside notes that the entry called parent holds others.
func (i *ibmi) inside(s *scan, parent string) error {
	at, ok := i.entries[parent]
	if !ok {
		return s.reject(errOrphan)
	}
	e := &s.entries[at]
	e.mode = fs.ModeDir
	e.Exact = false
	return nil
}

// ibmiName cuts the name off what stands behind the type, which has a column
// of ten characters.
func ibmiName(kind, text string) string {
	column := max(10-len(kind), 0) + 1
	if len(text) > column && isBlank(text[:column]) {
		text = text[column:]
	} else {
		text = strings.TrimLeft(text, " \t")
	}
	if isBlank(text) {
		return ""
	}
	return text
}

// ibmiMode is the type of an object.
func ibmiMode(kind string) fs.FileMode {
	switch kind {
	case "*DIR", "*DDIR", "*LIB", "*FLR":
		return fs.ModeDir
	case "*STMF", "*DSTMF", "*DOC", "*FILE", "*MEM", "*SAVF":
		return 0
	case "*SYMLNK":
		return fs.ModeSymlink
	case "*BLKSF":
		return fs.ModeDevice
	case "*CHRSF":
		return fs.ModeDevice | fs.ModeCharDevice
	case "*FIFO":
		return fs.ModeNamedPipe
	case "*SOCKET":
		return fs.ModeSocket
	}
	return fs.ModeIrregular // *PGM and many more, which hold no bytes to read
}

// ibmiDate reads "06/11/97" and "12:27:39"; both are missing of a member.
func ibmiDate(day, clock string) (d date, ok bool) {
	if day == "" {
		return date{}, true
	}
	clock = strings.NewReplacer(".", ":", ",", ":").Replace(clock)
	if d.clock, d.resolution, ok = parseClock(clock); !ok {
		return date{}, false
	}
	n, ok := parseNumeric(day)
	n.expected = mdy
	if n.separator == '-' {
		n.expected = dmy
	}
	d.numeric = &n
	return d, ok
}
