// Package testcert makes certificate authorities and certificates for tests,
// each as wrong as a test wants it.
package testcert

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// An Edit changes a certificate before it is signed.
type Edit func(*x509.Certificate)

// A Pair is a certificate and its key.
type Pair struct {
	Cert *x509.Certificate
	Key  crypto.Signer
}

// Root makes an authority that signs itself.
func Root(t testing.TB, edits ...Edit) *Pair {
	return Sign(t, nil, NewKey(t), append([]Edit{Authority}, edits...)...)
}

// Server makes a certificate for localhost, 127.0.0.1 and ::1, signed by
// issuer; nil is a certificate that signs itself.
func Server(t testing.TB, issuer *Pair, edits ...Edit) *Pair {
	return Sign(t, issuer, NewKey(t), edits...)
}

// Intermediate makes an authority that issuer signs.
func Intermediate(t testing.TB, issuer *Pair, edits ...Edit) *Pair {
	return Sign(t, issuer, NewKey(t), append([]Edit{Authority}, edits...)...)
}

// Sign makes a certificate of key, signed by issuer; nil is by key itself. It
// is a server's and valid from an hour ago for a day, but for the edits.
func Sign(t testing.TB, issuer *Pair, key crypto.Signer, edits ...Edit) *Pair {
	t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: "test " + serial.Text(36)},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		DNSNames:              []string{"localhost"},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	for _, edit := range edits {
		edit(template)
	}
	parent, signer := template, key
	if issuer != nil {
		parent, signer = issuer.Cert, issuer.Key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return &Pair{Cert: cert, Key: key}
}

// NewKey makes a key of P-256.
func NewKey(t testing.TB) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return key
}

// Authority is the Edit that makes an authority.
func Authority(c *x509.Certificate) {
	c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
	c.ExtKeyUsage, c.DNSNames, c.IPAddresses = nil, nil, nil
}

// Expired is the Edit of a certificate whose time is over.
func Expired(c *x509.Certificate) {
	c.NotBefore, c.NotAfter = time.Now().Add(-48*time.Hour), time.Now().Add(-24*time.Hour)
}

// For is the Edit of a certificate for these DNS names alone.
func For(names ...string) Edit {
	return func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = names, nil }
}

// TLS is p and the certificates of others, in this order, as a server has it.
func (p *Pair) TLS(others ...*Pair) tls.Certificate {
	out := tls.Certificate{PrivateKey: p.Key, Certificate: [][]byte{p.Cert.Raw}}
	for _, o := range others {
		out.Certificate = append(out.Certificate, o.Cert.Raw)
	}
	return out
}
