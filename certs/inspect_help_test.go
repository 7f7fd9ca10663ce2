package certs_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/certs"
	"github.com/hawser/hawser/internal/testcert"
)

// A sight is a server, and what a client of it inspects it by.
type sight struct {
	chain      []*testcert.Pair // the server's own first
	roots      *x509.CertPool
	name       string // "" is localhost
	noName     bool
	staple     []byte
	maxVersion uint16 // of the server; 0 is any
	suites     []uint16
	options    certs.InspectOptions // but for Roots
}

// shake returns the state that a client's VerifyConnection sees, and what
// Inspect returns there.
func (s sight) shake(t testing.TB) (tls.ConnectionState, []certs.Finding) {
	t.Helper()
	own := s.chain[0].TLS(s.chain[1:]...)
	own.OCSPStaple = s.staple
	server := &tls.Config{
		Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS10, MaxVersion: s.maxVersion, CipherSuites: s.suites,
	}
	var state tls.ConnectionState
	var found []certs.Finding
	client := &tls.Config{
		ServerName: "localhost", InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, CipherSuites: s.suites,
		VerifyConnection: func(cs tls.ConnectionState) error {
			state, found = cs, s.inspect(cs)
			return nil
		},
	}
	_, err, _ := testcert.Handshake(t, server, client)
	require.NoError(t, err)
	return state, found
}

func (s sight) inspect(cs tls.ConnectionState) []certs.Finding {
	o := s.options
	o.Roots = s.roots
	return certs.Inspect(cs, s.named(), o)
}

// inspectOnPlatform is inspect where the roots are a platform's, which a test
// cannot have: see standIn.
func (s sight) inspectOnPlatform(cs tls.ConnectionState) []certs.Finding {
	return certs.InspectOnPlatform(cs, s.named(), s.options, standIn(s.roots))
}

func (s sight) named() string {
	if s.name == "" && !s.noName {
		return "localhost"
	}
	return s.name
}

// state is what shake sees, without the handshake.
func (s sight) state() tls.ConnectionState {
	cs := tls.ConnectionState{Version: tls.VersionTLS13, CipherSuite: tls.TLS_AES_128_GCM_SHA256, OCSPResponse: s.staple}
	for _, p := range s.chain {
		cs.PeerCertificates = append(cs.PeerCertificates, p.Cert)
	}
	return cs
}

// standIn is a platform's verifier as those of Windows and macOS are: it reads
// the bytes of certificates alone, returns certificates of its own making, and
// has one error for everything.
func standIn(roots *x509.CertPool) func([]*x509.Certificate, x509.VerifyOptions) ([][]*x509.Certificate, error) {
	return func(path []*x509.Certificate, o x509.VerifyOptions) ([][]*x509.Certificate, error) {
		refused := errors.New("the platform does not trust it")
		var again []*x509.Certificate
		for _, c := range path {
			d, err := x509.ParseCertificate(c.Raw)
			if err != nil {
				return nil, refused
			}
			again = append(again, d)
		}
		if o.Roots == nil {
			o.Roots = roots
		}
		o.Intermediates = x509.NewCertPool()
		for _, c := range again[1:] {
			o.Intermediates.AddCert(c)
		}
		chains, err := again[0].Verify(o)
		if err != nil {
			return nil, refused
		}
		for _, chain := range chains {
			for i, c := range chain {
				if chain[i], err = x509.ParseCertificate(c.Raw); err != nil {
					return nil, refused
				}
			}
		}
		return chains, nil
	}
}

// plainVerify is Go's verifier, as Windows and macOS have it for roots of a file.
func plainVerify(path []*x509.Certificate, o x509.VerifyOptions) ([][]*x509.Certificate, error) {
	o.Intermediates = x509.NewCertPool()
	for _, c := range path[1:] {
		o.Intermediates.AddCert(c)
	}
	return path[0].Verify(o)
}

// report is findings in short, such as "expired@0 weak-key@1".
func report(found []certs.Finding) string {
	list := make([]string, len(found))
	for i, f := range found {
		list[i] = fmt.Sprintf("%s@%d", f.Anomaly, f.Index)
	}
	return strings.Join(list, " ")
}

// wellFormed holds for every list of findings.
func wellFormed(t testing.TB, cs tls.ConnectionState, found []certs.Finding) {
	t.Helper()
	order := make(map[hawser.Anomaly]int)
	for i, a := range hawser.Anomalies() {
		order[a] = i
	}
	for i, f := range found {
		require.Contains(t, order, f.Anomaly)
		require.NotEmpty(t, f.Detail)
		require.Equal(t, hawser.Printable(f.Detail), f.Detail)
		require.NotContains(t, f.Detail, "\n")
		require.LessOrEqual(t, utf8.RuneCountInString(f.Detail), 2000)
		switch {
		case f.Index < 0:
			require.Nil(t, f.Cert)
		case f.Index < len(cs.PeerCertificates):
			require.Equal(t, cs.PeerCertificates[f.Index].Raw, f.Cert.Raw)
		default:
			require.NotNil(t, f.Cert)
		}
		if i > 0 {
			before := found[i-1]
			require.True(t, before.Index < f.Index || before.Index == f.Index && order[before.Anomaly] < order[f.Anomaly], "%s", report(found))
		}
	}
}

// denied reports whether found says that no trusted root vouches for the chain.
func denied(found []certs.Finding) bool {
	for _, f := range found {
		if certs.DeniesAuthority(f.Anomaly) {
			return true
		}
	}
	return false
}

// verified is what crypto/x509 says of what was presented.
func verified(cs tls.ConnectionState, name string, o certs.InspectOptions) error {
	pool := x509.NewCertPool()
	for _, c := range cs.PeerCertificates[1:] {
		pool.AddCert(c)
	}
	leaf := cs.PeerCertificates[0]
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: o.Roots, Intermediates: pool, CurrentTime: o.Now}); err != nil {
		return err
	}
	return leaf.VerifyHostname(name)
}

// impostor signs in the name of p, key id and all, with another key.
func impostor(t testing.TB, p *testcert.Pair) *testcert.Pair {
	t.Helper()
	c, key := *p.Cert, testcert.NewKey(t)
	c.PublicKey = key.Public()
	return &testcert.Pair{Cert: &c, Key: key}
}

// sign signs with ECDSA and SHA-256.
func sign(t testing.TB, key crypto.Signer, text []byte) []byte {
	t.Helper()
	sum := sha256.Sum256(text)
	signature, err := key.Sign(rand.Reader, sum[:], crypto.SHA256)
	require.NoError(t, err)
	return signature
}

func rsaKey(t testing.TB, bits int) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	require.NoError(t, err)
	return key
}

// Edits of certificates.

func valid(from, to time.Duration) testcert.Edit {
	return func(c *x509.Certificate) { c.NotBefore, c.NotAfter = time.Now().Add(from), time.Now().Add(to) }
}

func future(c *x509.Certificate) { valid(time.Hour, 48*time.Hour)(c) }

func withSHA1(c *x509.Certificate) { c.SignatureAlgorithm = x509.ECDSAWithSHA1 }

func usage(u ...x509.ExtKeyUsage) testcert.Edit {
	return func(c *x509.Certificate) { c.ExtKeyUsage = u }
}

func withName(name string) testcert.Edit {
	return func(c *x509.Certificate) { c.Subject.CommonName = name }
}

func permit(domain string) testcert.Edit {
	return func(c *x509.Certificate) {
		c.PermittedDNSDomainsCritical, c.PermittedDNSDomains = true, []string{domain}
	}
}

// TestReport is about the tests: report must tell apart what they compare.
func TestInspectReportTellsKindsAndPlacesApart(t *testing.T) {
	t.Parallel()
	assert.Empty(t, report(nil))
	assert.Equal(t, "expired@0 weak-protocol@-1", report([]certs.Finding{{Anomaly: hawser.Expired}, {Anomaly: hawser.WeakProtocol, Index: -1}}))
}
