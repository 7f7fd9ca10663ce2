package testserver

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"strings"
	"testing"
)

// pemFiles are the names of the files that a real server reads its identity from.
type pemFiles struct {
	certificate, key string // the certificate with its chain
	ca               string // of its authority, for clients
	rsa              bool   // else ECDSA
	identity         *Identity
}

// identify writes what a real server presents to files in dir. A nil id is a fresh one.
func identify(t testing.TB, dir string, id *Identity) pemFiles {
	t.Helper()
	if id == nil {
		fresh, err := NewIdentity()
		if err != nil {
			t.Fatal(err)
		}
		id = fresh
	}
	var chain bytes.Buffer
	for _, der := range id.Certificate.Certificate {
		chain.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	key, err := x509.MarshalPKCS8PrivateKey(id.Certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	private := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))
	_, isRSA := id.Certificate.PrivateKey.(*rsa.PrivateKey)
	return pemFiles{
		certificate: put(t, dir, "cert.pem", chain.String(), 0o644),
		key:         put(t, dir, "key.pem", private, 0o600),
		ca:          put(t, dir, "ca.pem", string(id.PEM()), 0o644),
		rsa:         isRSA,
		identity:    id,
	}
}

// greets is the answers of a server whose greeting, by 220, contains name. One that begins with TLS is known by its
// certificate.
func greets(name string, id *Identity, implicit bool) func(ctx context.Context, addr string) bool {
	return func(ctx context.Context, addr string) bool {
		found := false
		probe(ctx, addr, func(c net.Conn) {
			if implicit {
				found = presentsCertificate(ctx, c, id.Certificate.Certificate[0])
				return
			}
			line, _ := bufio.NewReader(c).ReadString('\n')
			found = strings.HasPrefix(line, "220 ") && strings.Contains(line, name)
		})
		return found
	}
}

func presentsCertificate(ctx context.Context, c net.Conn, want []byte) bool {
	seen := false
	// What the handshake comes to is of no interest.
	_ = tls.Client(c, &tls.Config{
		InsecureSkipVerify: true,
		VerifyConnection: func(state tls.ConnectionState) error {
			seen = bytes.Equal(state.PeerCertificates[0].Raw, want)
			return nil
		},
	}).HandshakeContext(ctx)
	return seen
}
