package listing

import (
	"io/fs"
	"regexp"
	"strconv"
	"strings"

	"github.com/hawser/hawser"
)

var (
	zosHeader = regexp.MustCompile(`^\s*Volume\s.*\sDsorg\s+Dsname\s*$`)
	zosOrg    = regexp.MustCompile(`(VSAM|PATH|GDG|HFS|NONE|PS[UEL]?(?:-[A-Z])?|PO[UE]?(?:-[A-Z])?|DAU?|ISU?|\?+)$`)
	zosDay    = regexp.MustCompile(`\d{4}/\d{2}/\d{2}|\d{2}/\d{2}/\d{2}|\*\*NONE\*\*`)
)

// dataSets is the listing of z/OS data sets. Where the columns run together,
// those of the header tell them apart.
//
// ModTime is zero, since the date is that of the last use: Accessed has it. Size
// is that of the tracks in use. A name in quotes, which is whole and not relative
// to the working directory, keeps them, because RETR needs them. What FTP cannot
// read, such as VSAM, is fs.ModeIrregular.
type dataSets struct {
	name, ext, used int // columns: where names begin, and where the others end
	unit            bool
}

func (*dataSets) String() string    { return "z/OS data sets" }
func (*dataSets) end(s *scan) error { return nil }

func (d *dataSets) read(s *scan, line string) (bool, error) {
	if zosHeader.MatchString(line) {
		d.name = strings.Index(line, "Dsname")
		d.ext = strings.Index(line, "Ext") + len("Ext")
		d.used = strings.Index(line, "Used") + len("Used")
		d.unit = strings.Contains(line, "Unit")
		return true, nil
	}
	if d.name == 0 {
		return false, nil
	}
	told, name := d.cutName(line)
	e := Entry{attributes: &hawser.FileAttributes{}}
	mode, ok := zosState(told)
	if !ok {
		if mode, ok = d.attributes(s, told, &e); !ok {
			return false, nil
		}
	}
	e.mode = mode
	return true, s.add(e, name, date{})
}

// cutName cuts the name, which is the last word. "VSAM" and others may touch it:
// names begin below the header's, or one column before.
func (d *dataSets) cutName(line string) (told, name string) {
	line = strings.TrimRight(line, " \t")
	at := strings.LastIndexAny(line, " \t") + 1
	if zosOrg.MatchString(strings.TrimRight(line[:at], " \t")) {
		return line[:at], line[at:]
	}
	for _, column := range []int{d.name - 1, d.name} {
		if at < column && column < len(line) && zosOrg.FindString(line[at:column]) == line[at:column] {
			at = column
		}
	}
	return line[:at], line[at:]
}

// zosState reads what stands in place of the attributes.
func zosState(told string) (mode fs.FileMode, ok bool) {
	told = strings.TrimSpace(told)
	switch told {
	case "Migrated", "Archived": // RETR fetches it back first
		return 0, true
	case "Pseudo Directory": // of SITE DIRECTORYMODE
		return fs.ModeDir, true
	case "User catalog connector":
		return fs.ModeIrregular, true
	}
	for _, state := range []string{"Not Mounted", "Not Direct Access Device", "< Not a DASD device >", "Tape"} {
		if strings.HasSuffix(told, state) {
			return 0, true
		}
	}
	lost := strings.HasSuffix(told, "Error determining attributes") || strings.HasSuffix(told, "< File not on volume >")
	return fs.ModeIrregular, lost
}

// attributes reads the columns before a name.
func (d *dataSets) attributes(s *scan, told string, e *Entry) (fs.FileMode, bool) {
	trimmed := strings.TrimRight(told, " \t")
	organization := zosOrg.FindString(trimmed)
	mode := fs.FileMode(0)
	switch {
	case organization == "":
		return 0, false
	case organization == "VSAM", organization == "PATH", organization == "GDG", organization == "HFS":
		return fs.ModeIrregular, true
	case strings.HasPrefix(organization, "PO"):
		mode = fs.ModeDir
	}
	used := zosDay.FindString(trimmed)
	if n, ok := parseNumeric(used); ok {
		when, whole := n.told()
		if !whole {
			when.year, when.month, when.day, ok = n.under(mdy)
		}
		if ok {
			e.attributes.Accessed = s.moment(when)
		}
	}
	e.size = d.size(told)
	return mode, used != ""
}

// size is that of the tracks in use, or 0: a number too long for its column is
// "+++++" or "?????".
func (d *dataSets) size(told string) int64 {
	const track3380, track3390 = 47476, 56664
	if d.ext < 3 || d.used <= d.ext || d.used > len(told) {
		return 0
	}
	tracks, err := strconv.ParseInt(strings.TrimSpace(told[d.ext:d.used]), 10, 32)
	if err != nil || tracks < 0 {
		return 0
	}
	switch fields := strings.Fields(told); {
	case d.unit && len(fields) > 1 && strings.HasPrefix(fields[1], "3380"):
		return tracks * track3380
	case !d.unit || len(fields) > 1 && strings.HasPrefix(fields[1], "3390"):
		return tracks * track3390 // LISTLEVEL 2 has no units because there is no other
	}
	return 0
}
