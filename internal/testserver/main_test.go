package testserver

import (
	"crypto/rand"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/crypto/ssh"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// startSSH starts a server for the length of the test.
func startSSH(t *testing.T, cfg SSHConfig) *SSH {
	t.Helper()
	s, err := StartSSH(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// login connects to addr, trusting key alone.
func login(addr string, key ssh.PublicKey, user string, methods ...ssh.AuthMethod) (*ssh.Client, error) {
	return ssh.Dial("tcp", addr, &ssh.ClientConfig{
		User: user, Auth: methods, HostKeyCallback: ssh.FixedHostKey(key),
	})
}

// dial logs in for the length of the test.
func dial(t *testing.T, s *SSH, user string, methods ...ssh.AuthMethod) *ssh.Client {
	t.Helper()
	client, err := login(s.Addr(), s.HostKey(), user, methods...)
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func newSigner(t *testing.T) ssh.Signer {
	t.Helper()
	signer, err := newHostKey()
	require.NoError(t, err)
	return signer
}

// certify makes a user certificate of key for principal, signed by ca.
func certify(t *testing.T, ca, key ssh.Signer, principal string) ssh.Signer {
	t.Helper()
	cert := &ssh.Certificate{
		Key: key.PublicKey(), CertType: ssh.UserCert, KeyId: "test",
		ValidPrincipals: []string{principal}, ValidBefore: ssh.CertTimeInfinity,
		Permissions: ssh.Permissions{Extensions: map[string]string{"permit-pty": ""}},
	}
	require.NoError(t, cert.SignCert(rand.Reader, ca))
	signer, err := ssh.NewCertSigner(cert, key)
	require.NoError(t, err)
	return signer
}

// answering answers every prompt in turn, in whatever rounds they come.
func answering(answers ...string) ssh.AuthMethod {
	next := 0
	return ssh.KeyboardInteractive(func(_, _ string, prompts []string, _ []bool) ([]string, error) {
		given := make([]string, 0, len(prompts))
		for range prompts {
			given = append(given, answers[min(next, len(answers)-1)])
			next++
		}
		return given, nil
	})
}
