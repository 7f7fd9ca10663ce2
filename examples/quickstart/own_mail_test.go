package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
)

func TestOwnMail(t *testing.T) {
	t.Parallel()
	t.Run("is tested, and sent to nobody without -to", func(t *testing.T) {
		t.Parallel()
		server, text, err := mailBy(t, "jobs", "y\n")
		require.NoError(t, err)
		assertLines(t, text, `The certificate of .* is unknown`, `unknown-authority: `, `login .* jobs by `, `Only tested: -to ADDRESS`)
		assert.NotContains(t, text, "[a]lways", "which known_hosts has no place for")
		assert.NotContains(t, text, password)
		assert.Empty(t, server.Mails())
	})
	t.Run("is sent from -from", func(t *testing.T) {
		t.Parallel()
		server, text, err := mailBy(t, "jobs", "y\n", "-to", "Jo <jo@example.com>", "-from", "jobs@example.com")
		require.NoError(t, err)
		assert.Equal(t, 1, strings.Count(text, "Trust it?"))
		assertLines(t, text, `post > MAIL FROM:<jobs@example\.com>`, `queue id   4F9D1950001`, `Taken for 1 of 1 recipients`)
		require.Len(t, server.Mails(), 1)
		assert.Equal(t, []string{"jo@example.com"}, server.Mails()[0].To)
		assert.Contains(t, string(server.Mails()[0].Data), `The connection "post" sends mail.`)
	})
	t.Run("is sent from the user where that is an address", func(t *testing.T) {
		t.Parallel()
		server, _, err := mailBy(t, "jobs@example.com", "y\n", "-to", "jo@example.com")
		require.NoError(t, err)
		require.Len(t, server.Mails(), 1)
		assert.Equal(t, "jobs@example.com", server.Mails()[0].From)
	})
	t.Run("wants -from where the user is no address", func(t *testing.T) {
		t.Parallel()
		server, _, err := mailBy(t, "jobs", "y\n", "-to", "jo@example.com")
		require.ErrorContains(t, err, `-from or -to: from: "jobs" is not an address`)
		assert.Empty(t, server.Mails())
	})
	t.Run("to nobody who is accepted is an error with the reply", func(t *testing.T) {
		t.Parallel()
		_, text, err := mailBy(t, "jobs@example.com", "y\n", "-to", formerColleague)
		require.ErrorContains(t, err, "550 5.1.1 no such user")
		assertLines(t, text, `refused    former@example\.com: RCPT: 550`)
		assert.NotContains(t, text, "Taken")
	})
	t.Run("is not sent to a server that is refused", func(t *testing.T) {
		t.Parallel()
		server, _, err := mailBy(t, "jobs@example.com", "n\n", "-to", "jo@example.com")
		require.ErrorIs(t, err, hawser.ErrUntrusted)
		assert.NotContains(t, strings.Join(server.Commands(), "\n"), "AUTH")
	})
}

// mailBy runs the program with a connection "post" of user, who answers answers.
func mailBy(t *testing.T, user, answers string, args ...string) (*testserver.SMTP, string, error) {
	t.Helper()
	server, err := testserver.StartSMTP(testserver.SMTPConfig{
		Users: map[string]string{user: password}, RequireLogin: true, TLS: testserver.SMTPExplicit,
		Refuse: map[string]string{formerColleague: "550 5.1.1 no such user"},
	})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, server.Close()) })
	file := store(t, fields{
		"name": "post", "protocol": "smtp", "host": server.Host(), "port": server.Port(),
		"auth": fields{"user": user, "password": password},
	})
	knownHosts := filepath.Join(t.TempDir(), "known_hosts")
	var out bytes.Buffer
	args = append([]string{"-connections", file, "-use", "post", "-known-hosts", knownHosts}, args...)
	err = run(t.Context(), args, strings.NewReader(answers), &out)
	return server, out.String(), err
}
