package listing_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser/internal/listing"
)

func TestYearThatIsNotTold(t *testing.T) {
	t.Parallel()
	at := func(value string) time.Time {
		moment, err := time.Parse("2006-01-02 15:04", value)
		require.NoError(t, err)
		return moment
	}
	for _, row := range []struct{ name, now, told, want string }{
		{"now", "2026-03-10 12:00", "Mar 10 12:00", "2026-03-10 12:00"},
		{"an hour ago", "2026-03-10 12:00", "Mar 10 11:00", "2026-03-10 11:00"},
		{"a day ahead", "2026-03-10 12:00", "Mar 11 12:00", "2026-03-11 12:00"},
		{"more than a day ahead", "2026-03-10 12:00", "Mar 11 12:01", "2025-03-11 12:01"},
		{"last autumn", "2026-03-10 12:00", "Nov  1 00:00", "2025-11-01 00:00"},
		{"last year's last minute", "2026-01-01 00:00", "Dec 31 23:59", "2025-12-31 23:59"},
		{"next year's first minute", "2025-12-31 23:59", "Jan  1 00:00", "2026-01-01 00:00"},
		{"next year's second day", "2025-12-31 23:59", "Jan  2 00:00", "2025-01-02 00:00"},
		{"a leap day of this year", "2024-03-10 12:00", "Feb 29 12:00", "2024-02-29 12:00"},
		{"a leap day of two years ago", "2026-03-10 12:00", "Feb 29 12:00", "2024-02-29 12:00"},
		{"a leap day eight years ago", "1904-02-01 12:00", "Feb 29 12:00", "1896-02-29 12:00"},
		{"midnight at the end of a year", "2026-03-10 12:00", "Dec 31 24:00", "2026-01-01 00:00"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			e := one(t, "-rw-r--r-- 1 root root 531 "+row.told+" name", listing.Options{Now: at(row.now)})
			assert.Equal(t, at(row.want), e.ModTime())
			assert.Equal(t, time.Minute, e.Resolution)
		})
	}
	t.Run("of Now that is not told", func(t *testing.T) {
		t.Parallel()
		told := time.Now().Add(-48 * time.Hour).UTC().Truncate(time.Minute)
		entries, err := listing.ParseList(reader("-rw-r--r-- 1 root root 531 "+told.Format("Jan _2 15:04")+" name"), listing.Options{})
		require.NoError(t, err)
		assert.Equal(t, told, entries[0].ModTime())
	})
}

func TestLocation(t *testing.T) {
	t.Parallel()
	berlin := time.FixedZone("", 3600)
	o := listing.Options{Now: now(), Location: berlin}
	for name, row := range map[string]struct {
		line string
		want time.Time
	}{
		"ls":                {"-rw-r--r-- 1 root root 531 Jan 29 03:26 name", time.Date(2026, 1, 29, 2, 26, 0, 0, time.UTC)},
		"ls, a year":        {"-rw-r--r-- 1 root root 531 Jan 29  2024 name", time.Date(2024, 1, 28, 23, 0, 0, 0, time.UTC)},
		"ls, a zone":        {"-rw-r--r-- 1 root root 531 2024-01-29 03:26:00 +0500 name", time.Date(2024, 1, 28, 22, 26, 0, 0, time.UTC)},
		"DOS":               {"01-29-26  03:26AM  531 name", time.Date(2026, 1, 29, 2, 26, 0, 0, time.UTC)},
		"IBM i":             {"ANNA  7 01/29/26 03:26:00 *STMF      name", time.Date(2026, 1, 29, 2, 26, 0, 0, time.UTC)},
		"VMS":               {"NAME.TXT;1  1/3  29-JAN-2026 03:26", time.Date(2026, 1, 29, 2, 26, 0, 0, time.UTC)},
		"EPLF is UTC":       {"+m825718503,r,\tname", time.Date(1996, 3, 1, 22, 15, 3, 0, time.UTC)},
		"MLSD is UTC":       {"modify=20260129032600; name", time.Date(2026, 1, 29, 3, 26, 0, 0, time.UTC)},
		"a year at its end": {"-rw-r--r-- 1 root root 531 Mar 11 13:00 name", time.Date(2026, 3, 11, 12, 0, 0, 0, time.UTC)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := one(t, row.line, o).ModTime()
			assert.True(t, row.want.Equal(got), "%v, want %v", got, row.want)
		})
	}
}

// The order that numeric dates stand in is settled by the listing, and where it
// does not, as ParseList says.
func TestOrderOfNumericDates(t *testing.T) {
	t.Parallel()
	dos := func(day string) string { return day + "  03:26AM  531 name" }
	ibmi := func(day string) string { return "ANNA  7 " + day + " 03:26:00 *STMF      name" }
	ls := func(day string) string { return "-rw-r--r-- 1 root root 531 " + day + " 03:26 name" }
	for name, row := range map[string]struct {
		lines []string
		want  []string
	}{
		"DOS alone":                       {[]string{dos("03-04-05")}, []string{"2005-03-04"}},
		"DOS, a line that tells month":    {[]string{dos("03-04-05"), dos("01-31-05")}, []string{"2005-03-04", "2005-01-31"}},
		"DOS, a line that tells day":      {[]string{dos("03-04-05"), dos("31-01-05")}, []string{"2005-04-03", "2005-01-31"}},
		"DOS, a line that tells year":     {[]string{dos("03-04-05"), dos("97-01-31")}, []string{"2003-04-05", "1997-01-31"}},
		"DOS, four digits":                {[]string{dos("03-04-2005")}, []string{"2005-03-04"}},
		"DOS, four digits first":          {[]string{dos("2003-04-05")}, []string{"2003-04-05"}},
		"DOS, four digits tell no others": {[]string{dos("2003-04-05"), dos("03-04-05")}, []string{"2003-04-05", "2005-03-04"}},
		"DOS, points":                     {[]string{dos("03.04.05")}, []string{"2005-04-03"}},
		"DOS, points, month first":        {[]string{dos("03.04.05"), dos("01.31.05")}, []string{"2005-03-04", "2005-01-31"}},
		"DOS, slashes":                    {[]string{dos("03/04/05")}, []string{"2005-03-04"}},
		"IBM i, slashes":                  {[]string{ibmi("03/04/05")}, []string{"2005-03-04"}},
		"IBM i, slashes, day first":       {[]string{ibmi("03/04/05"), ibmi("31/01/05")}, []string{"2005-04-03", "2005-01-31"}},
		"IBM i, slashes, year first":      {[]string{ibmi("03/04/05"), ibmi("99/01/31")}, []string{"2003-04-05", "1999-01-31"}},
		"IBM i, hyphens":                  {[]string{ibmi("03-04-05")}, []string{"2005-04-03"}},
		"IBM i, points":                   {[]string{ibmi("03.04.05")}, []string{"2005-04-03"}},
		"ls, hyphens":                     {[]string{ls("03-04-2005")}, []string{"2005-04-03"}},
		"ls, slashes":                     {[]string{ls("03/04/2005")}, []string{"2005-03-04"}},
		"two lines that tell it together": {[]string{dos("12-13-14"), dos("03-04-31")}, []string{"2014-12-13", "2031-03-04"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			entries, err := listing.ParseList(reader(row.lines...), listing.Options{Now: now()})
			require.NoError(t, err)
			got := []string{}
			for _, e := range entries {
				got = append(got, e.ModTime().Format(time.DateOnly))
			}
			assert.Equal(t, row.want, got)
		})
	}
}
