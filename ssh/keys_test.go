package ssh_test

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	xssh "golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/sshkey"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/ssh"
)

// keyFiles are sshkey's readable test keys, without DSA, which no server takes.
func keyFiles(t testing.TB) []string {
	t.Helper()
	var names []string
	for lines := bufio.NewScanner(bytes.NewReader(read(t, fixture("fingerprints.txt")))); lines.Scan(); {
		name, _, _ := strings.Cut(lines.Text(), " ")
		if !strings.Contains(name, "dsa-") && !strings.Contains(name, "dsa.") || strings.Contains(name, "ecdsa") {
			names = append(names, name)
		}
	}
	require.NotEmpty(t, names)
	return names
}

func parsed(t testing.TB, name string) xssh.Signer {
	t.Helper()
	signer, err := sshkey.Parse(read(t, fixture(name)), []byte(passphrase))
	require.NoError(t, err, name)
	return signer
}

func publicKeys(t testing.TB, names []string) []xssh.PublicKey {
	t.Helper()
	var keys []xssh.PublicKey
	for _, name := range names {
		keys = append(keys, parsed(t, name).PublicKey())
	}
	return keys
}

// keyed is the connection c with the key of a fixture, as File or as Content.
func keyed(t testing.TB, c hawser.Connection, name string, asFile bool) hawser.Connection {
	t.Helper()
	c.Auth.Key = hawser.Key{Passphrase: hawser.NewSecret(passphrase)}
	if asFile {
		c.Auth.Key.File = fixture(name)
	} else {
		c.Auth.Key.Content = hawser.NewSecret(string(read(t, fixture(name))))
	}
	return c
}

func TestLoginByKey(t *testing.T) {
	t.Parallel()
	fingerprints := string(read(t, fixture("fingerprints.txt")))
	s := start(t, testserver.SSHConfig{
		Keys: map[string][]xssh.PublicKey{user: nil},
		ServerConfig: func(c *xssh.ServerConfig) {
			c.PublicKeyCallback = func(_ xssh.ConnMetadata, key xssh.PublicKey) (*xssh.Permissions, error) {
				if !strings.Contains(fingerprints, xssh.FingerprintSHA256(key)) {
					return nil, assert.AnError
				}
				return &xssh.Permissions{}, nil
			}
		},
	})
	for i, name := range keyFiles(t) {
		asFile := i%2 == 0
		t.Run(fmt.Sprintf("%s, File: %v", name, asFile), func(t *testing.T) {
			t.Parallel()
			login(t, keyed(t, to(s), name, asFile))
		})
	}
}

func TestLoginByPlainPKCS8(t *testing.T) {
	t.Parallel()
	text, public := plainPKCS8(t)
	s := start(t, testserver.SSHConfig{Keys: map[string][]xssh.PublicKey{user: {public}}})
	c := to(s)
	c.Auth.Key.Content = hawser.NewSecret(text)
	login(t, c)
}

func plainPKCS8(t testing.TB) (string, xssh.PublicKey) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), signerOf(t, key).PublicKey()
}

// certify writes a certificate for user and returns its path.
func certify(t testing.TB, ca xssh.Signer, key xssh.PublicKey) string {
	t.Helper()
	certificate := &xssh.Certificate{
		Key: key, CertType: xssh.UserCert, KeyId: "test",
		ValidPrincipals: []string{user}, ValidBefore: xssh.CertTimeInfinity,
	}
	require.NoError(t, certificate.SignCert(rand.Reader, ca))
	path := filepath.Join(t.TempDir(), "id-cert.pub")
	require.NoError(t, os.WriteFile(path, xssh.MarshalAuthorizedKey(certificate), 0o600))
	return path
}

func TestLoginByCertificate(t *testing.T) {
	t.Parallel()
	ca := newSigner(t)
	for _, name := range []string{"openssh/ed25519", "openssh/rsa", "openssh/ecdsa256", "ppk/rsa-v3-encrypted.ppk"} {
		t.Run("a server that trusts the authority takes "+name, func(t *testing.T) {
			t.Parallel()
			s := start(t, testserver.SSHConfig{UserCA: ca.PublicKey()})
			c := to(s)
			c.Auth.Key = hawser.Key{
				File: fixture(name), Passphrase: hawser.NewSecret(passphrase), Certificate: certify(t, ca, parsed(t, name).PublicKey()),
			}
			login(t, c)
		})
		t.Run("a server that knows the key alone gets it without its certificate: "+name, func(t *testing.T) {
			t.Parallel()
			s := start(t, testserver.SSHConfig{Keys: map[string][]xssh.PublicKey{user: {parsed(t, name).PublicKey()}}})
			c := to(s)
			c.Auth.Key = hawser.Key{
				File: fixture(name), Passphrase: hawser.NewSecret(passphrase), Certificate: certify(t, ca, parsed(t, name).PublicKey()),
			}
			login(t, c)
		})
	}
}

func TestKeysThatCannotBeUsedCostNoAttempt(t *testing.T) {
	t.Parallel()
	var seen tally
	s := start(t, testserver.SSHConfig{Passwords: map[string]string{user: secret}, ServerConfig: seen.config})
	large := filepath.Join(t.TempDir(), "large")
	require.NoError(t, os.WriteFile(large, make([]byte, 2<<20), 0o600))
	for _, row := range []struct {
		name  string
		key   hawser.Key
		match error
		text  string
	}{
		{"a file that is not there", hawser.Key{File: "/nowhere/id"}, fs.ErrNotExist, "auth.key.file"},
		{"a wrong passphrase", hawser.Key{File: fixture("ppk/ed25519-v3-encrypted.ppk"), Passphrase: hawser.NewSecret("wrong-horse")}, sshkey.ErrPassphraseWrong, "auth.key"},
		{"a missing passphrase", hawser.Key{File: fixture("openssh/ed25519-aes256-ctr")}, sshkey.ErrPassphraseMissing, "auth.key"},
		{"no key at all", hawser.Key{Content: hawser.NewSecret("hello-hello")}, sshkey.ErrFormat, "auth.key"},
		{"a file too large to be a key", hawser.Key{File: large}, nil, "larger than 1 MiB"},
		{"a certificate that is not there", hawser.Key{File: fixture("openssh/ed25519"), Certificate: "/nowhere/cert"}, fs.ErrNotExist, "auth.key.certificate"},
		{"a certificate of another key", hawser.Key{File: fixture("openssh/rsa"), Certificate: fixture("certificate/user-ed25519-cert.pub")}, sshkey.ErrCertificate, "auth.key.certificate"},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := withPassword(to(s), secret)
			c.Auth.Key = row.key
			err := refused(t, ssh.Dialer{}, c)
			assert.Equal(t, hawser.PhaseSecrets, err.Phase)
			assert.False(t, hawser.Retryable(err), "Retryable(%v)", err)
			assert.ErrorContains(t, err, row.text)
			if row.match != nil {
				assert.ErrorIs(t, err, row.match)
			}
			for _, secret := range []string{"wrong-horse", "hello-hello"} {
				assert.NotContains(t, err.Error(), secret)
			}
		})
	}
	assert.Zero(t, s.Accepted())
}

// startAgent serves a keyring where SSH_AUTH_SOCK points.
func startAgent(t *testing.T, keys ...any) {
	t.Helper()
	keyring := agent.NewKeyring()
	for _, key := range keys {
		require.NoError(t, keyring.Add(agent.AddedKey{PrivateKey: key}))
	}
	serveAgent(t, func(c net.Conn) { _ = agent.ServeAgent(keyring, c) })
}

func serveAgent(t *testing.T, serve func(net.Conn)) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "agent")
	l, err := net.Listen("unix", path)
	require.NoError(t, err)
	done := make(chan struct{})
	go func() { // ends with the listener
		defer close(done)
		for c, err := l.Accept(); err == nil; c, err = l.Accept() {
			serve(c)
			_ = c.Close()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	t.Setenv("SSH_AUTH_SOCK", path)
}

func TestLoginByAgent(t *testing.T) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	_, other, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	private, err := xssh.ParseRawPrivateKey(read(t, fixture("openssh/rsa")))
	require.NoError(t, err)
	mine := signerOf(t, key).PublicKey()
	viaAgent := func(s *testserver.SSH) hawser.Connection {
		c := to(s)
		c.Auth.Agent = true
		return c
	}
	t.Run("a key of the agent", func(t *testing.T) {
		startAgent(t, &other, &key)
		login(t, viaAgent(start(t, testserver.SSHConfig{Keys: map[string][]xssh.PublicKey{user: {mine}}})))
	})
	t.Run("an RSA key of the agent signs without SHA-1", func(t *testing.T) {
		startAgent(t, private)
		public := parsed(t, "openssh/rsa").PublicKey()
		login(t, viaAgent(start(t, testserver.SSHConfig{
			Keys:         map[string][]xssh.PublicKey{user: {public}},
			ServerConfig: func(c *xssh.ServerConfig) { c.PublicKeyAuthAlgorithms = []string{xssh.KeyAlgoRSASHA512} },
		})))
		err := refused(t, ssh.Dialer{}, viaAgent(start(t, testserver.SSHConfig{
			Keys:         map[string][]xssh.PublicKey{user: {public}},
			ServerConfig: func(c *xssh.ServerConfig) { c.PublicKeyAuthAlgorithms = []string{xssh.KeyAlgoRSA} },
		})))
		assert.ErrorIs(t, err, hawser.ErrAuth)
	})
	t.Run("the agent's keys come before one's own, in one go", func(t *testing.T) {
		startAgent(t, &other)
		s := start(t, testserver.SSHConfig{Keys: map[string][]xssh.PublicKey{user: publicKeys(t, []string{"openssh/ed25519"})}})
		c := viaAgent(s)
		c.Auth.Key.File = fixture("openssh/ed25519")
		var r recorder
		session, err := ssh.Dialer{}.Open(hawser.WithTrace(t.Context(), r.trace()), c)
		require.NoError(t, err)
		require.NoError(t, session.Close())
		first := strings.Index(r.text(), xssh.FingerprintSHA256(signerOf(t, other).PublicKey()))
		second := strings.Index(r.text(), "SHA256:BZQerh5KR8MT8tAblwDbr7Oko74q/fJUP5O2iiL6cOQ")
		assert.True(t, 0 <= first && first < second, r.text())
	})
	t.Run("no agent is an error that says what to do", func(t *testing.T) {
		t.Setenv("SSH_AUTH_SOCK", "")
		err := refused(t, ssh.Dialer{}, viaAgent(start(t, testserver.SSHConfig{})))
		assert.ErrorContains(t, err, "SSH_AUTH_SOCK is not set")
		assert.False(t, hawser.Retryable(err))
	})
	t.Run("an agent that has gone away is an error", func(t *testing.T) {
		t.Setenv("SSH_AUTH_SOCK", filepath.Join(t.TempDir(), "gone"))
		err := refused(t, ssh.Dialer{}, viaAgent(start(t, testserver.SSHConfig{})))
		assert.ErrorContains(t, err, "ssh-agent")
		assert.ErrorIs(t, err, fs.ErrNotExist)
		assert.False(t, hawser.Retryable(err))
	})
	t.Run("without an agent the key is used", func(t *testing.T) {
		t.Setenv("SSH_AUTH_SOCK", "")
		s := start(t, testserver.SSHConfig{Keys: map[string][]xssh.PublicKey{user: publicKeys(t, []string{"openssh/ed25519"})}})
		c := viaAgent(s)
		c.Auth.Key.File = fixture("openssh/ed25519")
		login(t, c)
		c.Auth.Key.File = fixture("openssh/rsa")
		assert.ErrorContains(t, refused(t, ssh.Dialer{}, c), "SSH_AUTH_SOCK is not set")
	})
	t.Run("an agent that is silent is bounded by Timeout", func(t *testing.T) {
		serveAgent(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
		c := viaAgent(start(t, testserver.SSHConfig{}))
		c.Timeout = 50 * time.Millisecond
		err := refused(t, ssh.Dialer{}, c)
		assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
	})
}

func TestKeyFilesCoverTheFormats(t *testing.T) {
	t.Parallel()
	names := keyFiles(t)
	for _, want := range []string{"openssh/rsa.pem", "pem/scrypt", "pem/pbkdf2-aes256-sha256", "pem/ec-with-parameters", "ppk/rsa-v2.ppk", "ppk/ecdsa521-v3-encrypted.ppk", "openssh/ecdsa384"} {
		assert.True(t, slices.Contains(names, want), want)
	}
}
