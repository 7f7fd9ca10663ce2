package smtp_test

import (
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/smtp"
)

// refused returns the fields of the problems of m, and checks that nothing of
// an invalid message is written, or sent.
func refused(t *testing.T, m *smtp.Message) []string {
	t.Helper()
	err := m.Validate()
	if err == nil {
		return nil
	}
	require.ErrorIs(t, err, hawser.ErrInvalid)
	var fields []string
	for _, each := range err.(interface{ Unwrap() []error }).Unwrap() {
		var problem *hawser.FieldError
		require.ErrorAs(t, each, &problem)
		require.NotContains(t, problem.Error(), "\r")
		require.NotContains(t, problem.Error(), "\n")
		fields = append(fields, problem.Field)
	}
	require.EqualValues(t, -1, m.Size())
	before := *m
	var b strings.Builder
	n, failed := m.WriteTo(&b)
	require.Zero(t, n)
	require.Empty(t, b.String())
	require.Equal(t, err.Error(), failed.Error())
	require.Equal(t, before.MessageID, m.MessageID)
	_, failed = m.Envelope()
	require.Equal(t, err.Error(), failed.Error())
	return fields
}

func TestMessageRefuses(t *testing.T) {
	t.Parallel()
	file := func(change func(*smtp.Attachment)) []smtp.Attachment {
		a := smtp.Bytes("a.txt", []byte("a"))
		change(&a)
		return []smtp.Attachment{smtp.Bytes("ok", nil), a}
	}
	image := func(names ...string) []smtp.Attachment {
		var list []smtp.Attachment
		for _, name := range names {
			list = append(list, smtp.Bytes(name, nil))
		}
		return list
	}
	field := func(name, value string) []smtp.Field { return []smtp.Field{{Name: name, Value: value}} }
	for _, row := range []struct {
		name, want string
		set        func(*smtp.Message)
	}{
		{"no sender", "from", func(m *smtp.Message) { m.From = "" }},
		{"two senders", "from", func(m *smtp.Message) { m.From = "a@example.com, b@example.com" }},
		{"a name alone", "from", func(m *smtp.Message) { m.From = "Jobs" }},
		{"a sender that is none", "sender", func(m *smtp.Message) { m.Sender = "@" }},
		{"nobody to send to", "to", func(m *smtp.Message) { m.To = nil }},
		{"an empty address", "to[1]", func(m *smtp.Message) { m.To = append(m.To, "") }},
		{"a comma alone", "to[1]", func(m *smtp.Message) { m.To = append(m.To, ",") }},
		{"a group of nobody", "cc[0]", func(m *smtp.Message) { m.Cc = []string{"friends:;"} }},
		{"one bad address of a list", "bcc[0]", func(m *smtp.Message) { m.Bcc = []string{"a@example.com, b"} }},
		{"a new line in an address", "to[0]", func(m *smtp.Message) { m.To = []string{"a@example.com\r\nBcc: b@example.com"} }},
		{"a folded address", "to[0]", func(m *smtp.Message) { m.To = []string{"A\r\n <a@example.com>"} }},
		{"a new line in an encoded name", "reply_to[0]", func(m *smtp.Message) { m.ReplyTo = []string{"=?utf-8?q?a=0D=0Ab?= <a@example.com>"} }},
		{"an address with an empty local part", "to[0]", func(m *smtp.Message) { m.To = []string{`""@example.com`} }},
		{"an address with NUL", "to[0]", func(m *smtp.Message) { m.To = []string{"\"a\x00\"@example.com"} }},
		{"a tab in an address", "to[0]", func(m *smtp.Message) { m.To = []string{"\"a\tb\"@example.com"} }},
		{"an address that is too long", "to[0]", func(m *smtp.Message) { m.To = []string{strings.Repeat("ü", 150) + "@example.com"} }},
		{"a domain that DNS cannot hold", "to[0]", func(m *smtp.Message) { m.To = []string{"jo@ü_x.example"} }},
		{"a domain that is too long for DNS", "to[0]", func(m *smtp.Message) { m.To = []string{"jo@" + strings.Repeat("ü.", 80) + "example"} }},
		{"an address that is not UTF-8", "to[0]", func(m *smtp.Message) { m.To = []string{"m\xfcller@example.com"} }},
		{"a new line in the subject", "subject", func(m *smtp.Message) { m.Subject = "a\nBcc: b@example.com" }},
		{"NUL in the subject", "subject", func(m *smtp.Message) { m.Subject = "a\x00" }},
		{"an escape in the subject", "subject", func(m *smtp.Message) { m.Subject = "a\x1b[2J" }},
		{"a subject that is not UTF-8", "subject", func(m *smtp.Message) { m.Subject = "M\xe4rz" }},
		{"a date before 1900", "date", func(m *smtp.Message) { m.Date = time.Date(1899, 12, 31, 0, 0, 0, 0, time.UTC) }},
		{"a date before Christ", "date", func(m *smtp.Message) { m.Date = time.Unix(-1<<40, 0) }},
		{"a date of five digits", "date", func(m *smtp.Message) { m.Date = time.Unix(1<<40, 0) }},
		{"an ID in brackets", "message_id", func(m *smtp.Message) { m.MessageID = "<1@example.com>" }},
		{"an ID without a domain", "message_id", func(m *smtp.Message) { m.MessageID = "1" }},
		{"a new line in an ID", "message_id", func(m *smtp.Message) { m.MessageID = "1@a\r\nX: y" }},
		{"an ID that no line holds", "in_reply_to[0]", func(m *smtp.Message) { m.InReplyTo = []string{strings.Repeat("1", 1000)} }},
		{"two IDs in one", "references[1]", func(m *smtp.Message) { m.References = []string{"1@a", "2@a 3@a"} }},
		{"an empty ID", "in_reply_to[0]", func(m *smtp.Message) { m.InReplyTo = []string{""} }},
		{"text that is not UTF-8", "text", func(m *smtp.Message) { m.Text = "\xff" }},
		{"HTML that is not UTF-8", "html", func(m *smtp.Message) { m.HTML = "\xff" }},
		{"a file without a name", "attachments[1].name", func(m *smtp.Message) { m.Attachments = file(func(a *smtp.Attachment) { a.Name = "" }) }},
		{"a file that is a folder", "attachments[1].name", func(m *smtp.Message) { m.Attachments = file(func(a *smtp.Attachment) { a.Name = `C:\out\` }) }},
		{"a file that is the folder above", "attachments[1].name", func(m *smtp.Message) { m.Attachments = file(func(a *smtp.Attachment) { a.Name = "x/.." }) }},
		{"a new line in the name of a file", "attachments[1].name", func(m *smtp.Message) {
			m.Attachments = file(func(a *smtp.Attachment) { a.Name = "a\r\nContent-Type: text/html" })
		}},
		{"a name of a file that is too long", "attachments[1].name", func(m *smtp.Message) {
			m.Attachments = file(func(a *smtp.Attachment) { a.Name = strings.Repeat("a", 256) })
		}},
		{"a type that is none", "attachments[1].content_type", func(m *smtp.Message) { m.Attachments = file(func(a *smtp.Attachment) { a.ContentType = "text" }) }},
		{"a new line in a type", "attachments[1].content_type", func(m *smtp.Message) {
			m.Attachments = file(func(a *smtp.Attachment) { a.ContentType = "text/html;\r\n charset=utf-8" })
		}},
		{"a message in base64", "attachments[1].content_type", func(m *smtp.Message) {
			m.Attachments = file(func(a *smtp.Attachment) { a.ContentType = "Message/rfc822" })
		}},
		{"parts in base64", "attachments[1].content_type", func(m *smtp.Message) {
			m.Attachments = file(func(a *smtp.Attachment) { a.ContentType = "multipart/mixed" })
		}},
		{"a negative size", "attachments[1].size", func(m *smtp.Message) { m.Attachments = file(func(a *smtp.Attachment) { a.Size = -1 }) }},
		{"a file that nothing opens", "attachments[1].open", func(m *smtp.Message) { m.Attachments = file(func(a *smtp.Attachment) { a.Open = nil }) }},
		{"an image that no HTML shows", "inline", func(m *smtp.Message) { m.Inline = image("a") }},
		{"an image with spaces", "inline[1].content_id", func(m *smtp.Message) { m.HTML, m.Inline = "x", image("a", "b (1).png") }},
		{"an ID of an image that no line holds", "inline[0].content_id", func(m *smtp.Message) {
			m.HTML, m.Inline = "x", []smtp.Attachment{{Name: "a", ContentID: strings.Repeat("a", 1000), Open: smtp.Bytes("", nil).Open}}
		}},
		{"two images of one name", "inline[1].content_id", func(m *smtp.Message) { m.HTML, m.Inline = "x", image("a", "x/a") }},
		{"a field without a name", "header[0].name", func(m *smtp.Message) { m.Header = field("", "x") }},
		{"a name with a colon", "header[0].name", func(m *smtp.Message) { m.Header = field("X: y", "x") }},
		{"a name that fills a line", "header[0].name", func(m *smtp.Message) { m.Header = field(strings.Repeat("X", 77), "x") }},
		{"a new line in a name", "header[0].name", func(m *smtp.Message) { m.Header = field("X\r\nBcc", "x") }},
		{"a name that is not ASCII", "header[0].name", func(m *smtp.Message) { m.Header = field("Prüfung", "x") }},
		{"a new line in a value", "header[0].value", func(m *smtp.Message) { m.Header = field("X", "x\r\nBcc: b@example.com") }},
		{"a folded value", "header[0].value", func(m *smtp.Message) { m.Header = field("X", "x\n y") }},
		{"a value that begins with a space", "header[0].value", func(m *smtp.Message) { m.Header = field("X", " x") }},
		{"a value that is not UTF-8", "header[0].value", func(m *smtp.Message) { m.Header = field("X", "\xff") }},
		{"a value that no line holds", "header[0].value", func(m *smtp.Message) { m.Header = field("X", strings.Repeat("x", 1000)) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			m := minimal()
			row.set(m)
			assert.Equal(t, []string{row.want}, refused(t, m))
		})
	}
}

func TestMessageRefusesFieldsOfItsOwn(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"Date", "FROM", "sender", "Reply-To", "To", "cC", "Bcc", "Subject", "Message-ID", "In-Reply-To", "References",
		"Mime-Version", "Content-Type", "Content-Transfer-Encoding", "Content-ID", "Received", "Return-Path", "Resent-Bcc",
	} {
		m := minimal()
		m.Header = []smtp.Field{{Name: "X-Ok", Value: "x"}, {Name: name, Value: "x"}}
		assert.Equal(t, []string{"header[1].name"}, refused(t, m), name)
	}
}

func TestMessageTellsAllProblemsAtOnce(t *testing.T) {
	t.Parallel()
	m := &smtp.Message{
		Cc: []string{"a"}, ReplyTo: []string{"b@example.com", "c"}, Subject: "\n", Text: "\xff",
		Inline:      []smtp.Attachment{{}},
		Attachments: []smtp.Attachment{{Size: -1}},
	}
	assert.Equal(t, []string{
		"from", "reply_to[1]", "cc[0]", "subject", "text",
		"attachments[0].name", "attachments[0].size", "attachments[0].open",
		"inline[0].name", "inline[0].open", "inline[0].content_id", "inline",
	}, refused(t, m))
}

func TestMessageRefusesAFileThatCannotBeAttached(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	m := minimal()
	m.Attachments = []smtp.Attachment{smtp.File(filepath.Join(dir, "missing")), smtp.File(dir)}
	assert.Equal(t, []string{"attachments[0]", "attachments[1]"}, refused(t, m))
	err := m.Validate()
	require.ErrorIs(t, err, fs.ErrNotExist)
	assert.ErrorContains(t, err, "not a regular file")
}

func TestMessageTakes(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]func(*smtp.Message){
		"a group":                    func(m *smtp.Message) { m.To = []string{"friends: a@example.com, b@example.com;"} },
		"a comma at the end":         func(m *smtp.Message) { m.To = []string{"a@example.com,"} },
		"an address of a machine":    func(m *smtp.Message) { m.To = []string{"root@localhost"} },
		"an address with a literal":  func(m *smtp.Message) { m.To = []string{"a@[192.0.2.1]"} },
		"a name that looks encoded":  func(m *smtp.Message) { m.To = []string{`"=?utf-8?q?x?=" <a@example.com>`} },
		"an encoded name":            func(m *smtp.Message) { m.To = []string{"=?iso-8859-1?q?M=FCller?= <a@example.com>"} },
		"IDs of other programs":      func(m *smtp.Message) { m.References = []string{"a$b/c@[192.0.2.1]", "no-domain"} },
		"a field twice":              func(m *smtp.Message) { m.Header = []smtp.Field{{Name: "X", Value: "1"}, {Name: "X", Value: "2"}} },
		"an empty field":             func(m *smtp.Message) { m.Header = []smtp.Field{{Name: "X"}} },
		"control characters in text": func(m *smtp.Message) { m.Text = "\x00\x1b" },
		"an ID for an image": func(m *smtp.Message) {
			m.HTML, m.Inline = "x", []smtp.Attachment{{Name: "ä ö.png", ContentID: "1@example.com", Open: smtp.Bytes("", nil).Open}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := minimal()
			set(m)
			require.NoError(t, m.Validate())
			text := written(t, m)
			checkWire(t, text, false)
			readMessage(t, text)
		})
	}
}

// A source of an attachment, which counts what is done to it.
type source struct {
	io.Reader
	opened, closed int
	fail           error // of Close
}

func (s *source) attachment(size int64) smtp.Attachment {
	return smtp.Attachment{Name: "out/data.bin", Size: size, Open: func() (io.ReadCloser, error) {
		s.opened++
		return s, nil
	}}
}

func (s *source) Close() error {
	s.closed++
	return s.fail
}

var errDisk = errors.New("disk broken")
