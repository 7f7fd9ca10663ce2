package sshkey_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/youmark/pkcs8"
	"golang.org/x/crypto/ssh"

	"github.com/hawser/hawser/internal/sshkey"
)

func TestParsePrivateReturnsTheKeyThatParseSignsWith(t *testing.T) {
	t.Parallel()
	for name, want := range fingerprints(t) {
		if isEncrypted(name) && !strings.HasPrefix(name, "pem/") {
			continue // is opened by what Parse opens it by, and takes seconds under the race detector
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			key, err := sshkey.ParsePrivate(fixture(t, name), []byte(fixturePassphrase))
			if strings.Contains(name, "dsa") && !strings.Contains(name, "ecdsa") {
				require.ErrorIs(t, err, sshkey.ErrFormat)
				require.ErrorContains(t, err, "DSA key")
				return
			}
			require.NoError(t, err)
			public, err := ssh.NewPublicKey(key.Public())
			require.NoError(t, err)
			assert.Equal(t, want, ssh.FingerprintSHA256(public))
			requireTLSKey(t, key)
		})
	}
}

// requireTLSKey proves that key is of a type that crypto/tls takes, and signs.
func requireTLSKey(t *testing.T, key crypto.Signer) {
	t.Helper()
	message, options := make([]byte, 32), crypto.SignerOpts(crypto.SHA256)
	switch key.(type) {
	case *rsa.PrivateKey, *ecdsa.PrivateKey:
	case ed25519.PrivateKey:
		options = crypto.Hash(0)
	default:
		require.Failf(t, "not a key for TLS", "%T", key)
	}
	_, err := key.Sign(rand.Reader, message, options)
	require.NoError(t, err)
}

func TestParsePrivateReadsDER(t *testing.T) {
	t.Parallel()
	for name, ends := range map[string]string{"alone": "", "before a line end": "\r\n"} {
		for keyName, der := range derKeys(t) {
			key, err := sshkey.ParsePrivate(append(der, ends...), []byte("secret"))
			require.NoError(t, err, "%s %s", keyName, name)
			requireTLSKey(t, key)
		}
	}
}

// derKeys is every form of DER, the encrypted ones with the passphrase "secret".
func derKeys(t testing.TB) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	for name, key := range goKeys(t) {
		var err error
		all[name+", PKCS #8"], err = x509.MarshalPKCS8PrivateKey(key)
		require.NoError(t, err)
		all[name+", encrypted PKCS #8"], err = pkcs8.MarshalPrivateKey(key, []byte("secret"), nil)
		require.NoError(t, err)
		switch key := key.(type) {
		case *rsa.PrivateKey:
			all[name+", PKCS #1"] = x509.MarshalPKCS1PrivateKey(key)
		case *ecdsa.PrivateKey:
			all[name+", SEC 1"], err = x509.MarshalECPrivateKey(key)
			require.NoError(t, err)
		}
	}
	return all
}

func TestParsePrivateTellsWhatIsWrongWithDER(t *testing.T) {
	t.Parallel()
	encrypted := derKeys(t)["ed25519, encrypted PKCS #8"]
	require.NotEmpty(t, encrypted)
	dsa, _ := pem.Decode(fixture(t, "openssh/dsa.pem"))
	pbes1, _ := pem.Decode(fixture(t, "unreadable/pbes1"))
	tests := map[string]struct {
		der        []byte
		passphrase string
		want       error
		text       string
	}{
		"no passphrase":         {encrypted, "", sshkey.ErrPassphraseMissing, ""},
		"a wrong passphrase":    {encrypted, "guess", sshkey.ErrPassphraseWrong, ""},
		"DSA":                   {dsa.Bytes, "", sshkey.ErrFormat, "DSA key"},
		"PBES1, with its cure":  {pbes1.Bytes, "guess", sshkey.ErrFormat, "rewrite it with openssl pkcs8"},
		"PKCS #12":              {fixture(t, "unreadable/pkcs12"), "guess", sshkey.ErrFormat, "neither PKCS #1"},
		"a key that was cut":    {encrypted[:len(encrypted)-1], "secret", sshkey.ErrFormat, ""},
		"no key":                {[]byte{0x30, 0}, "", sshkey.ErrFormat, ""},
		"a key of many bytes":   {asn1DER(t, []any{1, make([]byte, 1<<15)}), "", sshkey.ErrFormat, ""},
		"more than a mebibyte":  {make([]byte, 1<<20+1), "", sshkey.ErrFormat, "too many"},
		"nothing":               {nil, "", sshkey.ErrFormat, "empty"},
		"an X25519 key, no use": {fixture(t, "unreadable/x25519"), "", sshkey.ErrFormat, "unsupported key type"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			key, err := sshkey.ParsePrivate(test.der, []byte(test.passphrase))
			require.ErrorIs(t, err, test.want)
			require.ErrorContains(t, err, test.text)
			assert.Nil(t, key)
		})
	}
}

func FuzzParsePrivate(f *testing.F) {
	for _, der := range derKeys(f) {
		f.Add(der, []byte("secret"))
	}
	eachFixture(f, func(name string, data []byte) {
		if block, _ := pem.Decode(data); block != nil && !strings.HasPrefix(name, "openssh/") {
			f.Add(block.Bytes, []byte(fixturePassphrase))
		}
	})
	f.Fuzz(func(t *testing.T, data, passphrase []byte) {
		key, err := sshkey.ParsePrivate(data, passphrase)
		if err == nil {
			requireTLSKey(t, key)
			return
		}
		assert.Nil(t, key)
		known := errors.Is(err, sshkey.ErrFormat) || errors.Is(err, sshkey.ErrPassphraseMissing) ||
			errors.Is(err, sshkey.ErrPassphraseWrong)
		assert.True(t, known, "an error of no sentinel: %v", err)
	})
}
