package ftp_test

import (
	"crypto/x509"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/ftp"
	"github.com/hawser/hawser/internal/testcert"
	"github.com/hawser/hawser/internal/testserver"
)

// forClients is the Edit of a client's certificate.
func forClients(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }

// withCertificate gives c the certificate of p.
func withCertificate(t *testing.T, c hawser.Connection, p *testcert.Pair) hawser.Connection {
	c.TLS.Certificate.File = testcert.File(t, "client.pem", append(testcert.PEM(p), testcert.KeyPEM(t, p)...))
	return c
}

func TestClientCertificate(t *testing.T) {
	t.Parallel()
	authority := testcert.Root(t)
	good := testcert.Server(t, authority, forClients)
	other := testcert.Server(t, testcert.Root(t), forClients)
	clientCA := testcert.File(t, "clients.pem", testcert.PEM(authority))
	for name, serve := range realServers() {
		for _, mode := range []hawser.TLSMode{hawser.TLSExplicit, hawser.TLSImplicit} {
			for _, version := range []string{"1.2", "1.3"} {
				t.Run(name+" "+string(mode)+" "+version, func(t *testing.T) {
					t.Parallel()
					c := to(serve(t, testserver.FTPServerConfig{TLS: string(mode), ClientCA: clientCA}))
					c.TLS.Mode, c.TLS.MinVersion, c.TLS.MaxVersion = mode, version, version

					s := open(t, withCertificate(t, c, good))
					data := content(300_000)
					upload(t, s, "file", data)
					assert.Equal(t, data, download(t, s, "file"), "data connections show the certificate too")

					_, err := ftp.Dialer{}.Open(t.Context(), c)
					require.ErrorIs(t, err, hawser.ErrAuth, "without one")
					require.ErrorContains(t, err, "set tls.certificate")

					_, err = ftp.Dialer{}.Open(t.Context(), withCertificate(t, c, other))
					require.ErrorIs(t, err, hawser.ErrAuth, "of another authority")
					require.ErrorContains(t, err, other.Cert.Subject.CommonName)
				})
			}
		}
	}
}
