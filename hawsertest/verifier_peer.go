package hawsertest

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testcert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ocsp"
	"golang.org/x/crypto/ssh"
)

// presents returns the peer that sends the certificates of chain, its own first,
// in a handshake for localhost.
func (v *verifier) presents(chain ...*testcert.Pair) hawser.Peer {
	v.Helper()
	return v.shakes(chain[0].TLS(chain[1:]...), &tls.Config{})
}

// shakes returns the peer that client sees in a handshake. Drivers judge
// afterwards, so that nothing is verified by package tls.
func (v *verifier) shakes(server tls.Certificate, client *tls.Config) hawser.Peer {
	v.Helper()
	client.ServerName = "localhost"
	client.InsecureSkipVerify = client.RootCAs == nil
	// A suite shakes hands some hundred times: in memory, and by a curve that is
	// quick. A ticket would wait for a client that reads on.
	client.CurvePreferences = []tls.CurveID{tls.X25519}
	config := &tls.Config{Certificates: []tls.Certificate{server}, SessionTicketsDisabled: true}
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	require.NoError(v, near.SetDeadline(time.Now().Add(patience)))
	ended := make(chan error, 1)
	go func() { ended <- tls.Server(far, config).Handshake() }() // ends when far is closed, if not before
	conn := tls.Client(near, client)
	require.NoError(v, conn.Handshake(), "the client's handshake")
	require.NoError(v, <-ended, "the server's handshake")
	seen := conn.ConnectionState()
	return hawser.Peer{Addr: "localhost:990", ServerName: "localhost", TLS: &seen}
}

// staples is presents with an OCSP answer about server by its issuer (RFC 6066,
// section 8).
func (v *verifier) staples(status int, server, issuer *testcert.Pair) hawser.Peer {
	v.Helper()
	now := time.Now()
	answer := ocsp.Response{
		Status: status, SerialNumber: server.Cert.SerialNumber,
		ThisUpdate: now.Add(-time.Hour), NextUpdate: now.Add(time.Hour),
	}
	if status == ocsp.Revoked {
		answer.RevokedAt, answer.RevocationReason = now.Add(-2*time.Hour), ocsp.KeyCompromise
	}
	cert := server.TLS()
	cert.OCSPStaple = must(ocsp.CreateResponse(issuer.Cert, issuer.Cert, answer, issuer.Key))(v, "sign an OCSP answer")
	return v.shakes(cert, &tls.Config{})
}

// forged returns pair with a certificate whose signature does not verify.
func forged(t testing.TB, pair *testcert.Pair) *testcert.Pair {
	t.Helper()
	der := append([]byte(nil), pair.Cert.Raw...)
	der[len(der)-1] ^= 1 // the signature is the last of a certificate
	return &testcert.Pair{Cert: must(x509.ParseCertificate(der))(t, "parse a forged certificate"), Key: pair.Key}
}

// early is the testcert.Edit of a certificate whose time has not come.
func early(c *x509.Certificate) {
	c.NotBefore, c.NotAfter = time.Now().Add(24*time.Hour), time.Now().Add(48*time.Hour)
}

// forClients is the testcert.Edit of a certificate for clients alone.
func forClients(c *x509.Certificate) {
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
}

// called is p under another name and address.
func called(p hawser.Peer, name, addr string) hawser.Peer {
	p.ServerName, p.Addr = name, addr
	return p
}

// keyed is the peer that presents key.
func keyed(key ssh.PublicKey) hawser.Peer {
	return hawser.Peer{Addr: "localhost:22", ServerName: "localhost", HostKey: key.Marshal()}
}

func newHostKey(t testing.TB) ssh.PublicKey {
	t.Helper()
	public, _, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	return must(ssh.NewPublicKey(public))(t, "a host key")
}

// hostKeyTypes returns a key of each type that servers of today have.
func hostKeyTypes(t testing.TB) []ssh.PublicKey {
	t.Helper()
	keys := []ssh.PublicKey{newHostKey(t)}
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		key := must(ecdsa.GenerateKey(curve, rand.Reader))(t, "a host key")
		keys = append(keys, must(ssh.NewPublicKey(key.Public()))(t, "a host key"))
	}
	// Nobody signs with it, so its modulus need not be one of two primes, which
	// take long to find.
	modulus := make([]byte, 256)
	_, _ = rand.Read(modulus)
	modulus[0], modulus[255] = modulus[0]|0x80, modulus[255]|1
	key := &rsa.PublicKey{N: new(big.Int).SetBytes(modulus), E: 65537}
	return append(keys, must(ssh.NewPublicKey(key))(t, "a host key"))
}

// certified returns a host certificate of key for localhost, signed by an
// authority of its own, with the key id text.
func certified(t testing.TB, key ssh.PublicKey, text string) []byte {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	authority := must(ssh.NewSignerFromKey(private))(t, "an authority")
	cert := &ssh.Certificate{
		Key: key, CertType: ssh.HostCert, KeyId: text, ValidPrincipals: []string{"localhost"},
		ValidBefore: ssh.CertTimeInfinity,
	}
	require.NoError(t, cert.SignCert(rand.Reader, authority))
	return cert.Marshal()
}
