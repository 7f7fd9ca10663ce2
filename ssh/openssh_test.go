package ssh_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	xssh "golang.org/x/crypto/ssh"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/ssh"
)

// real is a connection without login to a real server.
func real(s *testserver.Server) hawser.Connection { return at(s.Host, s.Port, s.HostKeys...) }

// openSSHKeys are one key of each type and format that sshkey reads.
var openSSHKeys = []string{
	"openssh/rsa", "openssh/ecdsa256", "openssh/ecdsa384", "openssh/ecdsa521", "openssh/ed25519",
	"openssh/ed25519-aes256-ctr", // the others of bcrypt take seconds under -race
	"openssh/rsa.pem", "openssh/rsa-encrypted.pem", "openssh/ecdsa256-encrypted.pem", "pem/ec-with-parameters",
	"openssh/rsa-encrypted.p8", "pem/pbkdf2-aes256-sha256", "pem/pbkdf2-des3", "pem/scrypt",
	"ppk/rsa-v2.ppk", "ppk/rsa-v2-encrypted.ppk", "ppk/rsa-v3.ppk", "ppk/rsa-v3-encrypted.ppk",
	"ppk/ecdsa256-v3.ppk", "ppk/ecdsa384-v3-encrypted.ppk", "ppk/ecdsa521-v2-encrypted.ppk",
	"ppk/ed25519-v2.ppk", "ppk/ed25519-v3-encrypted.ppk",
}

func TestOpenSSHLogins(t *testing.T) {
	t.Parallel()
	ca := newSigner(t)
	pkcs8, pkcs8Key := plainPKCS8(t)
	authorized := append(publicKeys(t, openSSHKeys), pkcs8Key)
	all := testserver.OpenSSH(t, testserver.OpenSSHConfig{AuthorizedKeys: authorized, UserCA: ca.PublicKey()})
	only := func(methods string) *testserver.Server {
		return testserver.OpenSSH(t, testserver.OpenSSHConfig{AuthorizedKeys: authorized, Lines: []string{"AuthenticationMethods " + methods}})
	}
	table := []string{}
	try := func(name string, c hawser.Connection, match error) {
		t.Run(name, func(t *testing.T) {
			s, err := ssh.Dialer{}.Open(t.Context(), c)
			result := "ok"
			if err != nil {
				result = err.Error()[strings.Index(err.Error(), ": login:")+len(": login: "):]
			}
			table = append(table, fmt.Sprintf("| %s | %s |", name, result))
			if match != nil {
				require.ErrorIs(t, err, match)
				requireNoSecret(t, err.Error(), all.Password, "wrong-password")
				return
			}
			require.NoError(t, err)
			var out strings.Builder
			require.NoError(t, s.Run(t.Context(), &hawser.Command{Line: "id -un", Stdout: &out}))
			assert.Equal(t, user+"\n", out.String())
			require.NoError(t, s.Close())
		})
	}
	server := only("password")
	try("password", withPassword(real(server), server.Password), nil)
	try("password, wrong", withPassword(real(server), "wrong-password"), hawser.ErrAuth)
	server = only("keyboard-interactive")
	try("keyboard-interactive", withPassword(real(server), server.Password), nil)
	try("keyboard-interactive, wrong", withPassword(real(server), "wrong-password"), hawser.ErrAuth)
	server = only("publickey,password")
	try("publickey, then password", keyed(t, withPassword(real(server), server.Password), "openssh/ed25519", true), nil)
	try("publickey, then password that is missing", keyed(t, real(server), "openssh/ed25519", true), hawser.ErrAuth)
	server = only("publickey,keyboard-interactive")
	try("publickey, then keyboard-interactive", keyed(t, withPassword(real(server), server.Password), "openssh/rsa", true), nil)

	try("all methods, password", withPassword(real(all), all.Password), nil)
	try("all methods, password wrong", withPassword(real(all), "wrong-password"), hawser.ErrAuth)
	try("none", real(all), hawser.ErrAuth)
	unknown := withPassword(real(all), "wrong-password")
	unknown.Auth.User = "nobody-here"
	try("unknown user", unknown, hawser.ErrAuth)
	try("unknown key", keyed(t, real(all), "ppk/ed25519-v3.ppk", true), hawser.ErrAuth)
	for i, name := range openSSHKeys {
		form := map[bool]string{true: "File", false: "Content"}[i%2 == 0]
		try("key "+name+" as "+form, keyed(t, real(all), name, i%2 == 0), nil)
	}
	plain := real(all)
	plain.Auth.Key.Content = hawser.NewSecret(pkcs8)
	try("key PKCS #8, plain", plain, nil)
	for _, name := range []string{"ppk/rsa-v3.ppk", "openssh/ecdsa384", "openssh/ed25519"} {
		certified := testserver.OpenSSH(t, testserver.OpenSSHConfig{UserCA: ca.PublicKey()})
		c := keyed(t, real(certified), name, true)
		c.Auth.Key.Certificate = certify(t, ca, parsed(t, name).PublicKey())
		try("certificate of "+name, c, nil)
	}
	t.Log("logins to OpenSSH\n" + strings.Join(table, "\n"))
}

func TestOpenSSHHostKeys(t *testing.T) {
	t.Parallel()
	server := testserver.OpenSSH(t, testserver.OpenSSHConfig{HostKeyTypes: []string{"rsa", "ecdsa", "ed25519"}})
	for _, kind := range []string{xssh.KeyAlgoRSASHA512, xssh.KeyAlgoECDSA256, xssh.KeyAlgoED25519} {
		t.Run("one that is known by "+kind+" shows that", func(t *testing.T) {
			o := &orderer{kinds: []string{kind}}
			c := withPassword(real(server), server.Password)
			s := loginBy(t, ssh.Dialer{Verifier: o}, c)
			require.Len(t, o.asked(), 1)
			assert.Contains(t, s.Algorithms(), kind)
		})
	}
	t.Run("a certificate is known by the key in it", func(t *testing.T) {
		certified := testserver.OpenSSH(t, testserver.OpenSSHConfig{HostCA: newSigner(t)})
		s := login(t, withPassword(at(certified.Host, certified.Port, certified.HostKeys[0]), certified.Password))
		assert.Contains(t, s.Algorithms(), "ssh-ed25519-cert-v01@openssh.com")
	})
}

func TestOpenSSHRun(t *testing.T) {
	t.Parallel()
	server := testserver.OpenSSH(t, testserver.OpenSSHConfig{})
	c := withPassword(real(server), server.Password)
	s := login(t, c)
	var table timings
	runRules(t, s, &table)
	table.log(t)
	t.Run("one channel too many is refused, and the session lives", func(t *testing.T) {
		s := login(t, c) // on the other one the server may still hold a channel of what ran before
		var streams []*ssh.Stream
		for range 10 {
			stream, err := s.Exec(t.Context(), "cat")
			require.NoError(t, err)
			streams = append(streams, stream)
		}
		err := s.Run(t.Context(), &hawser.Command{Line: "true"})
		require.ErrorContains(t, err, "refused another channel")
		assert.NotErrorIs(t, err, hawser.ErrLost)
		for _, stream := range streams {
			require.NoError(t, stream.Close())
		}
		require.NoError(t, s.Ping(t.Context()))
	})
	t.Run("sessions rekey", func(t *testing.T) {
		often := testserver.OpenSSH(t, testserver.OpenSSHConfig{Lines: []string{"RekeyLimit 1M"}})
		v := &verifier{}
		s := loginBy(t, ssh.Dialer{Verifier: v}, withPassword(real(often), often.Password))
		require.NoError(t, s.Run(t.Context(), &hawser.Command{Line: "head -c 8000000 /dev/zero"}))
		assert.Len(t, v.asked(), 1)
	})
}

// The facts: sshd delivers signals to the commands of users, not to root's
// ("session signalling requires privilege separation").
func TestOpenSSHSignals(t *testing.T) {
	t.Parallel()
	server := testserver.OpenSSH(t, testserver.OpenSSHConfig{AuthorizedKeys: publicKeys(t, []string{"openssh/ed25519"})})
	const grace = time.Second
	for _, row := range []struct {
		user      string
		tty       bool
		delivered bool
	}{{user, false, true}, {user, true, true}, {"root", false, false}, {"root", true, false}} {
		t.Run(fmt.Sprintf("%s, TTY %v", row.user, row.tty), func(t *testing.T) {
			t.Parallel()
			c := keyed(t, real(server), "openssh/ed25519", true)
			c.Auth.User = row.user
			begun := time.Now()
			s := login(t, c)
			t.Logf("logged in after %v", time.Since(begun).Round(time.Millisecond))
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var ended time.Time
			out := writerFunc(func(p []byte) (int, error) {
				if ended.IsZero() {
					ended = time.Now()
				}
				cancel()
				return len(p), nil
			})
			name := fmt.Sprintf("hawser-%s-%v", row.user, row.tty)
			line := fmt.Sprintf("echo ready; exec sh -c 'sleep 61; echo %s'", name)
			err := s.Run(ctx, &hawser.Command{Line: line, Stdout: out, TTY: row.tty, Grace: grace})
			took := time.Since(ended)
			require.ErrorIs(t, err, context.Canceled)
			require.Less(t, took, grace+soon)
			assert.Equal(t, row.delivered, took < grace, "the command ended before its grace was over")
			var left strings.Builder
			_ = s.Run(t.Context(), &hawser.Command{Line: "ps -eo args | grep '[s]leep 61; echo " + name + "'", Stdout: &left})
			t.Logf("back after %v; still running: %q", took.Round(time.Millisecond), left.String())
		})
	}
}
