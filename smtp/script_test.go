package smtp_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testcert"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/smtp"
)

// soon bounds what must end by itself, on a busy machine.
const soon = 2 * time.Second

// lenient is for a script whose client is free to stray, as a fault or a lie of
// the server makes it do.
type lenient struct{ testing.TB }

func (lenient) Errorf(string, ...any) {}

// scripted is how a script is reached. ca is a file, for STARTTLS.
func scripted(t testing.TB, addr, ca string) hawser.Connection {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	number, err := strconv.ParseUint(port, 10, 16)
	require.NoError(t, err)
	c := hawser.Connection{Name: "script", Protocol: hawser.SMTP, Host: host, Port: uint16(number), Timeout: 20 * time.Second}
	c.SMTP.Hello = "jobs.example.com"
	if c.TLS.Mode = hawser.TLSNone; ca != "" {
		c.TLS.Mode, c.TLS.Roots = hawser.TLSExplicit, ca
		c.Auth.User, c.Auth.Password = user, hawser.NewSecret(password)
	}
	return c
}

// hello are the steps up to a session in the clear, without a login.
func hello(features ...string) testserver.SMTPSteps {
	return testserver.SMTPSteps{{Reply: "220 mail.example.com ESMTP"}, ehlo(features...)}
}

func ehlo(features ...string) testserver.SMTPStep {
	return testserver.SMTPStep{Want: "EHLO jobs.example.com", Reply: "250-" + strings.Join(append([]string{"mail.example.com"}, features...), "\n250-") + "\n250 HELP"}
}

// secureHello are those to one over STARTTLS, with a login.
func secureHello(features ...string) testserver.SMTPSteps {
	plain := base64.StdEncoding.EncodeToString([]byte("\x00" + user + "\x00" + password))
	return testserver.SMTPSteps{
		{Reply: "220 mail.example.com ESMTP"},
		ehlo("STARTTLS"),
		{Want: "STARTTLS", Reply: "220 go", TLS: true},
		ehlo(append(features, "AUTH PLAIN")...),
		{Want: "AUTH PLAIN " + plain, Reply: "235 2.7.0 in"},
	}
}

// A delivery is one way to send a message, and how a server answers it.
type delivery struct {
	name     string
	features []string
	message  string
	steps    testserver.SMTPSteps
	answers  bool // each step is answered before the next, so that the end of the message is never sent in doubt
}

const ending = "the end of it.\r\n"

func deliveries() []delivery {
	small := "Subject: x\r\n\r\n.dots\r\n" + ending
	large := "Subject: x\r\n\r\n" + strings.Repeat(".all work and no play\r\n", 15_000) + ending
	envelope := testserver.SMTPSteps{
		{Want: "MAIL FROM:<jobs@example.com>*", Reply: "250 2.1.0 ok"},
		{Want: "RCPT TO:<a@example.com>", Reply: "250 2.1.5 ok"},
		{Want: "RCPT TO:<b@example.com>", Reply: "550 5.1.1 no such user"},
	}
	data := testserver.SMTPSteps{{Want: "DATA", Reply: "354 go"}, {Body: true, Reply: "250 2.0.0 Ok: queued as 4711"}}
	whole := testserver.SMTPSteps{{Want: "/^BDAT \\d+ LAST$/", Body: true, Reply: "250 2.0.0 Ok: queued as 4711"}}
	chunk := testserver.SMTPStep{Want: "/^BDAT \\d+$/", Body: true, Reply: "250 2.0.0 got it"}
	chunks := slices.Concat(slices.Repeat(testserver.SMTPSteps{chunk}, 2), whole)
	return []delivery{
		{"chunk", []string{"PIPELINING", "CHUNKING", "8BITMIME"}, small, slices.Concat(envelope, whole), false},
		{"chunk alone", []string{"CHUNKING", "8BITMIME"}, small, slices.Concat(envelope, whole), true},
		{"data", []string{"PIPELINING"}, small, slices.Concat(envelope, data), true},
		{"data alone", []string{"SIZE 1000000"}, small, slices.Concat(envelope, data), true},
		{"chunks", []string{"PIPELINING", "CHUNKING"}, large, slices.Concat(envelope, chunks), false},
		{"chunks alone", []string{"CHUNKING"}, large, slices.Concat(envelope, chunks), true},
		{"long data", []string{"PIPELINING"}, large, slices.Concat(envelope, data), true},
	}
}

// arrived counts the messages whose end arrived.
func arrived(f *testserver.ScriptedSMTP) int {
	n := 0
	for _, b := range f.Bodies() {
		if b.Complete && strings.HasSuffix(b.Content, ending) {
			n++
		}
	}
	return n
}

func send(ctx context.Context, s *smtp.Session, d delivery) (hawser.Receipt, error) {
	return s.Send(ctx, to("a@example.com", "b@example.com"), strings.NewReader(d.message))
}

func TestScriptedDeliveries(t *testing.T) {
	t.Parallel()
	id, err := testserver.NewIdentity()
	require.NoError(t, err)
	ca := testcert.File(t, "ca.pem", id.PEM())
	for _, d := range deliveries() {
		for _, split := range []int{0, 1} {
			for _, secure := range []string{"", ca} {
				t.Run(fmt.Sprintf("%s, replies in pieces of %d, TLS %v", d.name, split, secure != ""), func(t *testing.T) {
					t.Parallel()
					begin := hello
					if secure != "" {
						begin = secureHello
					}
					f := testserver.SMTPScript{Steps: slices.Concat(begin(d.features...), d.steps), Split: split, Identity: id}.Start(t)
					receipt, err := send(t.Context(), open(t, scripted(t, f.Addr(), secure)), d)
					require.NoError(t, err)
					assert.Equal(t, "4711", receipt.QueueID)
					require.Len(t, receipt.Refused, 1)
					require.EqualError(t, receipt.Refused[0], "b@example.com: RCPT: 550 5.1.1 no such user")
					var text strings.Builder
					for _, b := range f.Bodies() {
						text.WriteString(b.Content)
					}
					assert.Equal(t, d.message, text.String())
				})
			}
		}
	}
}
