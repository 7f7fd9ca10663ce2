package hawser

import (
	"strconv"
	"strings"
	"unicode"
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
	for i, r := range s {
		switch {
		case r == unicode.ReplacementChar && s[i] != "\uFFFD"[0]:
			b.WriteString(`\x` + strconv.FormatUint(uint64(s[i])>>4, 16) + strconv.FormatUint(uint64(s[i])&15, 16))
		case unprintable(r) && r != unicode.ReplacementChar:
			quoted := strconv.QuoteRune(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func unprintable(r rune) bool {
	return r == unicode.ReplacementChar || !strconv.IsPrint(r)
}
