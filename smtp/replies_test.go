package smtp

import (
	"errors"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/wire"
)

func reply(code int, lines ...string) wire.Reply { return wire.Reply{Code: code, Lines: lines} }

func TestQueueID(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ server, line, want string }{
		{"Postfix", "250 2.0.0 Ok: queued as 4Xb2Yq0JZrz1", "4Xb2Yq0JZrz1"},
		{"OpenSMTPD", "250 2.0.0 1b0e2a4c Message accepted for delivery", "1b0e2a4c"},
		{"sendmail", "250 2.0.0 4AS1bMxk012345 Message accepted for delivery", "4AS1bMxk012345"},
		{"Exim", "250 OK id=1tGxyz-0001Ab-2C", "1tGxyz-0001Ab-2C"},
		{"Exchange", "250 2.6.0 <a@b> [InternalId=47244640256, Hostname=mx.example.com] 1542 bytes in 0.1, 10 KB/sec Queued mail for delivery", "47244640256"},
		{"Google", "250 2.0.0 OK  1732580000 4fb4d7f45d1cf-5d01d3f2a1csi123 - gsmtp", "4fb4d7f45d1cf-5d01d3f2a1csi123"},
		{"qmail", "250 ok 1732580000 qp 12345", "1732580000"},
		{"Amazon SES", "250 Ok 0102019367f0c0de-7d3c-000000", "0102019367f0c0de-7d3c-000000"},
		{"go-smtp", "250 2.0.0 OK: queued", ""},
		{"one that tells nothing", "250 ok", ""},
		{"one that tells in words", "250 Ok thank you", ""},
	} {
		assert.Equal(t, row.want, queueID(reply(250, row.line)), row.server)
	}
	assert.Equal(t, "ABC", queueID(reply(250, "250-2.0.0 thanks", "250 2.0.0 Ok: queued as ABC.")))
}

func TestErrors(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		reply wire.Reply
		want  string
		is    []error
	}{
		{reply(550, "550 5.1.1 no such user"), "RCPT: 550 5.1.1 no such user", nil},
		{reply(550, "550 no"), "RCPT: 550 no", nil},
		{reply(550, "550"), "RCPT: 550", nil},
		{reply(550, "550-5.7.26 first", "550-5.7.26 second", "550 5.7.26 third"), "RCPT: 550 5.7.26 first second third", nil},
		{reply(550, "550 5.1.x no code"), "RCPT: 550 5.1.x no code", nil},
		{reply(550, "550 5.1.1\x1b[2Jforged"), `RCPT: 550 5.1.1\x1b[2Jforged`, nil},
		{reply(421, "421 4.3.2 bye"), "RCPT: 421 4.3.2 bye", []error{hawser.ErrLost}},
		{reply(502, "502 5.5.1 what"), "RCPT: 502 5.5.1 what", []error{errors.ErrUnsupported}},
		{reply(552, "552 mailbox full"), "RCPT: 552 mailbox full", nil},
		{reply(552, "552 5.3.4 too big"), "RCPT: 552 5.3.4 too big", []error{ErrTooLarge}},
		{reply(552, "552 5.2.2 mailbox full"), "RCPT: 552 5.2.2 mailbox full", nil},
	} {
		err := refusal("RCPT", row.reply)
		assert.Equal(t, row.want, err.Error())
		for _, target := range []error{hawser.ErrLost, errors.ErrUnsupported, ErrTooLarge} {
			assert.Equal(t, slices.Contains(row.is, target), errors.Is(err, target), "%v is %v", err, target)
		}
	}
}

func TestRecipientsError(t *testing.T) {
	t.Parallel()
	var e recipientsError
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		e = append(e, hawser.RecipientError{Address: name, Err: refusal("RCPT", reply(450, "450 later"))})
	}
	assert.EqualError(t, e, "a: RCPT: 450 later; b: RCPT: 450 later; c: RCPT: 450 later; and 2 more")
	assert.True(t, e.temporary())
	e[4].Err = refusal("RCPT", reply(550, "550 never"))
	assert.False(t, e.temporary())
	var first hawser.RecipientError
	require.ErrorAs(t, e, &first)
	assert.Equal(t, "a", first.Address)
}

func TestFeatures(t *testing.T) {
	t.Parallel()
	f := parseFeatures(reply(250, "250-mail.example.com SIZE", "250-pipelining", "250-SIZE 1000", "250-AUTH PLAIN", "250-AUTH=plain LOGIN", "250- ", "250 8bitmime"))
	assert.True(t, f.has("PIPELINING"))
	assert.True(t, f.has("8BITMIME"))
	assert.False(t, f.has("CHUNKING"))
	assert.False(t, f.has(""))
	assert.EqualValues(t, 1000, f.maxSize())
	assert.Subset(t, f.mechanisms(), []string{"PLAIN", "LOGIN"})
	assert.Equal(t, "PIPELINING, SIZE 1000, 8BITMIME", f.describe())
	assert.Empty(t, parseFeatures(reply(250, "250 PIPELINING")), "the first line is the server's name")
	for _, size := range []string{"", "0", "-1", "x", "99999999999999999999"} {
		assert.Zero(t, features{"SIZE": size}.maxSize(), size)
	}
}

func TestHelloNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"a.example.com": true, "A-1.x": true, "localhost": false, "": false, "a..b": false, ".a.b": false, "a_b.example.com": false, "-a.b": false, "bücher.example": false,
	} {
		assert.Equal(t, want, isDomain(name), name)
	}
	for addr, want := range map[string]string{"192.0.2.1:5": "[192.0.2.1]", "[2001:db8::1]:5": "[IPv6:2001:db8::1]", "[::ffff:192.0.2.1]:5": "[192.0.2.1]"} {
		tcp, err := net.ResolveTCPAddr("tcp", addr)
		require.NoError(t, err)
		assert.Equal(t, want, addressLiteral(tcp))
	}
	assert.Equal(t, "[127.0.0.1]", addressLiteral(&net.UnixAddr{Name: "x"}))
	assert.Equal(t, "[127.0.0.1]", addressLiteral(nil))
}

func FuzzReplies(f *testing.F) {
	f.Add("250 2.0.0 Ok: queued as 4711")
	f.Add("PIPELINING\nSIZE 1000\nAUTH=PLAIN")
	f.Fuzz(func(t *testing.T, text string) {
		lines := []string{"250 x"}
		for line := range strings.SplitSeq(text, "\n") {
			lines = append(lines, "250 "+line)
		}
		r := reply(250, lines...)
		f := parseFeatures(r)
		if text := f.describe() + refusal("X", r).Error(); strings.ContainsAny(text, "\r\n\x00\x1b") {
			t.Errorf("%q", text)
		}
		if id := queueID(r); strings.ContainsAny(id, " \r\n") {
			t.Errorf("%q", id)
		}
		if f.maxSize() < 0 {
			t.Errorf("%d", f.maxSize())
		}
	})
}
