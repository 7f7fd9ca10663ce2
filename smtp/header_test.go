package smtp_test

import (
	"net/mail"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser/smtp"
)

// headerOf returns the lines of the header field of m, with their ends.
func headerOf(t *testing.T, m *smtp.Message, name string) string {
	t.Helper()
	text := written(t, m)
	checkWire(t, text, notASCII(m.To[0]))
	head, _, _ := strings.Cut(text, "\r\n\r\n")
	_, rest, found := strings.Cut("\r\n"+head+"\r\n", "\r\n"+name+": ")
	require.True(t, found)
	var b strings.Builder
	for i, line := range strings.SplitAfter(rest, "\r\n") {
		if i > 0 && !strings.HasPrefix(line, " ") {
			break
		}
		b.WriteString(line)
	}
	return b.String()
}

func TestSubjectIsWrittenSoThatItIsReadBack(t *testing.T) {
	t.Parallel()
	word := strings.Repeat("a", 66)
	for _, row := range []struct{ name, subject, want string }{
		{"plain", "report of today", "report of today\r\n"},
		{"that fills the line", word + "a", word + "a\r\n"},
		{"folded at a space", word + " is long", word + "\r\n is long\r\n"},
		{"not folded where two spaces are", word + "  is long", word + "  is\r\n long\r\n"},
		{"with a word that is longer than a line", "see " + word + word, "see\r\n " + word + word + "\r\n"},
		{"of another language", "März", "=?utf-8?b?TcOkcno=?=\r\n"},
		{"of another language, in part", "report of März", "=?utf-8?q?report_of_M=C3=A4rz?=\r\n"},
		{"that looks encoded", "=?utf-8?q?x?=", "=?utf-8?b?PT91dGYtOD9xP3g/PQ==?=\r\n"},
		{"with spaces around", " a ", "=?utf-8?q?_a_?=\r\n"},
		{"with a tab", "a\tb", "=?utf-8?b?YQli?=\r\n"},
		{
			"that no word holds", strings.Repeat("ü", 50),
			"=?utf-8?b?w7zDvMO8w7zDvMO8w7zDvMO8w7zDvMO8w7zDvMO8w7zDvMO8w7w=?=\r\n" +
				" =?utf-8?b?w7zDvMO8w7zDvMO8w7zDvMO8w7zDvMO8w7zDvMO8w7zDvMO8w7w=?=\r\n" +
				" =?utf-8?b?w7zDvMO8w7zDvMO8w7zDvMO8w7zDvMO8?=\r\n",
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			m := minimal()
			m.Subject = row.subject
			assert.Equal(t, row.want, headerOf(t, m, "Subject"))
			assert.Equal(t, row.subject, decodeText(t, readMessage(t, written(t, m)).header.Get("Subject")))
		})
	}
}

func TestSubjectOfAnyLengthKeepsToItsLines(t *testing.T) {
	t.Parallel()
	for _, unit := range []string{"a", "a ", "a  ", " ", "ü", "日", "𝄞x", "=", "?=", "\t"} {
		for _, count := range []int{1, 20, 76, 500, 2000} {
			m := minimal()
			m.Subject = strings.Repeat(unit, count)
			m.Header = []smtp.Field{{Name: "X-A-Name-That-Leaves-Hardly-Any-Room", Value: "ä" + m.Subject + "b"}}
			text := written(t, m)
			checkWire(t, text, false)
			header := readMessage(t, text).header
			assert.Equal(t, m.Subject, decodeText(t, header.Get("Subject")))
			assert.Equal(t, m.Header[0].Value, decodeText(t, header.Get(m.Header[0].Name)))
		}
	}
}

func TestHeaderFieldsKeepTheirOrderAndForm(t *testing.T) {
	t.Parallel()
	m := minimal()
	m.Header = []smtp.Field{{Name: "x-b", Value: "=?utf-8?q?of_theirs?="}, {Name: "X-A", Value: "a\tb  c"}, {Name: "x-B", Value: "2"}, {Name: "X-Empty"}}
	text := written(t, m)
	assert.Contains(t, text, "\r\nx-b: =?utf-8?q?of_theirs?=\r\nX-A: a\tb  c\r\nx-B: 2\r\nX-Empty: \r\nMIME-Version: 1.0\r\n")
}

func TestAddressesAreWrittenSoThatTheyAreReadBack(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, address, want string }{
		{"bare", "jo@example.com", "<jo@example.com>\r\n"},
		{"with a name", "Jo Doe <jo@example.com>", "\"Jo Doe\" <jo@example.com>\r\n"},
		{"with a comment for a name", "jo@example.com (Jo)", "\"Jo\" <jo@example.com>\r\n"},
		{"with quotes in the name", `"Jo \"D\\oe" <jo@example.com>`, `"Jo \"D\\oe" <jo@example.com>` + "\r\n"},
		{"with a name of another language", "Jörg <jo@example.com>", "=?utf-8?b?SsO2cmc=?= <jo@example.com>\r\n"},
		{"with a name that looks encoded", `"=?utf-8?q?x?=" <jo@example.com>`, "=?utf-8?b?PT91dGYtOD9xP3g/PQ==?= <jo@example.com>\r\n"},
		{"with a quoted local part", `"a b"@example.com`, "<\"a b\"@example.com>\r\n"},
		{"of another language", "ü@bücher.example", "<ü@bücher.example>\r\n"},
		{
			"of many", strings.Repeat("jo@example.com,", 5),
			"<jo@example.com>, <jo@example.com>, <jo@example.com>, <jo@example.com>,\r\n <jo@example.com>\r\n",
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			m := minimal()
			m.To = []string{row.address}
			assert.Equal(t, row.want, headerOf(t, m, "To"))
			want, err := mail.ParseAddressList(row.address)
			require.NoError(t, err)
			got, err := mail.Header(readMessage(t, written(t, m)).header).AddressList("To")
			require.NoError(t, err)
			assert.Equal(t, want, got)
		})
	}
}

func TestNameOfAnyCharactersKeepsToItsLines(t *testing.T) {
	t.Parallel()
	for _, unit := range []string{`"`, `\`, "x", "x ", "x  ", "  ", "ü", ",", "=?"} {
		for _, count := range []int{1, 300, 440, 460, 890, 900, 2000} {
			name := strings.Repeat(unit, count) + "."
			m := minimal()
			m.To = []string{"first@example.com", (&mail.Address{Name: name, Address: "jo@example.com"}).String()}
			m.Header = []smtp.Field{{Name: "X-Last", Value: "x"}}
			text := written(t, m)
			checkWire(t, text, false)
			list, err := mail.Header(readMessage(t, text).header).AddressList("To")
			require.NoError(t, err)
			assert.Equal(t, []*mail.Address{{Address: "first@example.com"}, {Name: name, Address: "jo@example.com"}}, list)
		}
	}
}

func TestSenderThatIsTheAuthorIsNotNamedTwice(t *testing.T) {
	t.Parallel()
	m := minimal()
	m.Sender = "Jobs <" + m.From + ">"
	assert.NotContains(t, written(t, m), "Sender:")
	m.Sender = "other@example.com"
	assert.Contains(t, written(t, m), "\r\nSender: <other@example.com>\r\n")
}
