package ssh_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	xssh "golang.org/x/crypto/ssh"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/ssh"
)

const secret = "Hunter2-and-more"

func TestLoginByPassword(t *testing.T) {
	t.Parallel()
	t.Run("the method password", func(t *testing.T) {
		t.Parallel()
		s := start(t, testserver.SSHConfig{Passwords: map[string]string{user: secret}})
		require.NoError(t, login(t, withPassword(to(s), secret)).Ping(t.Context()))
	})
	t.Run("an answer to the one question of keyboard-interactive", func(t *testing.T) {
		t.Parallel()
		s := start(t, testserver.SSHConfig{Interactive: map[string][]string{user: {secret}}})
		require.NoError(t, login(t, withPassword(to(s), secret)).Ping(t.Context()))
	})
	t.Run("keyboard-interactive comes before password", func(t *testing.T) {
		t.Parallel()
		var seen tally
		s := start(t, testserver.SSHConfig{
			Passwords: map[string]string{user: secret}, Interactive: map[string][]string{user: {secret}}, ServerConfig: seen.config,
		})
		login(t, withPassword(to(s), secret))
		assert.Equal(t, 1, seen.of("keyboard-interactive"))
		assert.Zero(t, seen.of("password"))
	})
	t.Run("a server that asks nothing is answered with nothing", func(t *testing.T) {
		t.Parallel()
		s := start(t, interactive(func(ask xssh.KeyboardInteractiveChallenge) error {
			_, err := ask("", "Be good.", nil, nil)
			return err
		}))
		login(t, withPassword(to(s), secret))
	})
}

// interactive is a server whose questions are asked by fn.
func interactive(fn func(ask xssh.KeyboardInteractiveChallenge) error) testserver.SSHConfig {
	return testserver.SSHConfig{
		Interactive: map[string][]string{"nobody": {""}},
		ServerConfig: func(c *xssh.ServerConfig) {
			c.KeyboardInteractiveCallback = func(_ xssh.ConnMetadata, ask xssh.KeyboardInteractiveChallenge) (*xssh.Permissions, error) {
				return &xssh.Permissions{}, fn(ask)
			}
		},
	}
}

func TestLoginThatNeedsMoreThanThePassword(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name      string
		passwords map[string]string
	}{
		{"a server with keyboard-interactive alone", nil},
		{"a server that has the method password as well", map[string]string{user: "another one"}},
	} {
		t.Run("a code is asked for by "+row.name, func(t *testing.T) {
			t.Parallel()
			var seen tally
			s := start(t, testserver.SSHConfig{
				Passwords: row.passwords, Interactive: map[string][]string{user: {secret, "123456"}}, ServerConfig: seen.config,
			})
			err := refused(t, ssh.Dialer{}, withPassword(to(s), secret))
			require.ErrorIs(t, err, hawser.ErrAuth)
			assert.ErrorContains(t, err, `"Code:"`)
			assert.NotContains(t, err.Error(), secret)
			assert.Zero(t, seen.of("password"), "attempts of the method password")
		})
	}
	for _, row := range []struct {
		name      string
		questions []string
		echos     []bool
	}{
		{"two questions at once", []string{"Password: ", "Code: "}, []bool{false, false}},
		{"a question whose answer is shown", []string{"Name of your pet: "}, []bool{true}},
	} {
		t.Run(row.name+" are not answered with the password", func(t *testing.T) {
			t.Parallel()
			s := start(t, interactive(func(ask xssh.KeyboardInteractiveChallenge) error {
				_, err := ask("", "", row.questions, row.echos)
				return err
			}))
			err := refused(t, ssh.Dialer{}, withPassword(to(s), secret))
			require.ErrorIs(t, err, hawser.ErrAuth)
			assert.Regexp(t, `asks "(Password|Name of your pet):"`, err.Error())
		})
	}
}

func TestLoginAnonymous(t *testing.T) {
	t.Parallel()
	s := start(t, testserver.SSHConfig{AllowNone: []string{user}, Passwords: map[string]string{"ann": secret}})
	c := to(s)
	c.Auth.Anonymous = true
	require.NoError(t, login(t, c).Ping(t.Context()))
	c.Auth.User = "ann"
	assert.ErrorIs(t, refused(t, ssh.Dialer{}, c), hawser.ErrAuth)
}

func TestLoginRefused(t *testing.T) {
	t.Parallel()
	known := newSigner(t)
	config := testserver.SSHConfig{
		Passwords: map[string]string{user: secret},
		Keys:      map[string][]xssh.PublicKey{user: {known.PublicKey()}},
	}
	stranger := hawser.Key{File: fixture("openssh/ed25519")}
	for _, row := range []struct {
		name   string
		change func(*hawser.Connection)
		want   []string
	}{
		{
			"a wrong password", func(c *hawser.Connection) { c.Auth.Password = hawser.NewSecret("wrong-password") },
			[]string{"offered password", "the server takes password, publickey"},
		},
		{
			"a wrong key", func(c *hawser.Connection) { c.Auth.Key = stranger },
			[]string{"offered ssh-ed25519 key SHA256:BZQerh5KR8MT8tAblwDbr7Oko74q/fJUP5O2iiL6cOQ", "publickey"},
		},
		{
			"an unknown user", func(c *hawser.Connection) { c.Auth.User, c.Auth.Password = "bob", hawser.NewSecret(secret) },
			[]string{"offered password"},
		},
		{"nothing to offer", func(*hawser.Connection) {}, []string{"the server takes password, publickey"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			c := to(start(t, config))
			row.change(&c)
			err := refused(t, ssh.Dialer{}, c)
			require.ErrorIs(t, err, hawser.ErrAuth)
			assert.Equal(t, hawser.PhaseLogin, err.Phase)
			assert.Equal(t, c.Addr(), err.Addr)
			assert.False(t, hawser.Retryable(err))
			for _, want := range row.want {
				assert.ErrorContains(t, err, want)
			}
			assert.NotContains(t, err.Error(), "wrong-password")
			assert.NotContains(t, err.Error(), secret)
			assert.NotContains(t, err.Error(), "handshake failed")
			t.Log(err)
		})
	}
	t.Run("a password refused as an answer is not tried again as a password", func(t *testing.T) {
		t.Parallel()
		var seen tally
		s := start(t, testserver.SSHConfig{
			Passwords: map[string]string{user: secret}, Interactive: map[string][]string{user: {secret}}, ServerConfig: seen.config,
		})
		err := refused(t, ssh.Dialer{}, withPassword(to(s), "wrong-password"))
		require.ErrorIs(t, err, hawser.ErrAuth)
		assert.Equal(t, 1, seen.of("keyboard-interactive"))
		assert.Zero(t, seen.of("password"))
	})
	t.Run("a server that hangs up on a login is lost, and not tried again", func(t *testing.T) {
		t.Parallel()
		var s *testserver.SSH
		s = start(t, testserver.SSHConfig{
			Passwords: map[string]string{user: secret},
			ServerConfig: func(c *xssh.ServerConfig) {
				c.PasswordCallback = func(conn xssh.ConnMetadata, _ []byte) (*xssh.Permissions, error) {
					s.Drop()
					return nil, assert.AnError
				}
			},
		})
		err := refused(t, ssh.Dialer{}, withPassword(to(s), secret))
		require.ErrorIs(t, err, hawser.ErrLost)
		assert.Equal(t, hawser.PhaseLogin, err.Phase)
		assert.False(t, hawser.Retryable(err))
	})
	t.Run("a server that ends the login with a disconnect message gives its reason", func(t *testing.T) {
		t.Parallel()
		s := start(t, testserver.SSHConfig{
			Passwords:    map[string]string{user: secret},
			ServerConfig: func(c *xssh.ServerConfig) { c.MaxAuthTries = 1 },
		})
		err := refused(t, ssh.Dialer{}, withPassword(to(s), "wrong-password"))
		require.ErrorIs(t, err, hawser.ErrAuth)
		assert.ErrorContains(t, err, "too many authentication failures")
	})
}

func TestRSASignsWithSHA1OnlyIfLegacy(t *testing.T) {
	t.Parallel()
	signer := newRSA(t)
	for _, row := range []struct {
		name  string
		takes []string
		ok    map[string]bool // by profile
	}{
		{"a server that takes ssh-rsa alone", []string{xssh.KeyAlgoRSA}, map[string]bool{"legacy": true}},
		{"a server that takes rsa-sha2-256", []string{xssh.KeyAlgoRSASHA256}, map[string]bool{"": true, "modern": true, "legacy": true}},
		{"a server that takes all", []string{xssh.KeyAlgoRSA, xssh.KeyAlgoRSASHA256, xssh.KeyAlgoRSASHA512}, map[string]bool{"": true, "modern": true, "legacy": true}},
	} {
		for _, profile := range []string{"", "modern", "legacy"} {
			t.Run(row.name+", profile "+profile, func(t *testing.T) {
				t.Parallel()
				var seen tally
				s := start(t, testserver.SSHConfig{
					Keys: map[string][]xssh.PublicKey{user: {signer.PublicKey(), parsed(t, "openssh/rsa").PublicKey()}},
					ServerConfig: func(c *xssh.ServerConfig) {
						seen.config(c)
						c.PublicKeyAuthAlgorithms = row.takes
					},
				})
				c := to(s)
				c.SSH.Algorithms = profile
				c.Auth.Key.File = fixture("openssh/rsa")
				if row.ok[profile] {
					login(t, c)
					return
				}
				err := refused(t, ssh.Dialer{}, c)
				require.ErrorIs(t, err, hawser.ErrAuth)
				assert.Zero(t, seen.of("publickey"), "attempts with a key")
				t.Log(err)
			})
		}
	}
}
