package smtp_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
)

// loginScript is a server that offers mechanisms and then says what it is told.
func loginScript(t *testing.T, mechanisms string, steps ...testserver.SMTPStep) hawser.Connection {
	t.Helper()
	f := testserver.SMTPScript{Steps: append(hello("AUTH "+mechanisms), steps...)}.Start(lenient{t})
	c := scripted(t, f.Addr(), "")
	c.Auth.User, c.Auth.Password, c.SMTP.InsecureAuth = user, hawser.NewSecret(password), true
	return c
}

func encoded(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

func TestOddLogins(t *testing.T) {
	t.Parallel()
	t.Run("a reason counts although the server hangs up", func(t *testing.T) {
		t.Parallel()
		c := loginScript(t, "XOAUTH2 PLAIN", testserver.SMTPStep{Want: "AUTH XOAUTH2 *", Reply: "535 5.7.8 token expired", Close: true})
		c.Auth.Token = hawser.NewSecret(token)
		_, err := tryOpen(t, t.Context(), c)
		require.ErrorIs(t, err, hawser.ErrAuth)
		require.ErrorContains(t, err, "token expired")
		assert.False(t, hawser.Retryable(err))
	})
	t.Run("bytes of a challenge do not reach a terminal", func(t *testing.T) {
		t.Parallel()
		c := loginScript(
			t, "SCRAM-SHA-1", testserver.SMTPStep{Want: "AUTH SCRAM-SHA-1 *", Reply: "334 " + encoded("r=\x1b[2J\r\nforged,s=eA==,i=4096")},
			testserver.SMTPStep{Want: "*", Reply: "501 ok"},
		)
		_, err := tryOpen(t, t.Context(), c)
		require.ErrorIs(t, err, hawser.ErrAuth)
		assert.False(t, strings.ContainsAny(err.Error(), "\x1b\r\n"), "%q", err)
	})
	t.Run("a server that asks for years of work", func(t *testing.T) {
		t.Parallel()
		c := loginScript(
			t, "SCRAM-SHA-1", testserver.SMTPStep{Want: "AUTH SCRAM-SHA-1 *", Reply: "334 " + encoded("r=x,s=eA==,i=2147483647")},
			testserver.SMTPStep{Want: "*", Reply: "501 ok"},
		)
		_, err := tryOpen(t, t.Context(), c)
		require.ErrorContains(t, err, "asks for 2147483647 iterations")
	})
	t.Run("a server that does not prove that it knows the password", func(t *testing.T) {
		t.Parallel()
		c := loginScript(t, "SCRAM-SHA-256", testserver.SMTPStep{Want: "AUTH SCRAM-SHA-256 *", Reply: "235 welcome, whoever you are"})
		_, err := tryOpen(t, t.Context(), c)
		require.ErrorIs(t, err, hawser.ErrUntrusted)
	})
	t.Run("a server that goes on asking", func(t *testing.T) {
		t.Parallel()
		steps := []testserver.SMTPStep{{Want: "AUTH XOAUTH2 *", Reply: "334 " + encoded("{}")}}
		for range 10 {
			steps = append(steps, testserver.SMTPStep{Want: "/^$/", Reply: "334 " + encoded("{}")})
		}
		c := loginScript(t, "XOAUTH2", append(steps, testserver.SMTPStep{Want: "*", Reply: "501 ok"})...)
		c.Auth.Password, c.Auth.Token = hawser.Secret{}, hawser.NewSecret(token)
		_, err := tryOpen(t, t.Context(), c)
		require.ErrorIs(t, err, hawser.ErrAuth)
		require.ErrorContains(t, err, "goes on asking")
	})
	t.Run("an echo of the password", func(t *testing.T) {
		t.Parallel()
		for _, mechanism := range []string{"PLAIN", "LOGIN", "CRAM-MD5"} {
			c, _ := startInProcess(t, testserver.SMTPConfig{Mechanisms: []string{mechanism}, TLS: testserver.SMTPImplicit, Reply: func(_, reply string) string {
				if strings.HasPrefix(reply, "235") {
					return "535 5.7.8 the password " + password + " is wrong"
				}
				return reply
			}})
			j := &journal{}
			_, err := tryOpen(t, hawser.WithTrace(t.Context(), j.trace()), c)
			require.ErrorIs(t, err, hawser.ErrAuth)
			requireNoSecret(t, err.Error()+j.String(), password)
		}
	})
	t.Run("a mechanism that the server finds too weak is not the last", func(t *testing.T) {
		t.Parallel()
		c := loginScript(
			t, "CRAM-MD5 PLAIN", testserver.SMTPStep{Want: "AUTH CRAM-MD5", Reply: "534 5.7.9 too weak"},
			testserver.SMTPStep{Want: "AUTH PLAIN *", Reply: "235 in"},
		)
		_, err := tryOpen(t, t.Context(), c)
		require.NoError(t, err)
	})
	t.Run("a server that has refused EHLO says why it offers nothing", func(t *testing.T) {
		t.Parallel()
		f := testserver.SMTPScript{Steps: testserver.SMTPSteps{
			{Reply: "220 x"}, {Want: "EHLO *", Reply: "550 5.7.1 blocked for your name"}, {Want: "HELO *", Reply: "250 ok"},
		}}.Start(lenient{t})
		c := scripted(t, f.Addr(), "")
		c.Auth.User, c.Auth.Password = user, hawser.NewSecret(password)
		_, err := tryOpen(t, t.Context(), c)
		require.ErrorContains(t, err, "blocked for your name")
	})
}
