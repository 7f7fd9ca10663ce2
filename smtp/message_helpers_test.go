package smtp_test

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser/smtp"
)

// minimal is a message that needs nothing more.
func minimal() *smtp.Message {
	return &smtp.Message{
		From:      "jobs@example.com",
		To:        []string{"jo@example.com"},
		Date:      time.Date(2026, 3, 1, 8, 30, 0, 0, time.FixedZone("", 3600)),
		MessageID: "1@example.com",
	}
}

// written is m as it is sent.
func written(t *testing.T, m *smtp.Message) string {
	t.Helper()
	size := m.Size()
	var b bytes.Buffer
	n, err := m.WriteTo(&b)
	require.NoError(t, err)
	require.EqualValues(t, b.Len(), n)
	if size >= 0 {
		require.EqualValues(t, b.Len(), size, "Size")
	}
	return b.String()
}

// An entity is a message, or a part of one, read by the standard library.
type entity struct {
	header   textproto.MIMEHeader
	kind     string // "text/plain"
	params   map[string]string
	content  string // decoded
	children []entity
}

func readMessage(t *testing.T, text string) entity {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(text))
	require.NoError(t, err)
	return readEntity(t, textproto.MIMEHeader(m.Header), m.Body)
}

func readEntity(t *testing.T, header textproto.MIMEHeader, body io.Reader) entity {
	t.Helper()
	e := entity{header: header}
	var err error
	e.kind, e.params, err = mime.ParseMediaType(header.Get("Content-Type"))
	require.NoError(t, err)
	if strings.HasPrefix(e.kind, "multipart/") {
		parts := multipart.NewReader(body, e.params["boundary"])
		for {
			p, err := parts.NextRawPart()
			if err == io.EOF {
				return e
			}
			require.NoError(t, err)
			e.children = append(e.children, readEntity(t, p.Header, p))
		}
	}
	switch encoding := header.Get("Content-Transfer-Encoding"); encoding {
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	default:
		require.Equal(t, "7bit", encoding)
	}
	content, err := io.ReadAll(body)
	require.NoError(t, err)
	e.content = string(content)
	return e
}

// shape is the structure of e: "mixed(text/plain, text/csv)".
func (e entity) shape() string {
	if len(e.children) == 0 {
		return e.kind
	}
	inner := make([]string, len(e.children))
	for i, child := range e.children {
		inner[i] = child.shape()
	}
	return strings.TrimPrefix(e.kind, "multipart/") + "(" + strings.Join(inner, ", ") + ")"
}

// leaves are the parts of e that hold content, in their order.
func (e entity) leaves() []entity {
	if len(e.children) == 0 {
		return []entity{e}
	}
	var all []entity
	for _, child := range e.children {
		all = append(all, child.leaves()...)
	}
	return all
}

// fileName is what e is to be saved as.
func (e entity) fileName(t *testing.T) string {
	t.Helper()
	_, params, err := mime.ParseMediaType(e.header.Get("Content-Disposition"))
	require.NoError(t, err)
	return params["filename"]
}

func decodeText(t *testing.T, value string) string {
	t.Helper()
	text, err := (&mime.WordDecoder{}).DecodeHeader(value)
	require.NoError(t, err)
	return text
}

// checkWire checks what every message keeps to.
func checkWire(t *testing.T, text string, utf8 bool) {
	t.Helper()
	require.True(t, strings.HasSuffix(text, "\r\n"), "does not end with CR LF")
	body := false
	for _, line := range strings.Split(strings.TrimSuffix(text, "\r\n"), "\r\n") {
		body = body || line == ""
		switch {
		case strings.ContainsAny(line, "\r\n\x00"):
			require.Fail(t, "bare CR, LF or NUL", "%q", line)
		case len(line) > 998:
			require.Fail(t, "long line", "%q", line)
		case strings.Contains(line, "=?utf-8?") && len(line) > 76 && !body:
			require.Fail(t, "long line with an encoded word", "%q", line)
		case !utf8 && strings.ContainsFunc(line, func(r rune) bool { return r > '~' }):
			require.Fail(t, "not ASCII", "%q", line)
		case strings.HasPrefix(line, "From "):
			require.Fail(t, "line that a mailbox file changes", "%q", line)
		case line != "" && strings.TrimSpace(line) == "":
			require.Fail(t, "line of spaces", "%q", line)
		}
	}
}
