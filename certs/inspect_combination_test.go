package certs_test

import (
	"crypto/tls"
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/hawser/hawser/internal/testcert"
)

// A defect is one of those that can all be there at once, and what is reported
// of it, in the order of reports.
type defect int

const (
	oldProtocol defect = 1 << iota
	expiredServer
	wrongName
	wrongUsage
	sha1Server
	shortKey
	revokedServer
	expiredIssuer
	unknownRoot

	allDefects
)

var defectReports = []string{
	"weak-protocol@-1", "expired@0", "name-mismatch@0", "wrong-usage@0", "weak-signature@0", "weak-key@0", "revoked@0", "expired@1", "unknown-authority@1",
}

func (d defect) report() string {
	var list []string
	for i, r := range defectReports {
		if d&(1<<i) != 0 {
			list = append(list, r)
		}
	}
	return strings.Join(list, " ")
}

// A defectWorld holds the issuers of each kind, all of one name and key, so that
// one CRL is of all of them.
type defectWorld struct {
	roots   *x509.CertPool
	issuers map[defect]*testcert.Pair // by expiredIssuer and unknownRoot
	short   *testcert.Pair            // of which the key is used
}

func newDefectWorld(t testing.TB) defectWorld {
	long := valid(-1000*time.Hour, 1000*time.Hour)
	root, other, key := testcert.Root(t, long), testcert.Root(t, long), testcert.NewKey(t)
	w := defectWorld{testcert.Pool(root), make(map[defect]*testcert.Pair), testcert.Sign(t, nil, rsaKey(t, 1024))}
	for _, d := range []defect{0, expiredIssuer, unknownRoot, expiredIssuer | unknownRoot} {
		above, validity := root, long
		if d&unknownRoot != 0 {
			above = other
		}
		if d&expiredIssuer != 0 {
			validity = valid(-900*time.Hour, -30*time.Minute)
		}
		w.issuers[d] = testcert.Sign(t, above, key, testcert.Authority, withName("inter"), validity)
	}
	return w
}

func (w defectWorld) sight(t testing.TB, d defect) sight {
	issuer := w.issuers[d&(expiredIssuer|unknownRoot)]
	key := testcert.NewKey(t)
	if d&shortKey != 0 {
		key = w.short.Key
	}
	server := testcert.Sign(t, issuer, key, func(c *x509.Certificate) {
		c.NotBefore = time.Now().Add(-2 * time.Hour)
		if d&expiredServer != 0 {
			c.NotAfter = time.Now().Add(-time.Hour)
		}
		if d&wrongUsage != 0 {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		}
		if d&sha1Server != 0 {
			withSHA1(c)
		}
	})
	s := sight{chain: []*testcert.Pair{server, issuer}, roots: w.roots}
	if d&wrongName != 0 {
		s.name = "other.example.com"
	}
	if d&oldProtocol != 0 {
		s.maxVersion = tls.VersionTLS10
	}
	s.options.CRLs = []*x509.RevocationList{crl(t, issuer)}
	if d&revokedServer != 0 {
		s.options.CRLs = []*x509.RevocationList{crl(t, issuer, server)}
	}
	return s
}

// Every combination of nine defects: what is reported is what was done. On a
// platform that verifies by itself, SHA-1 is of unknown authority too.
func TestInspectReportsEveryCombinationOfDefects(t *testing.T) {
	t.Parallel()
	w := newDefectWorld(t)
	wrong := 0
	for d := range allDefects {
		s := w.sight(t, d)
		cs, found := s.shake(t)
		wellFormed(t, cs, found)
		onPlatform := d
		if d&sha1Server != 0 {
			onPlatform |= unknownRoot
		}
		ok := assert.Equal(t, d.report(), report(found), "%q", details(found))
		ok = assert.Equal(t, onPlatform.report(), report(s.inspectOnPlatform(cs)), "on a platform that verifies by itself") && ok
		if !ok {
			wrong++
		}
	}
	t.Logf("%d combinations of %d defects, wrong: %d", allDefects, len(defectReports), wrong)
}
