package listing

import (
	"io/fs"
	"regexp"
	"strings"
)

// dos is the DIR of IIS, Windows CE and others: a date, a time, a size or a tag,
// a name.
type dos struct{ stateless }

var dosTag = regexp.MustCompile(`^(?i)<[A-Z]{2,12}>$`)

func (dos) String() string { return "DOS" }

func (dos) read(s *scan, line string) (bool, error) {
	var buffer [maxFields]field
	f := split(buffer[:0], line, 0)
	when, at, ok := dosDate(line, f)
	if !ok || at >= len(f) {
		return false, nil
	}
	word := f[at].of(line)
	if size, ok := parseAmount(word); ok && size.exact {
		e := Entry{size: size.n, Exact: true}
		return true, s.add(e, strings.TrimPrefix(line[f[at].end:], " "), when)
	}
	if !dosTag.MatchString(word) {
		return false, nil
	}
	e := Entry{}
	name := afterTag(line[f[at].start:], len(word))
	switch strings.ToUpper(word) {
	case "<DIR>":
		e.mode = fs.ModeDir
	case "<JUNCTION>", "<SYMLINKD>", "<SYMLINK>":
		e.mode = fs.ModeSymlink
		name, e.Target = cutBrackets(name)
	default: // another kind of reparse point
		e.mode = fs.ModeIrregular
		name, e.Target = cutBrackets(name)
	}
	return true, s.add(e, name, when)
}

// dosDate reads "04-27-00  12:09PM", and where the line goes on.
func dosDate(line string, f []field) (d date, next int, ok bool) {
	if len(f) < 3 {
		return date{}, 0, false
	}
	n, ok := parseNumeric(f[0].of(line))
	if !ok {
		return date{}, 0, false
	}
	clockText, next := f[1].of(line), 2
	switch strings.ToUpper(f[2].of(line)) {
	case "AM", "PM":
		clockText, next = clockText+f[2].of(line), 3
	}
	c, resolution, ok := parseClock(clockText)
	if !ok {
		return date{}, 0, false
	}
	if d, ok = n.told(); !ok {
		n.expected = mdy
		d = date{numeric: &n}
	}
	d.clock, d.resolution = c, resolution
	return d, next, true
}

// afterTag is the name behind a tag such as "<DIR>". A tag fills 15 columns on
// Windows, so that blanks beyond them are of the name.
func afterTag(text string, tag int) string {
	const column = 15
	if len(text) > column && strings.Trim(text[tag:column], " ") == "" {
		return text[column:]
	}
	return strings.TrimLeft(text[tag:], " \t")
}

// cutBrackets cuts the target off "name [target]". What tells a target with
// brackets of its own from a name with some is that it begins like a path.
func cutBrackets(text string) (name, target string) {
	if !strings.HasSuffix(text, "]") {
		return text, ""
	}
	for i := range len(text) {
		if rest, ok := strings.CutPrefix(text[i:], " ["); ok && isWindowsPath(rest) {
			return text[:i], rest[:len(rest)-1]
		}
	}
	i := strings.LastIndex(text, " [")
	if i < 0 {
		return text, ""
	}
	return text[:i], text[i+2 : len(text)-1]
}

// isWindowsPath reports whether text begins with a drive, or like the path of a
// share or a device.
func isWindowsPath(text string) bool {
	drive := len(text) > 2 && text[1] == ':' && text[2] == '\\'
	return drive || strings.HasPrefix(text, `\\`) || strings.HasPrefix(text, `\??\`)
}
