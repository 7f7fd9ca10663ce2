package testserver

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"
)

// Identity is what a server of TLS presents, and the authority that vouches for it. A test that wants a certificate
// with something wrong fills it with what internal/testcert makes; [NewIdentity] wants no testing.TB.
type Identity struct {
	// Certificate may have its chain, and its Leaf need not be set.
	Certificate tls.Certificate
	CA          *x509.Certificate
}

// NewIdentity makes an authority, and a certificate of it for localhost, 127.0.0.1 and ::1 that is valid for a day.
func NewIdentity() (*Identity, error) {
	authority := certificate("hawser test authority")
	authority.IsCA, authority.KeyUsage = true, x509.KeyUsageCertSign
	ca, caKey, err := sign(authority, authority, nil)
	if err != nil {
		return nil, err
	}
	own := certificate("localhost")
	own.KeyUsage, own.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	own.DNSNames, own.IPAddresses = []string{"localhost"}, []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	leaf, key, err := sign(own, ca, caKey)
	if err != nil {
		return nil, err
	}
	presented := tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}
	return &Identity{Certificate: presented, CA: ca}, nil
}

func certificate(name string) *x509.Certificate {
	return &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
}

// sign makes a key and its certificate. A nil parentKey is the new one.
func sign(template, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("testserver: certificate: %w", err)
	}
	if parentKey == nil {
		parentKey = key
	}
	template.SerialNumber, err = rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		return nil, nil, fmt.Errorf("testserver: certificate: %w", err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
	if err != nil {
		return nil, nil, fmt.Errorf("testserver: certificate: %w", err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, fmt.Errorf("testserver: certificate: %w", err)
	}
	return made, key, nil
}

// Pool holds the authority.
func (id *Identity) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(id.CA)
	return pool
}

// PEM is the authority, for a file that clients trust.
func (id *Identity) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: id.CA.Raw})
}
