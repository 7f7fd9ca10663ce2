package listing

import (
	"errors"
	"io/fs"
	"regexp"
	"strconv"
	"strings"

	"github.com/hawser/hawser"
)

var (
	vmsName    = regexp.MustCompile(`^([^\s;]*);(\d{1,5})(?:\s+(.*))?$`)
	vmsHeader  = regexp.MustCompile(`^(?:Directory\s+)?[\w$:-]*\[[^\]]*\]\s*$`)
	vmsTrailer = regexp.MustCompile(`(?i)^(?:grand )?total (?:of )?\d+ (?:file|block|director)`)
	vmsNone    = regexp.MustCompile(`^%\w+-W-NOFILES\b`)
)

var errCutOff = errors.New("nothing that is told of the file is on the next line")

// vms is DIRECTORY of OpenVMS, as its many FTP servers send it. What does not
// fit behind a long name is on the next line.
//
// The newest version of a file has its name without the version, so that a file
// keeps it from one listing to the next; older ones have ";1" behind. A
// directory is named without ".DIR;1". Size is that of the blocks in use, 512
// bytes each.
type vms struct {
	pending  string       // the line of a name that stands alone
	fault    *LineError   // of that line, if it stays alone
	last     int          // index of the entry that a line with its protection may follow, or -1
	versions []vmsVersion // of every file
}

// A vmsVersion is one version of a file, kept as an entry.
type vmsVersion struct{ index, version int }

func (*vms) String() string { return "OpenVMS" }

func (v *vms) read(s *scan, line string) (bool, error) {
	if pending := v.pending; pending != "" {
		v.pending = ""
		m := vmsName.FindStringSubmatch(pending)
		if ok, err := v.add(s, m[1], m[2], line, pending+"\n"+line); ok || err != nil {
			return true, err
		}
		return true, v.fault
	}
	if len(v.versions) > 0 && v.last >= 0 && line[len(line)-len(strings.TrimLeft(line, " \t"))] == '(' {
		return v.amend(s, line), nil
	}
	v.last = -1
	m := vmsName.FindStringSubmatch(line)
	if m == nil {
		return vmsHeader.MatchString(line) || vmsTrailer.MatchString(line) || vmsNone.MatchString(line), nil
	}
	if m[3] == "" {
		v.pending, v.fault = line, s.reject(errCutOff)
		return true, nil
	}
	return v.add(s, m[1], m[2], m[3], line)
}

// add adds a file by its name, its version and what else is told. It reports
// whether that could be read.
func (v *vms) add(s *scan, name, version, told, raw string) (bool, error) {
	e := Entry{Raw: raw, attributes: &hawser.FileAttributes{}}
	when, ok := vmsAttributes(told, &e)
	if !ok {
		return false, nil
	}
	if strings.ContainsAny(name, "[]<>:") {
		return true, s.reject(errOutside)
	}
	if directory, ok := cutSuffixFold(name, ".DIR"); ok && version == "1" {
		name = directory
		e.mode |= fs.ModeDir
	}
	if name == "." || name == ".." { // a file may be called so, a directory has no other name
		if name += ";" + version; e.mode.IsDir() {
			return true, s.reject(errOutside)
		}
	}
	if err := s.add(e, name, when); err != nil {
		return true, err
	}
	v.last = len(s.entries) - 1
	n, _ := strconv.Atoi(version)
	v.versions = append(v.versions, vmsVersion{v.last, n})
	return true, nil
}

// amend takes the protection of the last file from a line of its own.
func (v *vms) amend(s *scan, line string) bool {
	e := &s.entries[v.last]
	_, mode, ok := cutProtection(line)
	if !ok || e.mode.Perm() != 0 {
		return false
	}
	e.mode |= mode
	e.Raw += "\n" + line
	v.last = -1
	return true
}

// end gives the older versions of each file names of their own.
func (v *vms) end(s *scan) error {
	if v.pending != "" {
		return v.fault
	}
	newest := map[string]int{}
	for _, file := range v.versions {
		name := s.entries[file.index].name
		newest[name] = max(newest[name], file.version)
	}
	for _, file := range v.versions {
		if e := &s.entries[file.index]; file.version != newest[e.name] {
			e.name += ";" + strconv.Itoa(file.version)
		}
	}
	return nil
}
