package smtp_test

import (
	"context"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/hawsertest"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/smtp"
)

const (
	user     = "hawser"
	password = "open sesame 8472"
	nobody   = "nobody@example.com" // refused by every server here
)

// inProcess are servers that need Go alone: one for each way to send a message,
// and for each way to TLS.
func inProcess() map[string]testserver.SMTPConfig {
	return map[string]testserver.SMTPConfig{
		"in process":                    {},
		"in process without CHUNKING":   {Without: []string{"CHUNKING"}},
		"in process without PIPELINING": {Without: []string{"PIPELINING"}},
		"in process without both":       {Without: []string{"PIPELINING", "CHUNKING"}},
		"in process with nothing":       {Without: []string{"PIPELINING", "CHUNKING", "SIZE", "8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES"}},
		"in process explicit":           {TLS: testserver.SMTPExplicit, RequireLogin: true},
		"in process implicit":           {TLS: testserver.SMTPImplicit, MaxMessages: 30},
	}
}

// startInProcess starts one for the length of the test.
func startInProcess(t testing.TB, cfg testserver.SMTPConfig) (hawser.Connection, *testserver.SMTP) {
	t.Helper()
	if cfg.Users == nil {
		cfg.Users = map[string]string{user: password}
	}
	if cfg.Refuse == nil {
		cfg.Refuse = map[string]string{nobody: "550 5.1.1 no such user"}
	}
	s, err := testserver.StartSMTP(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	c := hawser.Connection{Name: "mail", Protocol: hawser.SMTP, Host: s.Host(), Port: s.Port(), Timeout: 20 * time.Second}
	c.Auth.User, c.Auth.Password = user, hawser.NewSecret(password)
	c.TLS.Mode = hawser.TLSNone
	if cfg.TLS != "" {
		c.TLS.Mode, c.TLS.Roots = hawser.TLSMode(cfg.TLS), s.CA()
	}
	return c, s
}

func TestDialerSuite(t *testing.T) {
	for name, cfg := range inProcess() {
		t.Run(name, func(t *testing.T) {
			c, _ := startInProcess(t, cfg)
			testDialer(t, c)
		})
	}
}

func testDialer(t *testing.T, c hawser.Connection) {
	denied := c.Clone()
	denied.Auth.Password = hawser.NewSecret("not the password")
	hawsertest.TestDialer(t, hawsertest.DialerHarness{Dialer: smtp.Dialer{}, Good: c, Denied: denied})
}

func TestMailerSuite(t *testing.T) {
	for name, cfg := range inProcess() {
		t.Run(name, func(t *testing.T) {
			c, s := startInProcess(t, cfg)
			hawsertest.TestMailer(t, harness(c, func(testing.TB) []hawsertest.Delivered {
				var all []hawsertest.Delivered
				for _, m := range s.Mails() {
					all = append(all, hawsertest.Delivered{From: m.From, To: m.To, Data: m.Data})
				}
				return all
			}))
		})
	}
}

// harness is that of a server which accepts all of example.com but nobody.
func harness(c hawser.Connection, delivered func(testing.TB) []hawsertest.Delivered) hawsertest.MailerHarness {
	return hawsertest.MailerHarness{
		Open: func(t *testing.T) hawser.Mailer { return lasting(t, c) },
		From: "jobs@example.com", To: []string{"a@example.com", "b@example.com", "c@example.com"}, Refused: nobody,
		Delivered: delivered,
		Addr:      c.Addr(),
		Dial: func(t *testing.T, addr string, timeout time.Duration) hawser.Mailer {
			host, port, err := net.SplitHostPort(addr)
			require.NoError(t, err)
			number, err := strconv.ParseUint(port, 10, 16)
			require.NoError(t, err)
			there := c.Clone()
			there.Host, there.Port, there.Timeout = host, uint16(number), timeout
			return lasting(t, there)
		},
	}
}

// lasting opens a session that the end of the test uses too.
func lasting(t *testing.T, c hawser.Connection) *smtp.Session {
	t.Helper()
	s, err := smtp.Dialer{}.Open(context.WithoutCancel(t.Context()), c)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}
