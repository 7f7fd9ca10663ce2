package smtp_test

import (
	"errors"
	"io"
	"net/mail"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/smtp"
)

func TestMessageHasTheStructureThatMailProgramsExpect(t *testing.T) {
	t.Parallel()
	image := []smtp.Attachment{smtp.Bytes("logo.png", []byte("image"))}
	files := []smtp.Attachment{smtp.Bytes("a.csv", []byte("a;b")), smtp.Bytes("b", nil)}
	for _, row := range []struct {
		name string
		m    smtp.Message
		want string
	}{
		{"nothing", smtp.Message{}, "text/plain"},
		{"text", smtp.Message{Text: "x"}, "text/plain"},
		{"html", smtp.Message{HTML: "x"}, "text/html"},
		{"both", smtp.Message{Text: "x", HTML: "x"}, "alternative(text/plain, text/html)"},
		{"html with an image", smtp.Message{HTML: "x", Inline: image}, "related(text/html, image/png)"},
		{"both with an image", smtp.Message{Text: "x", HTML: "x", Inline: image}, "alternative(text/plain, related(text/html, image/png))"},
		{"files alone", smtp.Message{Attachments: files}, "mixed(text/plain, text/csv, application/octet-stream)"},
		{"html and files", smtp.Message{HTML: "x", Attachments: files}, "mixed(text/html, text/csv, application/octet-stream)"},
		{
			"everything",
			smtp.Message{Text: "x", HTML: "x", Inline: image, Attachments: files},
			"mixed(alternative(text/plain, related(text/html, image/png)), text/csv, application/octet-stream)",
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			m := row.m
			m.From, m.To = "jobs@example.com", []string{"jo@example.com"}
			text := written(t, &m)
			checkWire(t, text, false)
			assert.Equal(t, row.want, readMessage(t, text).shape())
		})
	}
}

// full uses every field.
func full() *smtp.Message {
	m := minimal()
	m.From, m.Sender = "Jörg Müller <joerg@example.com>", "Jobs <jobs@example.com>"
	m.To = []string{`"Doe, Jo" <jo@example.com>, Ann <ann@example.org>`, "plain@example.net"}
	m.Cc, m.Bcc = []string{"Łukasz 'Cc' <cc@example.com>"}, []string{"secret@example.com"}
	m.ReplyTo = []string{"help@example.com"}
	m.Subject = "Tagesbericht für März: alle Übertragungen der letzten Nacht waren erfolgreich, keine Fehler"
	m.InReplyTo, m.References = []string{"0@example.com"}, []string{"thread-of-last-month@example.com", "0@example.com"}
	m.Text = "Grüße,\n.\nthe end has spaces  \n" + strings.Repeat("long ", 30)
	m.HTML = `<p>Grüße <img src="cid:logo.png"></p>`
	m.Inline = []smtp.Attachment{smtp.Bytes("logo.png", []byte("\x89PNG"))}
	m.Attachments = []smtp.Attachment{
		smtp.Bytes("report.csv", []byte(strings.Repeat("a;b\n", 30))),
		smtp.Bytes("/var/out/Übersicht \"1\".pdf", []byte("%PDF")),
		{Name: "raw", ContentType: "text/plain; charset=windows-1252", Size: 1, Open: smtp.Bytes("", []byte("\xfc")).Open},
	}
	m.Header = []smtp.Field{
		{Name: "Auto-Submitted", Value: "auto-generated"},
		{Name: "X-Job", Value: "Prüfung"},
		{Name: "List-Unsubscribe", Value: "<mailto:leave@example.com?subject=leave>, <https://example.com/leave?list=jobs&token=0123456789>"},
	}
	return m
}

func TestMessageIsWrittenAsInTheGoldenFile(t *testing.T) {
	t.Parallel()
	want, err := os.ReadFile("testdata/message.golden") // with LF, so that no version control changes it
	require.NoError(t, err)
	text := written(t, full())
	checkWire(t, text, false)
	assert.Equal(t, strings.ReplaceAll(string(want), "\r\n", "\n"), strings.ReplaceAll(text, "\r\n", "\n"))
}

func TestMessageIsReadBack(t *testing.T) {
	t.Parallel()
	m := full()
	read := readMessage(t, written(t, m))
	header := mail.Header(read.header)

	assert.Equal(t, m.Subject, decodeText(t, header.Get("Subject")))
	assert.Equal(t, "Prüfung", decodeText(t, header.Get("X-Job")))
	assert.Equal(t, m.Header[2].Value, header.Get("List-Unsubscribe"))
	assert.Equal(t, "<thread-of-last-month@example.com> <0@example.com>", header.Get("References"))
	assert.Empty(t, header.Get("Bcc"))
	date, err := header.Date()
	require.NoError(t, err)
	assert.True(t, m.Date.Equal(date))
	for field, want := range map[string][]string{"From": {m.From}, "Sender": {m.Sender}, "To": m.To, "Cc": m.Cc, "Reply-To": m.ReplyTo} {
		wanted, err := mail.ParseAddressList(strings.Join(want, ","))
		require.NoError(t, err)
		got, err := header.AddressList(field)
		require.NoError(t, err)
		assert.Equal(t, wanted, got, field)
	}

	leaves := read.leaves()
	require.Len(t, leaves, 6)
	assert.Equal(t, strings.ReplaceAll(m.Text, "\n", "\r\n")+"\r\n", leaves[0].content)
	assert.Equal(t, m.HTML+"\r\n", leaves[1].content)
	assert.Equal(t, "\x89PNG", leaves[2].content)
	assert.Equal(t, "<logo.png>", leaves[2].header.Get("Content-Id"))
	assert.Equal(t, strings.Repeat("a;b\n", 30), leaves[3].content)
	assert.Equal(t, `Übersicht "1".pdf`, leaves[4].fileName(t))
	assert.Equal(t, "windows-1252", leaves[5].params["charset"])
	assert.Equal(t, "\xfc", leaves[5].content)
}

func TestMessageMakesUpWhatIsLeftOut(t *testing.T) {
	t.Parallel()
	m := &smtp.Message{From: "Jobs <jobs@example.com>", To: []string{"jo@example.com"}, HTML: "x", Text: "x"}
	before := time.Now()
	size := m.Size()
	require.True(t, m.Date.IsZero(), "Size sets nothing")
	require.Empty(t, m.MessageID, "Size sets nothing")

	first := written(t, m)
	assert.EqualValues(t, len(first), size)
	assert.WithinRange(t, m.Date, before, time.Now())
	assert.Regexp(t, `^[A-Z0-9]{26}@example\.com$`, m.MessageID)
	assert.Contains(t, first, "Message-ID: <"+m.MessageID+">\r\n")
	assert.Equal(t, first, written(t, m), "written again")

	other := &smtp.Message{From: m.From, To: m.To}
	written(t, other)
	assert.NotEqual(t, m.MessageID, other.MessageID)
}

func TestMessageIDNeedsADomainThatIsUnderstood(t *testing.T) {
	t.Parallel()
	for from, want := range map[string]string{
		"jobs@[127.0.0.1]":      "localhost",
		"müller@ü_x.example":    "localhost", // which DNS cannot hold
		"jobs@bücher.example":   "xn--bcher-kva.example",
		"müller@bücher.example": "xn--bcher-kva.example",
	} {
		m := &smtp.Message{From: from, To: []string{"jo@example.com"}}
		written(t, m)
		assert.Regexp(t, `^[A-Z0-9]{26}@`+want+"$", m.MessageID, from)
	}
}

func TestMessageEnvelope(t *testing.T) {
	t.Parallel()
	m := full()
	m.To = append(m.To, "JO@example.com", "cc@EXAMPLE.com", `"a b"@example.com`, "<müller@bücher.example>")
	env, err := m.Envelope()
	require.NoError(t, err)
	assert.Equal(t, hawser.Envelope{
		From: "jobs@example.com",
		To: []string{
			"jo@example.com", "ann@example.org", "plain@example.net",
			"JO@example.com", "cc@EXAMPLE.com", `"a b"@example.com`, "müller@bücher.example", // only domains have no case
			"secret@example.com",
		},
	}, env)

	m.Sender = ""
	env, err = m.Envelope()
	require.NoError(t, err)
	assert.Equal(t, "joerg@example.com", env.From)
}

func TestMessageToBccAloneNamesNobody(t *testing.T) {
	t.Parallel()
	m := minimal()
	m.To, m.Bcc = nil, []string{"secret@example.com"}
	text := written(t, m)
	assert.Contains(t, text, "\r\nTo: undisclosed-recipients:;\r\n")
	assert.NotContains(t, text, "secret")
	env, err := m.Envelope()
	require.NoError(t, err)
	assert.Equal(t, []string{"secret@example.com"}, env.To)
}

func TestMessageEnvelopeHasEachDomainAsItWasGivenAndOnce(t *testing.T) {
	t.Parallel()
	m := minimal()
	m.To = []string{"jo@bücher.example", "jo@xn--bcher-kva.example", "jo@BÜCHER.example", "ann@bücher.example"}
	env, err := m.Envelope()
	require.NoError(t, err)
	assert.Equal(t, []string{"jo@bücher.example", "ann@bücher.example"}, env.To)
}

func TestAddressThatIsNotASCII(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]func(*smtp.Message, string){
		"From":     func(m *smtp.Message, a string) { m.From = a },
		"Sender":   func(m *smtp.Message, a string) { m.Sender = a },
		"To":       func(m *smtp.Message, a string) { m.To = append(m.To, a) },
		"Cc":       func(m *smtp.Message, a string) { m.Cc = []string{a} },
		"Reply-To": func(m *smtp.Message, a string) { m.ReplyTo = []string{a} },
	} {
		inHeader := func(t *testing.T, text string, utf8 bool) *mail.Address {
			m := minimal()
			set(m, text)
			got := written(t, m)
			checkWire(t, got, utf8)
			list, err := mail.Header(readMessage(t, got).header).AddressList(name)
			require.NoError(t, err)
			return list[len(list)-1]
		}
		t.Run("stays as it is before the @, and with it the domain: "+name, func(t *testing.T) {
			t.Parallel()
			got := inHeader(t, "Jörg <müller@bücher.example>", true)
			assert.Equal(t, &mail.Address{Name: "Jörg", Address: "müller@bücher.example"}, got)
		})
		t.Run("has a domain that DNS knows, and needs no SMTPUTF8: "+name, func(t *testing.T) {
			t.Parallel()
			got := inHeader(t, `Jörg <"a b"@BÜCHER.example>`, false)
			assert.Equal(t, &mail.Address{Name: "Jörg", Address: "a b@xn--bcher-kva.example"}, got)
		})
	}
}

func TestMessageThatIsNil(t *testing.T) {
	t.Parallel()
	var m *smtp.Message
	for name, do := range map[string]func() error{
		"Validate": m.Validate,
		"WriteTo":  func() error { _, err := m.WriteTo(io.Discard); return err },
		"Envelope": func() error { _, err := m.Envelope(); return err },
	} {
		err := do()
		var problem *hawser.FieldError
		require.ErrorAs(t, err, &problem, name)
		require.ErrorContains(t, err, "message: is nil", name)
	}
	assert.EqualValues(t, -1, m.Size())
}

var errFull = errors.New("full")

// limited takes so many bytes and no more.
type limited int

func (l *limited) Write(p []byte) (int, error) {
	n := min(len(p), int(*l))
	*l -= limited(n)
	if n < len(p) {
		return n, errFull
	}
	return n, nil
}

func TestMessageTellsHowMuchWasTaken(t *testing.T) {
	t.Parallel()
	m := minimal()
	m.Attachments = []smtp.Attachment{smtp.Bytes("a", make([]byte, 100<<10))}
	size := int(m.Size())
	for _, room := range []int{0, 1, 50 << 10, size - 1} {
		w := limited(room)
		n, err := m.WriteTo(&w)
		assert.EqualValues(t, room, n)
		assert.Equal(t, errFull, err, "as it is, not as one of the attachment")
	}
	w := limited(size)
	n, err := m.WriteTo(&w)
	require.NoError(t, err)
	assert.EqualValues(t, size, n)
}
