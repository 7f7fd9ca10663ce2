package smtp_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser/smtp"
)

// Another reader than Go's, that was written by others from the same RFCs.
const pythonReader = `
import email, email.policy, hashlib, json, sys
m = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.default)
def people(name):
    return [[a.display_name, a.addr_spec] for a in m[name].addresses] if m[name] else []
def defects(part):
    found = [repr(d) for d in part.defects] + [repr(d) for _, v in part.items() for d in v.defects]
    return found + [d for p in part.iter_parts() for d in defects(p)]
leaves = [p for p in m.walk() if not p.is_multipart()]
json.dump({
    "subject": m["Subject"], "from": people("From"), "to": people("To"), "cc": people("Cc"),
    "job": m["X-Job"], "bcc": m["Bcc"], "defects": defects(m),
    "text": m.get_body(("plain",)).get_content(), "html": m.get_body(("html",)).get_content(),
    "types": [p.get_content_type() for p in leaves], "names": [p.get_filename() for p in leaves],
    "ids": [p["Content-ID"] for p in leaves],
    "sums": [hashlib.sha256(p.get_payload(decode=True)).hexdigest() for p in leaves],
    "offered": [p.get_filename() for p in m.iter_attachments()],
}, sys.stdout)
`

type pythonMessage struct {
	Subject, Job, Text, HTML string
	From, To, Cc             [][2]string
	Bcc                      *string
	Types, Sums, Defects     []string
	Names, IDs               []*string
	Offered                  []string
}

func TestMessageIsReadBackByPython(t *testing.T) {
	t.Parallel()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not installed")
	}
	m := full()
	m.Subject = strings.Repeat("Änderung im =?utf-8?q?x?= Ablauf, ", 8) + "Ende"
	m.To = append(m.To, `"=?utf-8?q?x?=" <looks@example.com>`, strings.Repeat("ж", 60)+" <long@example.com>")
	m.Attachments = append(m.Attachments,
		smtp.Bytes("=?utf-8?q?x?=.txt", []byte("a\r\nb\x00")),
		smtp.Bytes(strings.Repeat("日", 80)+".csv", nil))
	text := written(t, m)
	command := exec.Command(python, "-c", pythonReader)
	command.Stdin = strings.NewReader(text)
	out, err := command.Output()
	require.NoError(t, err)
	var got pythonMessage
	require.NoError(t, json.Unmarshal(out, &got))

	assert.Empty(t, got.Defects)
	assert.Equal(t, m.Subject, got.Subject)
	assert.Equal(t, "Prüfung", got.Job)
	assert.Nil(t, got.Bcc)
	assert.Equal(t, [][2]string{{"Jörg Müller", "joerg@example.com"}}, got.From)
	long := &got.To[len(got.To)-1][0]
	*long = strings.ReplaceAll(*long, " ", "") // Python 3.11 keeps those between encoded words of a name, not of a subject
	assert.Equal(t, [][2]string{
		{"Doe, Jo", "jo@example.com"},
		{"Ann", "ann@example.org"},
		{"", "plain@example.net"},
		{"=?utf-8?q?x?=", "looks@example.com"},
		{strings.Repeat("ж", 60), "long@example.com"},
	}, got.To)
	assert.Equal(t, [][2]string{{"Łukasz 'Cc'", "cc@example.com"}}, got.Cc)
	assert.Equal(t, strings.ReplaceAll(m.Text, "\n", "\r\n")+"\r\n", got.Text)
	assert.Equal(t, m.HTML+"\r\n", got.HTML)

	leaves := readMessage(t, text).leaves()
	require.Len(t, got.Types, len(leaves))
	offered := []string{"report.csv", `Übersicht "1".pdf`, "raw", "=?utf-8?q?x?=.txt", strings.Repeat("日", 80) + ".csv"}
	assert.Equal(t, offered, got.Offered)
	assert.Equal(t, "<logo.png>", *got.IDs[2])
	for i, leaf := range leaves {
		sum := sha256.Sum256([]byte(leaf.content))
		assert.Equal(t, hex.EncodeToString(sum[:]), got.Sums[i])
		assert.Equal(t, leaf.kind, got.Types[i])
	}
}
