package listing

import (
	"errors"
	"regexp"
	"strconv"

	"github.com/hawser/hawser"
)

var (
	memberHeader = regexp.MustCompile(`^\s*Name\s+(?:VV\.MM\s+Created|Size\s+TTR)\s`)
	memberSource = regexp.MustCompile(`^(\S+)\s+\d\d\.\d\d\s+(\S+)\s+(\S+)\s+(\d\d:\d\d(?::\d\d)?)\s+\d+\s+\d+\s+\d+(?:\s+(\S+))?\s*$`)
	memberModule = regexp.MustCompile(`^(\S+)\s+([0-9A-F]{4,8})\s+[0-9A-F]{6}\s`)
	memberBare   = regexp.MustCompile(`^\s*(\S{1,8})\s*$`)
)

// members is the listing of a z/OS partitioned data set. ISPF tells the
// statistics of those that it wrote: Size is in records there, which says
// nothing of bytes, so that it is zero. That of a load module is its length in
// memory.
type members struct {
	stateless
	open bool // behind the header, without which a bare name could be anything
}

func (*members) String() string { return "z/OS members" }

func (m *members) read(s *scan, line string) (bool, error) {
	if memberHeader.MatchString(line + " ") {
		m.open = true
		return true, nil
	}
	if !m.open {
		return false, nil
	}
	if told := memberSource.FindStringSubmatch(line); told != nil {
		created, okCreated := zosDate(told[2])
		when, okChanged := zosDate(told[3])
		c, resolution, okClock := parseClock(told[4])
		if !okCreated || !okChanged || !okClock {
			return false, nil
		}
		when.clock, when.resolution = c, resolution
		a := &hawser.FileAttributes{Owner: told[5], Created: s.moment(created)}
		return true, s.add(Entry{attributes: a}, told[1], when)
	}
	if told := memberModule.FindStringSubmatch(line); told != nil {
		size, _ := strconv.ParseInt(told[2], 16, 64)
		return true, s.add(Entry{size: size}, told[1], date{})
	}
	if told := memberBare.FindStringSubmatch(line); told != nil {
		return true, s.add(Entry{}, told[1], date{})
	}
	return false, nil
}

// zosDate reads "2004/06/22", or "04/06/22" of old systems.
func zosDate(text string) (date, bool) {
	n, ok := parseNumeric(text)
	if !ok {
		return date{}, false
	}
	year, month, day, ok := n.under(ymd)
	return date{year: year, month: month, day: day}, ok
}

var (
	jobHeader = regexp.MustCompile(`^\s*JOBNAME\s+JOBID\s`)
	jobLine   = regexp.MustCompile(`^\S+\s+[A-Z]{1,3}\d{5,7}\s+(?:\S+\s+)?(?:INPUT|HELD|ACTIVE|OUTPUT)\s`)
	jobNone   = regexp.MustCompile(`^No jobs found on `)
	errJobs   = errors.New("the server lists its job queue; SITE FILETYPE=SEQ makes it list files")
)

// jobs is what z/OS lists under SITE FILETYPE=JES. There are no files in it.
type jobs struct{ stateless }

func (jobs) String() string { return "z/OS jobs" }

func (jobs) read(s *scan, line string) (bool, error) {
	line += " "
	if jobHeader.MatchString(line) || jobLine.MatchString(line) || jobNone.MatchString(line) {
		return true, s.reject(errJobs)
	}
	return false, nil
}
