package smtp_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/hawsertest"
	"github.com/hawser/hawser/internal/testserver"
)

// toReal is how a real server is reached, without a login.
func toReal(s *testserver.SMTPServer) hawser.Connection {
	c := hawser.Connection{Name: "mail", Protocol: hawser.SMTP, Host: s.Host, Port: s.Port, Timeout: 20 * time.Second}
	if c.TLS.Mode = hawser.TLSNone; s.CA != "" {
		c.TLS.Mode, c.TLS.Roots = hawser.TLSExplicit, s.CA
	}
	return c
}

// withLogin adds the server's login to c.
func withLogin(c hawser.Connection, s *testserver.SMTPServer) hawser.Connection {
	c.Auth.User, c.Auth.Password = s.User, hawser.NewSecret(s.Password)
	return c
}

// realHarness is that of a real server. What it delivers comes a moment later.
func realHarness(c hawser.Connection, s *testserver.SMTPServer) hawsertest.MailerHarness {
	h := harness(c, func(t testing.TB) []hawsertest.Delivered {
		var all []hawsertest.Delivered
		for _, d := range s.Settled(t) {
			all = append(all, hawsertest.Delivered{From: d.From, To: d.To, Data: d.Data})
		}
		return all
	})
	h.From = "jobs@" + s.Domain
	h.To = []string{"a@" + s.Domain, "b@" + s.Domain, "c@" + s.Domain}
	h.Refused = s.Refused
	return h
}

func TestPostfixSuite(t *testing.T) {
	for name, cfg := range map[string]testserver.SMTPServerConfig{
		"STARTTLS and login": {TLS: testserver.SMTPExplicit, Require: true, Login: true},
		"in the clear":       {Without: []string{"CHUNKING"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := testserver.Postfix(t, cfg)
			c := toReal(s)
			if cfg.Login {
				c = withLogin(c, s)
				t.Run("dialer", func(t *testing.T) { testDialer(t, c) })
			}
			hawsertest.TestMailer(t, realHarness(c, s))
		})
	}
}

// OpenSMTPD has no PIPELINING, and hangs up on who pipelines all the same.
func TestOpenSMTPDSuite(t *testing.T) {
	s := testserver.OpenSMTPD(t, testserver.SMTPServerConfig{})
	hawsertest.TestMailer(t, realHarness(toReal(s), s))
}

func TestPostfixMechanisms(t *testing.T) {
	for _, mechanism := range []string{"PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"} {
		for _, tls := range []string{testserver.SMTPExplicit, testserver.SMTPImplicit} {
			t.Run(mechanism+" "+tls, func(t *testing.T) {
				t.Parallel()
				s := testserver.Postfix(t, testserver.SMTPServerConfig{TLS: tls, Require: true, Login: true, Mechanisms: []string{mechanism}})
				c := withLogin(toReal(s), s)
				c.TLS.Mode = hawser.TLSMode(tls)
				j := &journal{}
				session, err := tryOpen(t, hawser.WithTrace(t.Context(), j.trace()), c)
				require.NoError(t, err)
				env := hawser.Envelope{From: "jobs@" + s.Domain, To: []string{"a@" + s.Domain}}
				receipt, err := session.Send(t.Context(), env, letter("by "+mechanism, 100))
				require.NoError(t, err)
				delivered := s.Await(t, 1)
				require.Len(t, delivered, 1)
				assert.Equal(t, receipt.QueueID, delivered[0].ID)
				assert.Contains(t, j.String(), " by "+mechanism+"; ")
				requireNoSecret(t, j.String(), s.Password)

				c.Auth.Password = hawser.NewSecret("not the password")
				_, err = tryOpen(t, t.Context(), c)
				require.ErrorIs(t, err, hawser.ErrAuth)
			})
		}
	}
}

// 250 messages, of which OpenSMTPD takes 100 a session.
func TestManyToRealServers(t *testing.T) {
	for name, start := range map[string]func(testing.TB, testserver.SMTPServerConfig) *testserver.SMTPServer{
		"postfix": testserver.Postfix, "opensmtpd": testserver.OpenSMTPD,
	} {
		for _, most := range []int{0, 7} {
			if name == "postfix" && most != 0 {
				continue // it has no such limit
			}
			t.Run(fmt.Sprint(name, " ", most), func(t *testing.T) {
				s := start(t, testserver.SMTPServerConfig{MaxMessages: most})
				session := open(t, toReal(s))
				env := hawser.Envelope{From: "jobs@" + s.Domain, To: []string{"a@" + s.Domain, s.Refused}}
				ids := map[string]bool{}
				for i := range 250 {
					receipt, err := session.Send(t.Context(), env, letter(fmt.Sprint("number ", i), 100))
					require.NoError(t, err)
					require.Len(t, receipt.Refused, 1)
					require.ErrorContains(t, receipt.Refused[0], "RCPT: 550")
					ids[receipt.QueueID] = true
				}
				assert.Len(t, ids, 250)
				assert.Len(t, s.Settled(t), 250)
			})
		}
	}
}

func TestNotificationsOfPostfix(t *testing.T) {
	s := testserver.Postfix(t, testserver.SMTPServerConfig{})
	env := hawser.Envelope{From: "jobs@" + s.Domain, To: []string{"a@" + s.Domain}, Notify: []string{"FAILURE"}, Return: "HDRS", ID: "run+7"}
	_, err := open(t, toReal(s)).Send(t.Context(), env, letter("x", 10))
	require.NoError(t, err)
	delivered := s.Await(t, 1)
	require.Len(t, delivered, 1)
	assert.Contains(t, delivered[0].MailLine, "RET=HDRS")
	assert.Contains(t, delivered[0].MailLine, "ENVID=run+2B7")
	assert.Contains(t, delivered[0].RcptLines[0], "NOTIFY=FAILURE")
}
