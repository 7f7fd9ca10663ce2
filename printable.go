package hawser

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Printable returns s with each control character, and each byte that is not
// UTF-8, written as an escape, so that text from a server cannot move a
// terminal's cursor or forge a line of a log. Drivers use it for all such text
// that reaches an error or a [Message].
func Printable(s string) string {
	if strings.IndexFunc(s, unprintable) < 0 {
		return s
	}
	var b strings.Builder
	for size := 0; len(s) > 0; s = s[size:] {
		var r rune
		r, size = utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1: // not U+FFFD itself, which has three bytes
			b.WriteString(`\x` + strconv.FormatUint(uint64(s[0])>>4, 16) + strconv.FormatUint(uint64(s[0])&15, 16))
		case unprintable(r) && r != utf8.RuneError:
			quoted := strconv.QuoteRune(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func unprintable(r rune) bool {
	return r == utf8.RuneError || !strconv.IsPrint(r)
}
