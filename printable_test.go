package hawser_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/require"
)

func TestPrintable(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, text, want string }{
		{"plain text stays", "230 Login ok", "230 Login ok"},
		{"nothing stays", "", ""},
		{"letters of any script stay", "grüße 你好 🚀", "grüße 你好 🚀"},
		{"a backslash and quotes stay", `a\b"c'`, `a\b"c'`},
		{"ESC is escaped", "\x1b[2J", `\x1b[2J`},
		{"CR and LF are escaped", "ok\r\nforged line", `ok\r\nforged line`},
		{"tab, BEL, NUL and DEL are escaped", "\t\a\x00\x7f", `\t\a\x00\x7f`},
		{"C1 controls are escaped", "\u009b2J", `\u009b2J`},
		{"bidi controls are escaped", "\u202etxt.exe\u2066", `\u202etxt.exe\u2066`},
		{"what has no width is escaped", "a\u200bb\ufeff", `a\u200bb\ufeff`},
		{"line and paragraph separators are escaped", "\u2028\u2029", `\u2028\u2029`},
		{"spaces that are not the space are escaped", "\u00a0", `\u00a0`},
		{"U+FFFD itself stays", "a\uFFFDb", "a\uFFFDb"},
		{"bytes that are not UTF-8 are escaped", "a\xff\x80b", `a\xff\x80b`},
		{"Latin-1 is escaped", "gr\xfc\xdfe", `gr\xfc\xdfe`},
		{"the first byte of U+FFFD alone is escaped", "\xef", `\xef`},
		{"a cut U+FFFD is escaped", "\xef\xbfx", `\xef\xbfx`},
		{"low bytes keep two digits", "\x01", `\x01`},
		{"a surrogate is escaped", "\xed\xa0\x80", `\xed\xa0\x80`},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, row.want, hawser.Printable(row.text))
		})
	}
}

// FuzzPrintable asks that nothing comes out that moves a cursor, ends a line or
// is not UTF-8, and that what is harmless stays.
func FuzzPrintable(f *testing.F) {
	for _, text := range []string{"plain", "\x1b[2J\r\n", "\xef\xbf", "\uFFFD\xff", "\u202e", "é\x85"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := hawser.Printable(text)
		require.True(t, utf8.ValidString(got))
		require.Equal(t, -1, strings.IndexFunc(got, func(r rune) bool { return !unicode.IsPrint(r) && r != utf8.RuneError }), "%q", got)
		require.Equal(t, strings.Count(text, "\uFFFD"), strings.Count(got, "\uFFFD"))
		require.Equal(t, got, hawser.Printable(got))
		if utf8.ValidString(text) && strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) < 0 {
			require.Equal(t, text, got)
		}
	})
}
