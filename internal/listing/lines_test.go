package listing_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser/internal/listing"
)

const (
	unixLine = "-rw-r--r-- 1 root root 531 Jan 29 03:26 "
	dosLine  = "01-29-26  03:26AM                  531 "
)

func TestLineEnds(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{
		"LF":                    unixLine + "a\n" + unixLine + "b\n",
		"CRLF":                  unixLine + "a\r\n" + unixLine + "b\r\n",
		"CR CR LF":              unixLine + "a\r\r\n" + unixLine + "b\r\r\n",
		"no end":                unixLine + "a\r\n" + unixLine + "b",
		"blank lines":           "\r\n \t\r\n" + unixLine + "a\r\n\r\n" + unixLine + "b\r\n\r\n",
		"a mark of UTF-8":       "\ufeff" + unixLine + "a\r\n" + unixLine + "b\r\n",
		"a mark of its own":     "\ufeff\r\n" + unixLine + "a\r\n" + unixLine + "b\r\n",
		"blanks before":         " " + unixLine + "a\r\n\t" + unixLine + "b\r\n",
		"a total, in Shift JIS": "\x8d\x87\x8cv 8\r\n" + unixLine + "a\r\n" + unixLine + "b\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, r := range []io.Reader{
				strings.NewReader(content), iotest.OneByteReader(strings.NewReader(content)),
				iotest.DataErrReader(strings.NewReader(content)),
			} {
				entries, err := listing.ParseList(r, listing.Options{Now: now()})
				require.NoError(t, err)
				assert.Equal(t, []string{"a", "b"}, names(entries))
			}
		})
	}
}

func TestNothingListed(t *testing.T) {
	t.Parallel()
	for _, content := range []string{"", "\r\n", "total 0\r\n", "insgesamt 0\n", "\ufeff"} {
		entries, err := listing.ParseList(strings.NewReader(content), listing.Options{})
		assert.NoError(t, err, "%q", content)
		assert.Empty(t, entries, "%q", content)
	}
	for _, content := range []string{"", "\r\n", "type=cdir; /\r\ntype=pdir; /\r\n"} {
		entries, err := listing.ParseMLSD(strings.NewReader(content), listing.Options{})
		assert.NoError(t, err, "%q", content)
		assert.Empty(t, entries, "%q", content)
	}
}

func TestErrorsOfTheReaderArePassedOn(t *testing.T) {
	t.Parallel()
	broken := errors.New("the cable is cut")
	for name, parse := range map[string]func(io.Reader) ([]listing.Entry, error){
		"LIST": func(r io.Reader) ([]listing.Entry, error) { return listing.ParseList(r, listing.Options{}) },
		"MLSD": func(r io.Reader) ([]listing.Entry, error) { return listing.ParseMLSD(r, listing.Options{}) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			line := map[string]string{"LIST": unixLine + "a\r\n", "MLSD": "type=file; a\r\n"}[name]
			for _, content := range []string{"", line, line + line[:len(line)-2], line + "half a li"} {
				entries, err := parse(io.MultiReader(strings.NewReader(content), iotest.ErrReader(broken)))
				assert.Equal(t, broken, err, "%q", content)
				assert.Nil(t, entries, "%q", content)
			}
			_, err := parse(iotest.ErrReader(io.ErrUnexpectedEOF))
			assert.Equal(t, io.ErrUnexpectedEOF, err)
		})
	}
}

func TestLongLines(t *testing.T) {
	t.Parallel()
	const most = 64 << 10
	fits := unixLine + strings.Repeat("x", most-len(unixLine)-2) + "\r\n"
	entries, err := listing.ParseList(strings.NewReader(fits), listing.Options{})
	require.NoError(t, err)
	require.Len(t, entries[0].Name(), most-len(unixLine)-2)

	endless := &counted{r: strings.NewReader(strings.Repeat("x", 8*most))}
	for name, r := range map[string]io.Reader{
		"LIST": strings.NewReader(strings.TrimSuffix(fits, "\r\n") + "yyy\r\n"), "endless": endless,
	} {
		_, err = listing.ParseList(r, listing.Options{})
		broken := lineError(t, err)
		assert.Equal(t, 1, broken.Line, name)
		assert.ErrorContains(t, err, "longer than 65536 bytes", name)
		assert.Less(t, len(err.Error()), 400, name)
	}
	assert.LessOrEqual(t, endless.n, 2*most, "of a line that is too long no more is read")

	_, err = listing.ParseMLSD(strings.NewReader("type=file; "+strings.Repeat("x", most)), listing.Options{})
	assert.ErrorContains(t, err, "longer than 65536 bytes")
	_, err = listing.ParseMLST("type=file; "+strings.Repeat("x", most), listing.Options{})
	assert.ErrorContains(t, err, "longer than 65536 bytes")
	assert.Less(t, len(err.Error()), 400)
}

// counted counts the bytes that are read of r.
type counted struct {
	r io.Reader
	n int
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

func lineError(t testing.TB, err error) *listing.LineError {
	t.Helper()
	var broken *listing.LineError
	require.ErrorAs(t, err, &broken)
	return broken
}

func TestErrorsQuoteTheLine(t *testing.T) {
	t.Parallel()
	content := unixLine + "a\r\n" + unixLine + "b\r\n\r\n" + "\x1b[2Jls: cannot access 'x': \xff\r\n"
	entries, err := listing.ParseList(strings.NewReader(content), listing.Options{})
	assert.Nil(t, entries)
	assert.EqualError(t, err,
		`listing, line 4: not of the format of ls -l, as the lines before it are: "\x1b[2Jls: cannot access 'x': \xff"`)
	broken := lineError(t, err)
	assert.Equal(t, 4, broken.Line)
	assert.Equal(t, "\x1b[2Jls: cannot access 'x': \xff", broken.Text)
	assert.Equal(t, broken.Err, errors.Unwrap(err))

	_, err = listing.ParseMLST(" size=x; a", listing.Options{})
	assert.EqualError(t, err, `listing: bad value of the fact "size": " size=x; a"`)

	_, err = listing.ParseList(strings.NewReader(strings.Repeat("\x00", 60000)), listing.Options{})
	assert.Less(t, len(err.Error()), 1000, "also where each byte is written as four")
}
