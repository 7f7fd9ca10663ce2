package sshkey_test

import (
	"bytes"
	"crypto/rand"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/hawser/hawser/internal/sshkey"
)

func parseFixture(t testing.TB, name string) ssh.Signer {
	t.Helper()
	signer, err := sshkey.Parse(fixture(t, name), nil)
	require.NoError(t, err)
	return signer
}

func TestCertificateIsJoinedToItsKey(t *testing.T) {
	t.Parallel()
	for key, certificate := range map[string]string{
		"openssh/ed25519": "certificate/user-ed25519-cert.pub",
		"openssh/rsa":     "certificate/user-rsa-cert.pub",
	} {
		text := fixture(t, certificate)
		for name, text := range map[string][]byte{
			"as it is":                 text,
			"with a byte order mark":   append([]byte("\xef\xbb\xbf"), text...),
			"with Windows line ends":   bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n")),
			"after a comment":          append([]byte("# from the CA\n\n"), text...),
			"without an ending":        bytes.TrimSpace(text),
			"before a second of other": append(bytes.Clone(text), fixture(t, "certificate/host-ed25519-cert.pub")...),
		} {
			signer, err := sshkey.WithCertificate(parseFixture(t, key), text)
			require.NoError(t, err, name)
			cert, ok := signer.PublicKey().(*ssh.Certificate)
			require.True(t, ok, name)
			assert.Equal(t, "test user", cert.KeyId, name)
		}
	}
}

func TestCertificateOfRSASignsWithSHA2(t *testing.T) {
	t.Parallel()
	signer, err := sshkey.WithCertificate(parseFixture(t, "openssh/rsa"), fixture(t, "certificate/user-rsa-cert.pub"))
	require.NoError(t, err)
	algorithms, ok := signer.(ssh.AlgorithmSigner)
	require.True(t, ok)
	for _, algorithm := range []string{ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSASHA512} {
		signature, err := algorithms.SignWithAlgorithm(rand.Reader, []byte("message"), algorithm)
		require.NoError(t, err)
		assert.Equal(t, algorithm, signature.Format)
	}
}

func TestCertificateThatCannotBeJoinedSaysWhy(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		text []byte
		want string
	}{
		"a host certificate":           {fixture(t, "certificate/host-ed25519-cert.pub"), "it is a host certificate"},
		"a certificate of another key": {fixture(t, "certificate/user-rsa-cert.pub"), "it is for the key SHA256:"},
		"a plain public key":           {fixture(t, "unreadable/openssh.pub"), "it is a plain public key of type ssh-rsa"},
		"a private key":                {fixture(t, "openssh/ed25519"), "name the file that ends in -cert.pub"},
		"an X.509 certificate":         {fixture(t, "unreadable/x509"), "name the file that ends in -cert.pub"},
		"nothing":                      {nil, "name the file that ends in -cert.pub"},
		"more than a mebibyte":         {bytes.Repeat([]byte("#\n"), 1<<20), "too many"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := sshkey.WithCertificate(parseFixture(t, "openssh/ed25519"), test.text)
			require.ErrorIs(t, err, sshkey.ErrCertificate)
			assert.ErrorContains(t, err, test.want)
		})
	}
}
