package listing

import (
	"io/fs"
	"regexp"
	"strings"

	"github.com/hawser/hawser"
)

// netware is the listing of Novell NetWare, where the rights of the login stand
// for the mode: "d [RWCEAFMS] supervisor   512 Jan 16 18:53    login".
type netware struct{ stateless }

var netwareRights = regexp.MustCompile(`^[-d] ?\[[-A-Z]{6,10}\]`)

func (netware) String() string { return "NetWare" }

func (netware) read(s *scan, line string) (bool, error) {
	rights := netwareRights.FindString(line)
	if rights == "" {
		return false, nil
	}
	var buffer [maxFields]field
	f := split(buffer[:0], line, len(rights))
	t, ok := findTail(line, f, false)
	if !ok {
		return true, s.reject(errNoTail)
	}
	e := Entry{size: t.size.n, Exact: t.size.exact, attributes: &hawser.FileAttributes{}}
	if line[0] == 'd' {
		e.mode, e.Exact = fs.ModeDir, false
	}
	e.attributes.Owner, e.attributes.Group = owners(line[len(rights):f[t.first].start])
	return true, s.add(e, strings.TrimLeft(t.name, " "), t.when)
}

// enterprise is the listing of Sterling Connect:Enterprise, whose files are
// batches of a mailbox: "-C--E-----FTP B BOX1        7670  1294495 Jan 13 07:42 orders".
type enterprise struct{ stateless }

var enterpriseFlags = regexp.MustCompile(`^-[-A-Z]{9}[A-Z]{3} [AB] `)

func (enterprise) String() string { return "Connect:Enterprise" }

func (enterprise) read(s *scan, line string) (bool, error) {
	flags := enterpriseFlags.FindString(line)
	if flags == "" {
		return false, nil
	}
	var buffer [maxFields]field
	f := split(buffer[:0], line, len(flags))
	t, ok := findTail(line, f, false)
	if !ok {
		return true, s.reject(errNoTail)
	}
	e := Entry{size: t.size.n, Exact: t.size.exact, attributes: &hawser.FileAttributes{}}
	e.attributes.Owner, _ = owners(line[len(flags):f[t.first].start])
	return true, s.add(e, t.name, t.when)
}
