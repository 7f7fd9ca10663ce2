package smtp_test

import (
	"bytes"
	"net/mail"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/idna"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/smtp"
)

// requireReadBack writes m, which is refused or read back as it was.
func requireReadBack(t *testing.T, m *smtp.Message) {
	t.Helper()
	size := m.Size()
	var b bytes.Buffer
	if _, err := m.WriteTo(&b); err != nil {
		require.ErrorIs(t, err, hawser.ErrInvalid)
		require.Zero(t, b.Len())
		return
	}
	require.EqualValues(t, b.Len(), size)
	checkWire(t, b.String(), notASCII(m.From) || notASCII(m.To[0]))
	read := readMessage(t, b.String())
	header := mail.Header(read.header)
	require.Equal(t, m.Subject, decodeText(t, header.Get("Subject")))
	requireAddresses(t, m.From, header, "From")
	requireAddresses(t, strings.Join(m.To, ","), header, "To")
	for _, f := range m.Header {
		got := header.Get(f.Name)
		if notASCII(f.Value) {
			got = decodeText(t, got)
		}
		require.Equal(t, f.Value, got)
	}
	requireContent(t, m, read.leaves())
}

func notASCII(s string) bool { return strings.ContainsFunc(s, func(r rune) bool { return r > '~' }) }

func FuzzMessageTexts(f *testing.F) {
	f.Add("report", "text", "", "a.csv", "1", "Jo Doe")
	f.Add("März  \t=?utf-8?q?x?=", "a\rb\r\n.\n ", "<p>ü</p>", `C:\ä "x"`, "ü", `"Doe, Jo`)
	f.Add(strings.Repeat("ü ", 100), strings.Repeat("x", 2000), "--=_", "=?x?=", "a\r\nb", "=?utf-8?q?x?=")
	f.Add(strings.Repeat("  a", 400), "From me\nFrom you", "\x00", " ", strings.Repeat("a b  c ", 200)+"d", strings.Repeat("ж", 100))
	f.Fuzz(func(t *testing.T, subject, text, html, file, value, name string) {
		requireReadBack(t, &smtp.Message{
			From: "jobs@example.com", To: []string{(&mail.Address{Name: name, Address: "jo@example.com"}).String()},
			Subject: subject, Text: text, HTML: html,
			Attachments: []smtp.Attachment{smtp.Bytes(file, []byte(text))},
			Header:      []smtp.Field{{Name: "X-Job", Value: value}},
		})
	})
}

func FuzzMessageAddresses(f *testing.F) {
	f.Add(`"Doe, Jo" <jo@example.com>`, "a@b, Jörg <ü@ü>")
	f.Add(`=?utf-8?b?Ig==?= <"a b"@[::1]>`, "g: a@b, c@d;,")
	f.Add("\" a\\\"\" <a@b>", "a@b (c), \"\\\\ @\"@x")
	f.Add("=?utf-8?q?=0D=0A?= <a@b>", "a@b\r\nBcc: c@d")
	f.Add("ü <a@ü>", `"`+strings.Repeat(`\"`, 890)+`" <"a b"@Ü.ü>, ü@ü_, ü@xn--tda`)
	f.Fuzz(func(t *testing.T, from, to string) {
		m := &smtp.Message{From: from, To: []string{to}, Attachments: []smtp.Attachment{smtp.Bytes("a", nil)}}
		requireReadBack(t, m)
		env, err := m.Envelope()
		if err != nil {
			return
		}
		for _, address := range append(env.To, env.From) {
			a, err := mail.ParseAddress("<" + address + ">")
			require.NoError(t, err)
			require.LessOrEqual(t, len(a.Address), 254)
			require.Equal(t, "<"+address+">", a.String())
		}
	})
}

func requireAddresses(t *testing.T, want string, header mail.Header, field string) {
	t.Helper()
	wanted, err := mail.ParseAddressList(want)
	require.NoError(t, err)
	for _, a := range wanted {
		at := strings.LastIndexByte(a.Address, '@')
		if local, domain := a.Address[:at], a.Address[at+1:]; !notASCII(local) && notASCII(domain) {
			ascii, err := idna.Lookup.ToASCII(domain)
			require.NoError(t, err)
			a.Address = local + "@" + ascii
		}
	}
	got, err := header.AddressList(field)
	require.NoError(t, err, "%q", header.Get(field))
	require.Equal(t, wanted, got)
}

func requireContent(t *testing.T, m *smtp.Message, leaves []entity) {
	t.Helper()
	lines := func(text string) string {
		text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
		return strings.ReplaceAll(strings.TrimSuffix(text, "\n")+"\n", "\n", "\r\n")
	}
	var want []string
	if m.Text != "" {
		want = append(want, lines(m.Text))
	}
	if m.HTML != "" {
		want = append(want, lines(m.HTML))
	}
	if len(want) == 0 {
		want = append(want, "")
	}
	var got []string
	for _, leaf := range leaves {
		got = append(got, leaf.content)
	}
	require.Equal(t, append(want, m.Text), got)
	name := m.Attachments[0].Name
	require.Equal(t, name[strings.LastIndexAny(name, `/\`)+1:], leaves[len(leaves)-1].fileName(t))
}
