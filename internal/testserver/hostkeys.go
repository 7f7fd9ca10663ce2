package testserver

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"fmt"
	"testing"

	"golang.org/x/crypto/ssh"
)

// hostKey is a host key in a file, with its certificate if there is a CA.
type hostKey struct {
	file, certFile string
	public         ssh.PublicKey
	certificate    *ssh.Certificate
}

// makeHostKeys writes a fresh key of each type, ed25519 alone for none.
func makeHostKeys(t testing.TB, dir string, types []string) []hostKey {
	t.Helper()
	if len(types) == 0 {
		types = []string{"ed25519"}
	}
	keys := make([]hostKey, 0, len(types))
	for _, kind := range types {
		private, err := generateKey(kind)
		if err != nil {
			t.Fatal(err)
		}
		signer, err := ssh.NewSignerFromKey(private)
		if err != nil {
			t.Fatal(err)
		}
		block, err := ssh.MarshalPrivateKey(private, "")
		if err != nil {
			t.Fatal(err)
		}
		file := put(t, dir, "host_"+kind, string(pem.EncodeToMemory(block)), 0o600)
		keys = append(keys, hostKey{file: file, public: signer.PublicKey()})
	}
	return keys
}

func generateKey(kind string) (crypto.PrivateKey, error) {
	switch kind {
	case "ed25519":
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	case "ecdsa":
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "rsa":
		return rsa.GenerateKey(rand.Reader, 2048)
	}
	return nil, fmt.Errorf("testserver: host key type %q is none of ed25519, ecdsa and rsa", kind)
}

// certify writes a host certificate for 127.0.0.1 beside the key.
func (k *hostKey) certify(t testing.TB, ca ssh.Signer) {
	t.Helper()
	k.certificate = &ssh.Certificate{
		Key: k.public, CertType: ssh.HostCert, KeyId: "hawser",
		ValidPrincipals: []string{"127.0.0.1"}, ValidBefore: ssh.CertTimeInfinity,
	}
	if err := k.certificate.SignCert(rand.Reader, ca); err != nil {
		t.Fatal(err)
	}
	k.certFile = k.file + "-cert.pub"
	put(t, "", k.certFile, string(ssh.MarshalAuthorizedKey(k.certificate)), 0o600)
}

// presented lists what clients may see: the keys, and the certificates of those that have one.
func presented(keys []hostKey) []ssh.PublicKey {
	list := make([]ssh.PublicKey, 0, 2*len(keys))
	for _, k := range keys {
		list = append(list, k.public)
		if k.certificate != nil {
			list = append(list, k.certificate)
		}
	}
	return list
}
