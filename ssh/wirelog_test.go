package ssh_test

import (
	"encoding/base64"
	"encoding/hex"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/ssh"
)

// requireNoSecret looks for each secret in the forms in which it could travel.
func requireNoSecret(t testing.TB, text string, secrets ...string) {
	t.Helper()
	for _, secret := range secrets {
		forms := []string{secret, hex.EncodeToString([]byte(secret))}
		for skip := range 3 { // base64 depends on where in a text the secret stands
			if encoded := base64.StdEncoding.EncodeToString([]byte(secret)[skip:]); len(encoded) > 8 {
				forms = append(forms, encoded[:len(encoded)-4])
			}
		}
		for _, form := range forms {
			require.False(t, strings.Contains(text, form), "the text holds a secret as %q:\n%s", form, text)
		}
	}
}

func TestWireLog(t *testing.T) {
	t.Parallel()
	t.Run("a session by password is told by the names of its messages, without secrets", func(t *testing.T) {
		t.Parallel()
		server := start(t, testserver.SSHConfig{Passwords: map[string]string{user: secret}, Banner: "be good\n"})
		var r recorder
		ctx := hawser.WithTrace(t.Context(), r.trace())
		s, err := ssh.Dialer{}.Open(ctx, withPassword(to(server), secret))
		require.NoError(t, err)
		require.NoError(t, s.Ping(ctx))
		require.NoError(t, s.Run(ctx, &hawser.Command{
			Line: "cat", Env: map[string]string{"TOKEN": "the-value-of-it"}, Stdin: strings.NewReader("what is read"), Stdout: io.Discard,
		}))
		require.NoError(t, s.Close())
		text := r.text()
		t.Log("\n" + text)
		requireNoSecret(t, text, secret, "the-value-of-it", "what is read")
		for _, want := range []string{
			"> SSH-2.0-hawser", "< SSH-2.0-Go", "< KEX_REPLY host key ssh-ed25519 SHA256:", "> USERAUTH_REQUEST hawser none",
			"< USERAUTH_BANNER be good", "< USERAUTH_FAILURE password", "> USERAUTH_REQUEST hawser password ***", "< USERAUTH_SUCCESS",
			"> GLOBAL_REQUEST keepalive@openssh.com", "< REQUEST_FAILURE",
			"> CHANNEL_OPEN session", "< CHANNEL_OPEN_CONFIRMATION", "> CHANNEL_REQUEST env TOKEN=***", `> CHANNEL_REQUEST exec "cat"`,
			"< CHANNEL_SUCCESS", "< CHANNEL_REQUEST exit-status 0", "< CHANNEL_CLOSE", "> CHANNEL_CLOSE",
		} {
			at := strings.Index(text, want)
			require.GreaterOrEqual(t, at, 0, "%q, in this order, in\n%s", want, r.text())
			text = text[at:]
		}
	})
	t.Run("steps are told with what was found", func(t *testing.T) {
		t.Parallel()
		server := start(t, testserver.SSHConfig{})
		var r recorder
		s, err := ssh.Dialer{}.Open(hawser.WithTrace(t.Context(), r.trace()), to(server))
		require.NoError(t, err)
		require.NoError(t, s.Close())
		details := map[hawser.Phase]string{}
		for _, step := range r.steps {
			require.NoError(t, step.Err)
			details[step.Phase] = step.Detail
		}
		assert.Equal(t, server.Addr(), details[hawser.PhaseConnect])
		assert.Contains(t, details[hawser.PhaseTrust], "ssh-ed25519 SHA256:")
		assert.Contains(t, details[hawser.PhaseLogin], "mlkem768x25519-sha256")
	})
	t.Run("an answer to a question is masked", func(t *testing.T) {
		t.Parallel()
		server := start(t, testserver.SSHConfig{Interactive: map[string][]string{user: {secret, "123456"}}})
		var r recorder
		_, err := ssh.Dialer{}.Open(hawser.WithTrace(t.Context(), r.trace()), withPassword(to(server), secret))
		require.ErrorIs(t, err, hawser.ErrAuth)
		requireNoSecret(t, r.text()+err.Error(), secret)
		assert.Contains(t, r.text(), `< USERAUTH_INFO_REQUEST  ["Password: "]`)
		assert.Contains(t, r.text(), "> USERAUTH_INFO_RESPONSE ***")
		assert.Equal(t, 1, strings.Count(r.text(), "< USERAUTH_FAILURE"), "that to none; what we end has no answer\n%s", r.text())
	})
	t.Run("a login by key shows its fingerprint, and neither key nor passphrase", func(t *testing.T) {
		t.Parallel()
		key := string(read(t, fixture("ppk/ed25519-v2-encrypted.ppk")))
		server := start(t, testserver.SSHConfig{})
		c := to(server)
		c.Auth.Key = hawser.Key{Content: hawser.NewSecret(key), Passphrase: hawser.NewSecret(passphrase)}
		var r recorder
		s, err := ssh.Dialer{}.Open(hawser.WithTrace(t.Context(), r.trace()), c)
		require.NoError(t, err)
		require.NoError(t, s.Close())
		requireNoSecret(t, r.text(), key, passphrase, key[len(key)-100:])
	})
	t.Run("Lease makes later messages those of the next user", func(t *testing.T) {
		t.Parallel()
		s := login(t, to(start(t, testserver.SSHConfig{})))
		next := hawser.Connection{Name: "next", Protocol: hawser.SSH, Host: "other", Port: 23, Log: hawser.Log{Incoming: true}}
		require.NoError(t, s.Lease(t.Context(), next))
		var r recorder
		require.NoError(t, s.Ping(hawser.WithTrace(t.Context(), r.trace())))
		require.Len(t, r.messages, 2)
		for _, m := range r.messages {
			assert.Equal(t, "next", m.Connection)
			assert.Equal(t, next.Log, m.Log)
			assert.Equal(t, hawser.SSH, m.Protocol)
		}
		require.NoError(t, s.Close())
		var e *hawser.Error
		require.ErrorAs(t, s.Ping(t.Context()), &e)
		assert.Equal(t, "next", e.Name)
	})
	t.Run("what a server says is printable", func(t *testing.T) {
		t.Parallel()
		server := start(t, testserver.SSHConfig{Banner: "\x1b[31mred\r\n> forged"})
		var r recorder
		s, err := ssh.Dialer{}.Open(hawser.WithTrace(t.Context(), r.trace()), to(server))
		require.NoError(t, err)
		require.NoError(t, s.Close())
		assert.NotContains(t, r.text(), "\x1b")
		assert.NotContains(t, r.text(), "\r")
		assert.NotContains(t, r.text(), "\n> forged")
	})
	t.Run("lines before the server's identification are told", func(t *testing.T) {
		t.Parallel()
		server := startTCP(t, testserver.Say("Authorized use only\r\nSSH-2.0-x\r\ngarbage"+strings.Repeat("x", 64)))
		var r recorder
		_, err := trusting().Open(hawser.WithTrace(t.Context(), r.trace()), at(server.Host(), server.Port()))
		require.Error(t, err)
		assert.Contains(t, r.text(), "< Authorized use only\n< SSH-2.0-x")
		assert.NotContains(t, r.text(), "garbage")
	})
}
