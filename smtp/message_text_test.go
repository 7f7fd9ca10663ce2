package smtp_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestMessageText(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, text, encoding, want string }{
		{"plain", "a\nb\n", "7bit", "a\r\nb\r\n"},
		{"none", "", "7bit", ""},
		{"without an end of the last line", "a", "7bit", "a\r\n"},
		{"with empty lines", "\na\n\n", "7bit", "\r\na\r\n\r\n"},
		{"with lines of three systems", "a\r\nb\rc\nd", "7bit", "a\r\nb\r\nc\r\nd\r\n"},
		{"with a tab", "a\tb", "7bit", "a\tb\r\n"},
		{"with a lone dot", "a\n.\nb", "7bit", "a\r\n.\r\nb\r\n"}, // the transport doubles it (RFC 5321, section 4.5.2)
		{"with a full line", strings.Repeat("a", 76), "7bit", strings.Repeat("a", 76) + "\r\n"},
		{"with a longer line", strings.Repeat("a", 77), "quoted-printable", strings.Repeat("a", 77) + "\r\n"},
		{"with a line of 2000", strings.Repeat("a", 2000), "quoted-printable", strings.Repeat("a", 2000) + "\r\n"},
		{"not ASCII", "ü", "quoted-printable", "ü\r\n"},
		{"with spaces at the end of a line", "a \nb\t", "quoted-printable", "a \r\nb\t\r\n"},
		{"with NUL", "a\x00b", "quoted-printable", "a\x00b\r\n"},
		{"with DEL", "\x7f", "quoted-printable", "\x7f\r\n"},
		{"that a mailbox file would change", "From me", "quoted-printable", "From me\r\n"},
		{"that could hold a boundary", "--=_1", "quoted-printable", "--=_1\r\n"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			m := minimal()
			m.Text, m.HTML = row.text, row.text
			text := written(t, m)
			checkWire(t, text, false)
			for _, leaf := range readMessage(t, text).leaves() {
				assert.Equal(t, row.want, leaf.content)
				assert.Equal(t, row.encoding, leaf.header.Get("Content-Transfer-Encoding"))
				assert.Equal(t, map[string]string{"charset": "utf-8"}, leaf.params)
			}
			for _, line := range strings.Split(text, "\r\n") {
				assert.LessOrEqual(t, len(line), 76)
			}
		})
	}
}

// Whoever writes the text may know the MessageID, and so the boundaries.
func TestMessageTextCannotEndItsPart(t *testing.T) {
	t.Parallel()
	m := minimal()
	m.HTML = "x"
	boundary := readMessage(t, written(t, m)).params["boundary"]
	m.Text = "a\n--" + boundary + "\nContent-Type: text/html\n\nb\n--" + boundary + "--\n"
	leaves := readMessage(t, written(t, m)).leaves()
	if assert.Len(t, leaves, 2) {
		assert.Equal(t, strings.ReplaceAll(m.Text, "\n", "\r\n"), leaves[0].content)
	}
}
