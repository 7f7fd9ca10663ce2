package certs_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/certs"
)

const addr = "bank.example.com:22"

// stores are what every rule about stores is tested with. open opens the same
// store again, as another process would; nil if nothing is left of it.
func eachStore(t *testing.T, test func(t *testing.T, store certs.Store, open func() certs.Store)) {
	t.Helper()
	files := map[string]func(string) (certs.Store, error){"file": certs.File, "known_hosts": certs.KnownHosts}
	for name, openFile := range files {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "new directory", name)
			open := func() certs.Store {
				store, err := openFile(path)
				require.NoError(t, err)
				return store
			}
			test(t, open(), open)
		})
	}
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		store := certs.Memory()
		test(t, store, func() certs.Store { return store })
	})
}

func newEd25519(t testing.TB) ssh.Signer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	return newSigner(t, key)
}

func newECDSA(t testing.TB) ssh.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return newSigner(t, key)
}

func newRSA(t testing.TB) ssh.Signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	return newSigner(t, key)
}

func newSigner(t testing.TB, key crypto.Signer) ssh.Signer {
	t.Helper()
	signer, err := ssh.NewSignerFromSigner(key)
	require.NoError(t, err)
	return signer
}

func wire(s ssh.Signer) []byte  { return s.PublicKey().Marshal() }
func print(s ssh.Signer) string { return ssh.FingerprintSHA256(s.PublicKey()) }

// line is the type and the key of s as known_hosts has them.
func line(s ssh.Signer) string {
	return s.PublicKey().Type() + " " + base64.StdEncoding.EncodeToString(wire(s))
}

func bank() hawser.Connection {
	return hawser.Connection{Name: "bank", Protocol: hawser.SFTP, Host: "bank.example.com"}
}

func peer(s ssh.Signer) hawser.Peer { return hawser.Peer{Addr: addr, HostKey: wire(s)} }

func verify(t testing.TB, v *certs.Verifier, p hawser.Peer) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return v.Verify(ctx, bank(), p)
}

// refused returns the error of a server that must not be trusted.
func refused(t testing.TB, err error) *certs.UntrustedError {
	t.Helper()
	require.ErrorIs(t, err, hawser.ErrUntrusted)
	var untrusted *certs.UntrustedError
	require.ErrorAs(t, err, &untrusted)
	return untrusted
}

func answering(d certs.Decision) certs.Asker {
	return func(context.Context, certs.Question) (certs.Answer, error) { return certs.Answer{Decision: d}, nil }
}
