package listing

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxLine bounds a line, in bytes with its end. The longest path of Linux has
// 4,096.
const maxLine = 64 << 10

var errTooLong = fmt.Errorf("longer than %d bytes", maxLine)

// A LineError is a line of a listing that cannot be understood.
type LineError struct {
	Line int    // counted from 1; 0 for that of ParseMLST
	Text string // the line, or how it begins
	Err  error  // why
}

// Error returns `listing, line 3: no size and date: "-rw-r--r-- ..."`.
func (e *LineError) Error() string {
	where := "listing"
	if e.Line > 0 {
		where = fmt.Sprintf("listing, line %d", e.Line)
	}
	return fmt.Sprintf("%s: %v: %s", where, e.Err, quote(e.Text))
}

// Unwrap returns why.
func (e *LineError) Unwrap() error { return e.Err }

// quote makes text printable, and short enough for a log.
func quote(text string) string {
	const longest = 200
	if len(text) > longest {
		return fmt.Sprintf("%q...", text[:longest])
	}
	return fmt.Sprintf("%q", text)
}

// lines reads lines that end in CRLF or LF, the last perhaps in neither.
type lines struct {
	r      *bufio.Reader
	number int // of the line last read
}

func newLines(r io.Reader) *lines {
	return &lines{r: bufio.NewReaderSize(r, maxLine)}
}

// next returns the next line without its end, or io.EOF. Of a line that r broke
// off it returns nothing but r's error.
func (l *lines) next() (string, error) {
	text, err := l.r.ReadSlice('\n')
	l.number++
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return "", &LineError{Line: l.number, Text: string(text[:256]), Err: errTooLong}
	case err == io.EOF && len(text) > 0: // the last line
	case err != nil:
		return "", err
	}
	line := trimEnd(string(text))
	if l.number == 1 {
		line = strings.TrimPrefix(line, "\ufeff")
	}
	return line, nil
}

// trimEnd cuts the line's end. Some Windows servers send two CR, and a name
// that ends in one could not be asked for anyway.
func trimEnd(line string) string {
	return strings.TrimRight(strings.TrimSuffix(line, "\n"), "\r")
}

func isBlank(line string) bool { return strings.Trim(line, " \t\r") == "" }
