package listing_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser/internal/listing"
)

// Each listing is wrong in its last line.
func TestListWithALineThatCannotBeUnderstood(t *testing.T) {
	t.Parallel()
	vms := "A.TXT;1  1/3  2-JAN-2026 03:26:00  [ANNA]  (RWED,RWED,,)\n"
	zos := "Volume Unit    Referred Ext Used Recfm Lrecl BlkSz Dsorg Dsname\n"
	members := " Name     VV.MM   Created       Changed      Size  Init   Mod   Id\n"
	for name, row := range map[string]struct{ listing, want string }{
		"a message of ls":        {"ls: cannot access 'x': No such file or directory", "of no format"},
		"a message behind files": {unixLine + "a\nls: reading directory '.': Input/output error", "not of the format of ls -l"},
		"a refusal":              {"/bin/ls: .: Permission denied", "of no format"},
		"a refusal behind total": {"total 0\n./secret: Permission denied", "of no format"},
		"a name alone":           {"a", "of no format"},
		"a name and a number":    {"report 12", "of no format"},
		"HTML":                   {"<html>", "of no format"},
		"a second total":         {unixLine + "a\ntotal 8", "not of the format of ls -l"},
		"a header of ls -R":      {unixLine + "a\n\n./sub:", "not of the format of ls -l"},

		"an unknown month":            {"-rw-r--r-- 1 root root 531 Xyz 29 03:26 name", "no size and date"},
		"the day 32":                  {"-rw-r--r-- 1 root root 531 Jan 32 03:26 name", "no size and date"},
		"the hour 25":                 {"-rw-r--r-- 1 root root 531 Jan 29 25:26 name", "no size and date"},
		"half past 24":                {"-rw-r--r-- 1 root root 531 Jan 29 24:30 name", "no size and date"},
		"a year of three digits":      {"-rw-r--r-- 1 root root 531 Jan 29  201 name", "no size and date"},
		"30 February":                 {"-rw-r--r-- 1 root root 531 Feb 30  2001 name", "no size and date"},
		"29 February of 2001":         {"-rw-r--r-- 1 root root 531 Feb 29  2001 name", "no size and date"},
		"a size past 63 bits":         {"-rw-r--r-- 1 root root 9223372036854775808 Jan 29 03:26 name", "no size and date"},
		"no size":                     {"-rw-r--r-- 1 root root Jan 29 03:26 name", "no size and date"},
		"no date, a name with spaces": {"-rw-r--r-- 1 root root 531 two words", "no size and date"},
		"no date among dates":         {unixLine + "a\n-rw-r--r-- 1 root root 531 b", "a line without a date"},
		"a date among none":           {"-rw-r--r-- 1 root root 531 b\n" + unixLine + "a", "a line without a date"},
		"a first line that was cut":   {"-rw-r--r-- 1 root root 531 Jan", "no size and date"},
		"a line that was cut":         {unixLine + "a\n-rw-r--r-- 1 root root 531 Jan", "a line without a date"},
		"a mode that was cut":         {"-rw-r--r-", "of no format"},
		"an unknown type":             {"zrw-r--r-- 1 root root 531 Jan 29 03:26 name", "of no format"},
		"a wrong permission":          {"-xwr--r-- 1 root root 531 Jan 29 03:26 name", "of no format"},
		"a device without numbers":    {"crw-r--r-- 1 root root x, y Jan 29 03:26 name", "no size and date"},

		"DOS behind ls":              {unixLine + "a\n" + dosLine + "b", "not of the format of ls -l"},
		"ls behind DOS":              {dosLine + "a\n" + unixLine + "b", "not of the format of DOS"},
		"DOS, the hour 13 PM":        {"01-29-26  13:26PM                  531 a", "of no format"},
		"DOS, no day of any order":   {"29-30-26  03:26AM                  531 a", "of no format"},
		"DOS, the year 0":            {"01-29-0000  03:26AM                  531 a", "of no format"},
		"DOS, a second order":        {"29-01-26  03:26AM    531 a\n01-29-26  03:26AM    531 b", "does not fit the order"},
		"DOS, a size of no number":   {"01-29-26  03:26AM                  5x1 a", "of no format"},
		"DOS, a size of odd groups":  {"01-29-26  03:26AM                  1,23 a", "of no format"},
		"DOS, a rounded size":        {"01-29-26  03:26AM                  5k a", "of no format"},
		"DOS, a tag of no letters":   {"01-29-26  03:26AM  <00000000000000>", "of no format"},
		"DOS, no name":               {"01-29-26  03:26AM                  531", "the name is empty"},
		"DOS, no name of a junction": {"01-29-26  03:26AM  <JUNCTION>      [C:\\x]", "the name is empty"},

		"VMS, a name alone at the end":     {"LONG.TXT;1", "nothing that is told"},
		"VMS, a name alone before another": {"LONG.TXT;1\n" + vms, "nothing that is told"},
		"VMS, no date":                     {"A.TXT;1  1/3 [ANNA] (RWED,,,)", "of no format"},
		"VMS, a month unknown":             {"A.TXT;1  1/3 1-XYZ-2026", "of no format"},
		"VMS, a right unknown":             {"A.TXT;1  1/3 1-JAN-2026 (RWX,,,)", "of no format"},
		"VMS, five classes":                {"A.TXT;1  1/3 1-JAN-2026 (R,R,R,R,R)", "of no format"},
		"VMS, a protection for no file":    {vms + "(RWED,RWED,,)", "not of the format of OpenVMS"},
		"VMS, a protection for a file before": {
			"A.TXT;1  1/3  2-JAN-2026\nDirectory DKA0:[B]\n(RWED,RWED,,)", "not of the format of OpenVMS",
		},
		"VMS, an error":                       {vms + "%SYSTEM-F-ABORT, abort", "not of the format of OpenVMS"},
		"VMS, a directory of another place":   {"DKA0:[X]A.TXT;1  1/3  2-JAN-2026", "leads out of the directory"},
		"VMS, a directory that is its parent": {"...DIR;1  1/3  2-JAN-2026", "leads out of the directory"},
		"VMS, a directory without a name":     {".DIR;1  1/3  2-JAN-2026", "the name is empty"},

		"z/OS, a row of another kind":  {zos + "WORK01 3390   what is this   NAME", "not of the format of z/OS data sets"},
		"z/OS, a row without a date":   {zos + "WORK01 3390   1 15 FB 80 8000  PS  NAME", "not of the format of z/OS data sets"},
		"z/OS, a row without a header": {"WORK01 3390   2025/05/21  1   15  FB      80  8000  PS  NAME", "of no format"},
		"z/OS, a member of two words":  {members + "TWO WORDS", "not of the format of z/OS members"},
		"z/OS, a member's month":       {members + "A  01.02 2023/01/30 2025/13/31 09:31    71    80    14 ANNA", "not of the format"},
		"z/OS, jobs":                   {"JOBNAME  JOBID    OWNER    STATUS CLASS", "SITE FILETYPE=SEQ"},
		"z/OS, jobs of level 1":        {"ANNA1     JOB01906  OUTPUT    3 Spool Files", "SITE FILETYPE=SEQ"},
		"z/OS, no jobs":                {"No jobs found on Held queue", "SITE FILETYPE=SEQ"},

		"IBM i, a member of no file":  {"ANNA                                    *MEM       A.FILE/B.MBR", "do not tell"},
		"IBM i, no name":              {"ANNA                                    *MEM      ", "the name is empty"},
		"IBM i, an absolute path":     {"ANNA  7 01/29/26 03:26:00 *STMF      /home/a", "do not tell"},
		"IBM i, a second order":       {"A 7 29/01/26 03:26:00 *STMF a\nA 7 01/29/26 03:26:00 *STMF b", "does not fit the order"},
		"IBM i, the hour 25":          {"ANNA  7 01/29/26 25:26:00 *STMF      a", "of no format"},
		"NetWare, an unknown month":   {"d [RWCEAFMS] anna  512 Xyz 16 18:53 a", "no size and date"},
		"EPLF, a wrong size":          {"+s28x,r,\ta", "bad fact"},
		"EPLF, a wrong time":          {"+m-1,r,\ta", "bad fact"},
		"EPLF, wrong permissions":     {"+up9,r,\ta", "bad fact"},
		"EPLF, no name":               {"+r,\t", "the name is empty"},
		"EPLF, no tab":                {"+r,s280,name", "of no format"},
		"NonStop, an unknown month":   {"A  101  146  18-Xyz-00 09:03:37 170,175 \"nunu\"", "of no format"},
		"OS/2, the hour 25":           {"  0           DIR   05-12-97   25:44  a", "of no format"},
		"VxWorks, an unknown month":   {"  512    XYZ-01-1980  00:00:00   a", "of no format"},
		"z/VM, the hour 25":           {"A EXEC V 65 107 2 2025-10-04 25:28:42 ANN191", "of no format"},
		"Connect:Enterprise, no date": {"-C--E-----FTP B BOX3I1       7670  1294495 orders", "no size and date"},
		"MLSD, a wrong size":          {"type=file;size=-1; a", "bad value"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			entries, err := listing.ParseList(strings.NewReader(row.listing+"\n"), listing.Options{Now: now()})
			require.ErrorContains(t, err, row.want)
			assert.Nil(t, entries)
			last := row.listing[strings.LastIndex(strings.TrimSuffix(row.listing, "\n"), "\n")+1:]
			if strings.HasPrefix(row.listing, "LONG.TXT;1") {
				last = "LONG.TXT;1" // what is wrong is only seen later
			}
			assert.Equal(t, last, lineError(t, err).Text)
		})
	}
}

func TestNamesThatLeadOut(t *testing.T) {
	t.Parallel()
	list := func(line string) error {
		_, err := listing.ParseList(strings.NewReader(line+"\r\n"), listing.Options{})
		return err
	}
	for _, name := range []string{"a/b", "/etc/passwd", "../x", "./x", "/", "a/", "x\x00y"} {
		assert.Error(t, list(unixLine+name), name)
		assert.Error(t, list(dosLine+name), name)
		assert.Error(t, list("type=file; "+name), name)
		assert.Error(t, list("+r,\t"+name), name)
		_, err := listing.ParseMLSD(strings.NewReader("type=file; "+name+"\r\n"), listing.Options{})
		assert.Error(t, err, name)
	}
	for _, name := range []string{"x/y/", "//"} {
		assert.Error(t, list("drwxr-xr-x 1 root root 531 Jan 29 03:26 "+name), name)
		assert.Error(t, list("ANNA  7 01/29/26 03:26:00 *DIR       "+name), name)
	}
	for _, name := range []string{".", ".."} { // are left out, of whatever type
		entries, err := listing.ParseList(strings.NewReader(unixLine+name+"\r\n"+unixLine+"kept\r\n"), listing.Options{})
		assert.NoError(t, err)
		assert.Equal(t, []string{"kept"}, names(entries))
	}
}
