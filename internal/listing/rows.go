package listing

import (
	"io/fs"
	"regexp"
	"strconv"
	"strings"

	"github.com/hawser/hawser"
)

// nonstop is the listing of HP NonStop, once Tandem Guardian. Size is the end of
// file, which for a structured file is more than its content.
type nonstop struct{ stateless }

var (
	nonstopHeader = regexp.MustCompile(`^File\s+Code\s+EOF\s.*\bRWEP\s*$`)
	nonstopLine   = regexp.MustCompile(`^(\S+)\s+\d+\s*[A-Z+]?\s+(\d+)\s+(\S+)\s+(\d{1,2}:\d\d:\d\d)\s+(\d+,\s*\d+)\s+\S+\s*$`)
)

func (nonstop) String() string { return "NonStop" }

func (nonstop) read(s *scan, line string) (bool, error) {
	if nonstopHeader.MatchString(line) {
		return true, nil
	}
	m := nonstopLine.FindStringSubmatch(line)
	if m == nil {
		return false, nil
	}
	when, okDay := parseNamedDay(m[3])
	c, resolution, okClock := parseClock(m[4])
	size, okSize := parseSize(m[2])
	if !okDay || !okClock || !okSize {
		return false, nil
	}
	when.clock, when.resolution = c, resolution
	group, user, _ := strings.Cut(m[5], ",")
	a := &hawser.FileAttributes{Group: group, Owner: group + "," + strings.TrimSpace(user)}
	return true, s.add(Entry{size: size.n, attributes: a}, m[1], when)
}

// os2 is the listing of OS/2: a size, letters of attributes, a date, a time, a name.
type os2 struct{ stateless }

var os2Line = regexp.MustCompile(`^\s*(\d+)\s+((?:(?:[RHSAD]{1,5}|DIR)\s+)*)(\d{1,2}-\d{1,2}-\d{2,4})\s+(\d{1,2}:\d\d) {1,2}(.*)$`)

func (os2) String() string { return "OS/2" }

func (os2) read(s *scan, line string) (bool, error) {
	m := os2Line.FindStringSubmatch(line)
	if m == nil {
		return false, nil
	}
	n, okDay := parseNumeric(m[3])
	c, resolution, okClock := parseClock(m[4])
	size, okSize := parseSize(m[1])
	if !okDay || !okClock || !okSize {
		return false, nil
	}
	n.expected = mdy
	e := Entry{size: size.n, Exact: true}
	if strings.Contains(m[2], "DIR") {
		e.mode, e.Exact = fs.ModeDir, false
	}
	return true, s.add(e, m[5], date{numeric: &n, clock: c, resolution: resolution})
}

// vxworks is the listing of VxWorks: a size, a date, a time, a name, a tag.
type vxworks struct{ stateless }

var (
	vxworksHeader = regexp.MustCompile(`^\s*(?:size\s+date\s+time\s+name|-+\s+-+\s+-+\s+-+)\s*$`)
	vxworksLine   = regexp.MustCompile(`^\s*(\d+)\s+([A-Za-z]{3})-(\d{1,2})-(\d{4})\s+(\d{1,2}:\d\d:\d\d)\s+(\S.*?)\s*(<DIR>)?\s*$`)
)

func (vxworks) String() string { return "VxWorks" }

func (vxworks) read(s *scan, line string) (bool, error) {
	if vxworksHeader.MatchString(line) {
		return true, nil
	}
	m := vxworksLine.FindStringSubmatch(line)
	if m == nil {
		return false, nil
	}
	when, okDay := parseNamedDay(m[3] + "-" + m[2] + "-" + m[4])
	c, resolution, okClock := parseClock(m[5])
	size, okSize := parseSize(m[1])
	if !okDay || !okClock || !okSize {
		return false, nil
	}
	when.clock, when.resolution = c, resolution
	e := Entry{size: size.n, Exact: true}
	if m[7] != "" {
		e.mode, e.Exact = fs.ModeDir, false
	}
	return true, s.add(e, m[6], when)
}

// cms is the listing of z/VM: name and type, format and length of records, their
// number, blocks, a date, a time, the disk. Name has a point between name and
// type. Size is at most that of the records.
type cms struct{ stateless }

var cmsLine = regexp.MustCompile(`^(\S{1,8})\s+(\S{1,8})\s+([FV-])\s+(\d+|-)\s+(\d+|-)\s+(?:\d+|-)` +
	`\s+(\S+)\s+(\d{1,2}:\d\d:\d\d)(?:\s+\S+)?\s*$`)

func (cms) String() string { return "z/VM" }

func (cms) read(s *scan, line string) (bool, error) {
	m := cmsLine.FindStringSubmatch(line)
	if m == nil {
		return false, nil
	}
	n, okDay := parseNumeric(m[6])
	c, resolution, okClock := parseClock(m[7])
	if !okDay || !okClock {
		return false, nil
	}
	when, whole := n.told()
	if !whole {
		n.expected = mdy
		when = date{numeric: &n}
	}
	when.clock, when.resolution = c, resolution
	e, name := Entry{}, m[1]+"."+m[2]
	if m[2] == "DIR" && m[3] == "-" {
		e.mode, name = fs.ModeDir, m[1]
	}
	length, errLength := strconv.ParseUint(m[4], 10, 31)
	records, errRecords := strconv.ParseUint(m[5], 10, 31)
	if errLength == nil && errRecords == nil {
		e.size = int64(length * records)
	}
	return true, s.add(e, name, when)
}
