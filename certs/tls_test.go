package certs_test

import (
	"context"
	"crypto/tls"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/certs"
	"github.com/hawser/hawser/internal/testcert"
)

// tlsAddr is where the TLS server of a test is said to be.
const tlsAddr = "files.example.com:990"

// trusting returns a connection that trusts the authorities of roots, or those of
// this machine.
func trusting(t testing.TB, roots ...*testcert.Pair) hawser.Connection {
	t.Helper()
	c := hawser.Connection{Name: "files", Protocol: hawser.FTP, Host: "files.example.com"}
	c.TLS.Mode = hawser.TLSImplicit
	if len(roots) > 0 {
		c.TLS.Roots = testcert.File(t, "roots.pem", testcert.PEM(roots...))
	}
	return c
}

// meet has v judge who presents cert in a handshake over real bytes, under
// tlsAddr and the name localhost.
func meet(t testing.TB, v hawser.Verifier, c hawser.Connection, cert tls.Certificate) error {
	t.Helper()
	return meetAs(t, v, c, hawser.Peer{Addr: tlsAddr, ServerName: "localhost"}, &tls.Config{Certificates: []tls.Certificate{cert}})
}

func meetAs(t testing.TB, v hawser.Verifier, c hawser.Connection, p hawser.Peer, server *tls.Config) error {
	t.Helper()
	called := false
	_, err, _ := testcert.Handshake(t, server, &tls.Config{
		ServerName:         p.ServerName,
		InsecureSkipVerify: true,
		MinVersion:         tls.VersionTLS10,
		VerifyConnection: func(cs tls.ConnectionState) error {
			called = true
			p.TLS = &cs
			return v.Verify(context.WithoutCancel(t.Context()), c, p)
		},
	})
	require.True(t, called, "the handshake did not come to the certificate: %v", err)
	return err
}

// printOf is the fingerprint of the certificate of p.
func printOf(p *testcert.Pair) string { return certs.Fingerprint(p.Cert) }

// anomalies returns what findings are, without repetition.
func anomalies(findings []certs.Finding) []hawser.Anomaly {
	var found []hawser.Anomaly
	seen := map[hawser.Anomaly]bool{}
	for _, f := range findings {
		if !seen[f.Anomaly] {
			seen[f.Anomaly] = true
			found = append(found, f.Anomaly)
		}
	}
	return found
}
