package listing_test

import (
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser/internal/listing"
)

func TestMLSDLineThatCannotBeUnderstood(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ line, want string }{
		"no name":                    {"type=file;perm=r;", "no name"},
		"an empty name":              {"type=file; ", "the name is empty"},
		"no space before the name":   {"type=dir;UNIX.mode=0775;/x", "neither a fact nor the space"},
		"no facts and no space":      {"name", "neither a fact nor the space"},
		"a fact without a value":     {"type=dir;size; a", "neither a fact nor the space"},
		"a value without a fact":     {"=dir; a", "neither a fact nor the space"},
		"one fact and nothing":       {"type=file", "no name"},
		"a negative size":            {"type=file;size=-1; a", `the fact "size"`},
		"a size with a sign":         {"type=file;size=+1; a", `the fact "size"`},
		"a size past 63 bits":        {"type=file;size=9223372036854775808; a", `the fact "size"`},
		"a size of a directory":      {"type=dir;sizd=x; a", `the fact "sizd"`},
		"a short time":               {"modify=2026; a", `the fact "modify"`},
		"a long time":                {"modify=20260301120000Z; a", `the fact "modify"`},
		"a time of letters":          {"modify=2026030112000x; a", `the fact "modify"`},
		"the month 13":               {"modify=20261301120000; a", `the fact "modify"`},
		"30 February":                {"modify=20260230120000; a", `the fact "modify"`},
		"the hour 24":                {"modify=20260301240000; a", `the fact "modify"`},
		"the minute 60":              {"modify=20260301126000; a", `the fact "modify"`},
		"the second 61":              {"modify=20260301120061; a", `the fact "modify"`},
		"a point and no fraction":    {"modify=20260301120000.; a", `the fact "modify"`},
		"a fraction of letters":      {"create=20260301120000.x; a", `the fact "create"`},
		"a mode that is not octal":   {"UNIX.mode=0888; a", `the fact "UNIX.mode"`},
		"a mode in letters":          {"UNIX.mode=rw-r--r--; a", `the fact "UNIX.mode"`},
		"a name that leads out":      {"type=file; ../a", "leads out"},
		"a message":                  {"ls: cannot open directory", "neither a fact nor the space"},
		"a path where a name is due": {"type=dir; /srv/ftp", "leads out"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			good := "type=file;size=1; good\r\n"
			entries, err := listing.ParseMLSD(strings.NewReader(good+row.line+"\r\n"+good), listing.Options{})
			require.ErrorContains(t, err, row.want)
			assert.Nil(t, entries)
			broken := lineError(t, err)
			assert.Equal(t, row.line, broken.Text)
			assert.Equal(t, 2, broken.Line)
		})
	}
}

func TestMLST(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ line, want string }{
		"a file":                        {" type=file;size=12;modify=20260301120000; /srv/ftp/a b.txt", "a b.txt"},
		"without the space in front":    {"type=file;size=12;modify=20260301120000; /srv/ftp/a b.txt", "a b.txt"},
		"a name alone":                  {" type=file; a", "a"},
		"a directory":                   {" type=dir; /srv/ftp", "ftp"},
		"a directory with a slash":      {" type=dir; /srv/ftp/", "ftp"},
		"the directory itself":          {" type=cdir; /srv/ftp", "ftp"},
		"the root":                      {" type=dir; /", "/"},
		"the root, doubled":             {" type=dir; //", "/"},
		"a name that is a point":        {" type=cdir; .", "."},
		"a name that is two":            {" type=pdir; ..", "."},
		"a path that ends in two":       {" type=dir; /srv/..", "."},
		"no facts":                      {"  /srv/ftp/a", "a"},
		"no facts, a leading space":     {"   a", " a"},
		"no facts and no space for one": {" /srv/ftp/a", "a"},
		"a semicolon":                   {" type=file; /srv/a;b=c; d", "a;b=c; d"},
		"a line's end":                  {" type=file; /srv/a\r\n", "a"},
		"bytes that are no UTF-8":       {" type=file; /srv/\xfc", "\xfc"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, err := listing.ParseMLST(row.line, listing.Options{})
			require.NoError(t, err)
			assert.Equal(t, row.want, e.Name())
			assert.Equal(t, strings.TrimRight(row.line, "\r\n"), e.Raw)
		})
	}
	t.Run("tells all facts", func(t *testing.T) {
		t.Parallel()
		e, err := listing.ParseMLST(" type=file;size=12;modify=20260301120000.25;UNIX.mode=4755;UNIX.owner=7;unique=u;perm=r; /a", listing.Options{})
		require.NoError(t, err)
		assert.Equal(t, `"a" urwxr-xr-x 12 exact modified=2026-03-01T12:00:00.25Z±10ms owner="7" unique="u" perm="r"`, describe(t, e))
		assert.Equal(t, 0o755|fs.ModeSetuid, e.Mode())
		assert.Equal(t, 10*time.Millisecond, e.Resolution)
	})
	for name, line := range map[string]string{
		"nothing":               "",
		"a space":               " ",
		"an empty path":         " type=file; ",
		"no path":               " type=file;size=12;",
		"a wrong fact":          " type=file;size=x; /a",
		"NUL":                   " type=file; /a\x00b",
		"NUL in the directory":  " type=file; /a\x00b/c",
		"two lines":             " type=file; /a\r\n type=file; /b",
		"no space for the path": " UNIX.mode=0777;/",
	} {
		t.Run(name+" is an error", func(t *testing.T) {
			t.Parallel()
			e, err := listing.ParseMLST(line, listing.Options{})
			assert.Zero(t, lineError(t, err).Line)
			assert.Equal(t, listing.Entry{}, e)
		})
	}
}
