package smtp_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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

// A mailbox file makes ">From " of "From " at the start of a line.
func TestMessageTextHasNoLineThatAMailboxFileChanges(t *testing.T) {
	t.Parallel()
	full := strings.Repeat("x", 75)
	for _, row := range []struct{ name, text, want string }{
		{"at its start", "From me", "=46rom me\r\n"},
		{"of a text that is encoded anyway", "ü\nFrom \nFrom:\n From me", "=C3=BC\r\n=46rom=20\r\nFrom:\r\n From me\r\n"},
		{"after a soft break", full + "From me", full + "=\r\n=46rom me\r\n"},
		{"after two", full + full + "From me", full + "=\r\n" + full + "=\r\n=46rom me\r\n"},
		{"and not in a line", full[1:] + "From me", full[1:] + "F=\r\nrom me\r\n"},
		{"whose line is then too long", "From " + full[5:], "=46rom " + full[7:] + "=\r\nxx\r\n"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			m := minimal()
			m.Text = row.text
			text := written(t, m)
			checkWire(t, text, false)
			_, body, _ := strings.Cut(text, "\r\n\r\n")
			assert.Equal(t, row.want, body)
			assert.Equal(t, strings.ReplaceAll(row.text, "\n", "\r\n")+"\r\n", readMessage(t, text).content)
		})
	}
}

func TestMessageTextOfAnyLengthKeepsToItsLines(t *testing.T) {
	t.Parallel()
	for _, unit := range []string{"x", "=", "ü", " ", "x\t", "From ", "\n", "日x ", "."} {
		for count := range 160 {
			m := minimal()
			m.Text = strings.Repeat(unit, count) + "\x00"
			text := written(t, m)
			checkWire(t, text, false)
			for _, line := range strings.Split(text, "\r\n") {
				require.LessOrEqual(t, len(line), 76)
				require.Equal(t, strings.TrimRight(line, " \t"), line)
			}
			require.Equal(t, strings.ReplaceAll(m.Text, "\n", "\r\n")+"\r\n", readMessage(t, text).content)
		}
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
