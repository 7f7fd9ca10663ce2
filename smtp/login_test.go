package smtp_test

import (
	"crypto/tls"
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testcert"
	"github.com/hawser/hawser/internal/testserver"
)

const token = "ya29.a0AfH6SMBx-token_of-OAuth"

// mechanisms are all that the driver speaks, with what each proves the login by.
func mechanisms() map[string]func(*hawser.Connection) {
	byPassword := func(*hawser.Connection) {}
	byToken := func(c *hawser.Connection) {
		c.Auth.Password, c.Auth.Token = hawser.Secret{}, hawser.NewSecret(token)
	}
	return map[string]func(*hawser.Connection){
		"PLAIN": byPassword, "LOGIN": byPassword, "CRAM-MD5": byPassword, "SCRAM-SHA-1": byPassword, "SCRAM-SHA-256": byPassword,
		"XOAUTH2": byToken, "OAUTHBEARER": byToken,
		"ANONYMOUS": func(c *hawser.Connection) {
			c.Auth = hawser.Auth{Anonymous: true}
			c.SMTP.Auth = []string{"ANONYMOUS"}
		},
	}
}

func TestMechanisms(t *testing.T) {
	t.Parallel()
	for name, proof := range mechanisms() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, s := startInProcess(t, testserver.SMTPConfig{
				TLS: testserver.SMTPExplicit, RequireLogin: true,
				Mechanisms: []string{name}, Tokens: map[string]string{user: token},
			})
			proof(&c)
			j := &journal{}
			session, err := tryOpen(t, hawser.WithTrace(t.Context(), j.trace()), c)
			require.NoError(t, err)
			_, err = session.Send(t.Context(), to("a@example.com"), letter("x", 100))
			require.NoError(t, err)
			require.Len(t, s.Mails(), 1)
			if name != "ANONYMOUS" {
				assert.Equal(t, user, s.Mails()[0].User)
			}
			assert.Contains(t, j.String(), " by "+name+"; PIPELINING")
			requireNoSecret(t, j.String(), password)
			requireNoSecret(t, j.String(), token)
			for _, line := range s.Commands() { // and what was really sent stands nowhere in it
				if at := strings.LastIndexByte(line, ' '); strings.HasPrefix(line, "AUTH ") && len(line[at:]) > 16 {
					assert.NotContains(t, j.String(), line[at:])
				}
			}
		})
	}
}

func TestRefusedLogins(t *testing.T) {
	t.Parallel()
	for name, proof := range mechanisms() {
		if name == "ANONYMOUS" {
			continue // has nothing that could be wrong
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, s := startInProcess(t, testserver.SMTPConfig{
				TLS: testserver.SMTPExplicit, Mechanisms: []string{name}, Tokens: map[string]string{user: token},
			})
			proof(&c)
			const wrong = "not what it should be 4711"
			for _, secret := range c.Secrets() {
				*secret = hawser.NewSecret(wrong)
			}
			j := &journal{}
			_, err := tryOpen(t, hawser.WithTrace(t.Context(), j.trace()), c)
			require.ErrorIs(t, err, hawser.ErrAuth)
			var e *hawser.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, hawser.PhaseLogin, e.Phase)
			assert.False(t, hawser.Retryable(err))
			requireNoSecret(t, err.Error()+j.String(), wrong)
			if strings.HasSuffix(name, "OAUTH2") || name == "OAUTHBEARER" {
				assert.ErrorContains(t, err, "refuses the token: status ")
			}
			assert.Equal(t, 1, countPrefix(s.Commands(), "AUTH "), "one attempt, so that no account is locked")
		})
	}
}

func countPrefix(lines []string, prefix string) int {
	n := 0
	for _, line := range lines {
		if strings.HasPrefix(line, prefix) {
			n++
		}
	}
	return n
}

func TestStrongestMechanismFirst(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		offered []string
		change  func(*hawser.Connection)
		want    string
	}{
		{"of all", nil, nil, "SCRAM-SHA-256"},
		{"of the old ones", []string{"LOGIN", "PLAIN", "CRAM-MD5"}, nil, "CRAM-MD5"},
		{"of those in the clear", []string{"LOGIN", "PLAIN"}, nil, "PLAIN"},
		{"of those that the connection allows", nil, func(c *hawser.Connection) { c.SMTP.Auth = []string{"LOGIN"} }, "LOGIN"},
		{"a token before a password", []string{"XOAUTH2", "OAUTHBEARER", "PLAIN"}, func(c *hawser.Connection) {
			c.Auth.Token = hawser.NewSecret(token)
		}, "OAUTHBEARER"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			c, s := startInProcess(t, testserver.SMTPConfig{TLS: testserver.SMTPImplicit, Mechanisms: row.offered, Tokens: map[string]string{user: token}})
			if row.change != nil {
				row.change(&c)
			}
			open(t, c)
			assert.Equal(t, 1, countPrefix(s.Commands(), "AUTH "+row.want))
			assert.Equal(t, 1, countPrefix(s.Commands(), "AUTH "))
		})
	}
}

func TestNoSecretWithoutTLS(t *testing.T) {
	t.Parallel()
	for _, offered := range []string{"PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER"} {
		t.Run(offered, func(t *testing.T) {
			t.Parallel()
			c, s := startInProcess(t, testserver.SMTPConfig{Mechanisms: []string{offered}, Tokens: map[string]string{user: token}})
			mechanisms()[offered](&c)
			_, err := tryOpen(t, t.Context(), c)
			require.ErrorIs(t, err, hawser.ErrAuth)
			require.ErrorContains(t, err, "would show the secret to the network; set tls.mode to explicit or implicit, or smtp.insecure_auth")
			assert.Zero(t, countPrefix(s.Commands(), "AUTH"))

			c.SMTP.InsecureAuth = true
			open(t, c)
			assert.Equal(t, 1, countPrefix(s.Commands(), "AUTH "+offered))
		})
	}
	t.Run("but with what does not show it", func(t *testing.T) {
		t.Parallel()
		c, s := startInProcess(t, testserver.SMTPConfig{Mechanisms: []string{"PLAIN", "CRAM-MD5"}})
		open(t, c)
		assert.Equal(t, 1, countPrefix(s.Commands(), "AUTH CRAM-MD5"))
	})
}

func TestLoginThatCannotBe(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		server testserver.SMTPConfig
		change func(*hawser.Connection)
		want   string
	}{
		{"a server without logins", testserver.SMTPConfig{Without: []string{"AUTH"}}, nil, "the server offers no login without TLS"},
		{"no mechanism in common", testserver.SMTPConfig{Mechanisms: []string{"CRAM-MD5"}}, func(c *hawser.Connection) {
			c.SMTP.Auth = []string{"SCRAM-SHA-1"}
		}, "the server offers CRAM-MD5, and auth.password is for SCRAM-SHA-1"},
		{"no mechanism allowed for a password", testserver.SMTPConfig{}, func(c *hawser.Connection) {
			c.SMTP.Auth = []string{"XOAUTH2"}
		}, "smtp.auth allows none that auth.password is for"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			c, _ := startInProcess(t, row.server)
			if row.change != nil {
				row.change(&c)
			}
			_, err := tryOpen(t, t.Context(), c)
			require.ErrorIs(t, err, hawser.ErrAuth)
			require.ErrorContains(t, err, row.want)
		})
	}
}

func TestExternal(t *testing.T) {
	t.Parallel()
	root := testcert.Root(t)
	client := testcert.Server(t, root, func(cert *x509.Certificate) { cert.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} })
	roots := x509.NewCertPool()
	roots.AddCert(root.Cert)
	c, s := startInProcess(t, testserver.SMTPConfig{
		TLS: testserver.SMTPExplicit, RequireLogin: true, Mechanisms: []string{"EXTERNAL", "PLAIN"},
		TLSConfig: func(cfg *tls.Config) { cfg.ClientAuth, cfg.ClientCAs = tls.VerifyClientCertIfGiven, roots },
	})
	c.Auth.Password = hawser.Secret{}
	c.TLS.Certificate = hawser.Certificate{Content: hawser.NewSecret(string(testcert.PEM(client)) + string(testcert.KeyPEM(t, client)))}
	session := open(t, c)
	_, err := session.Send(t.Context(), to("a@example.com"), letter("x", 10))
	require.NoError(t, err)
	assert.Equal(t, 1, countPrefix(s.Commands(), "AUTH EXTERNAL"))

	stranger := testcert.Server(t, testcert.Root(t), func(cert *x509.Certificate) { cert.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} })
	c.TLS.Certificate = hawser.Certificate{Content: hawser.NewSecret(string(testcert.PEM(stranger)) + string(testcert.KeyPEM(t, stranger)))}
	_, err = tryOpen(t, t.Context(), c)
	require.ErrorIs(t, err, hawser.ErrAuth)
}

func TestNoLoginIsWanted(t *testing.T) {
	t.Parallel()
	for _, anonymous := range []bool{false, true} {
		c, s := startInProcess(t, testserver.SMTPConfig{})
		c.Auth = hawser.Auth{Anonymous: anonymous}
		_, err := open(t, c).Send(t.Context(), to("a@example.com"), letter("x", 10))
		require.NoError(t, err)
		assert.Zero(t, countPrefix(s.Commands(), "AUTH"))
	}
}

// A token of OAuth 2 may be longer than a command line (RFC 4954, section 4).
func TestLongToken(t *testing.T) {
	t.Parallel()
	long := strings.Repeat(token, 40)
	c, s := startInProcess(t, testserver.SMTPConfig{TLS: testserver.SMTPImplicit, Mechanisms: []string{"XOAUTH2"}, Tokens: map[string]string{user: long}})
	c.Auth.Password, c.Auth.Token = hawser.Secret{}, hawser.NewSecret(long)
	open(t, c)
	assert.Contains(t, s.Commands(), "AUTH XOAUTH2", "the response has a line of its own")
}

func TestBusyLogin(t *testing.T) {
	t.Parallel()
	c, _ := startInProcess(t, testserver.SMTPConfig{TLS: testserver.SMTPImplicit, Reply: func(command, reply string) string {
		if strings.HasPrefix(command, "AUTH") {
			return "454 4.7.0 Temporary authentication failure"
		}
		return reply
	}})
	c.Timeout = 5 * time.Second
	_, err := tryOpen(t, t.Context(), c)
	require.Error(t, err)
	require.NotErrorIs(t, err, hawser.ErrAuth, "the login was not judged")
	require.ErrorContains(t, err, "takes no login now: AUTH SCRAM-SHA-256: 454 4.7.0 Temporary authentication failure")
}
