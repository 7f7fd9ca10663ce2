package certs_test

import (
	"crypto/fips140"
	"crypto/x509"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ocsp"

	"github.com/hawser/hawser/internal/testcert"
)

// Under strict FIPS 140 rules package sha1 panics, and a server that presents a
// SHA-1 signature must not be able to end the process.
func TestInspectUnderStrictFIPSRules(t *testing.T) {
	if !fips140.Enforced() {
		again := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		again.Env = append(os.Environ(), "GODEBUG=fips140=only")
		out, err := again.CombinedOutput()
		require.NoError(t, err, "%s", out)
		assert.Contains(t, string(out), "weak-signature@0", "it did not run")
		return
	}
	var w revocationWorld
	sights := make(map[string]sight)
	fips140.WithoutEnforcement(func() {
		w = newRevocationWorld(t)
		sights[""] = w.stapling(response(t, w.inter, w.server))
		sights["revocation-unknown@0"] = w.stapling(response(t, w.inter, w.server, func(r *ocsp.Response) { r.SignatureAlgorithm = x509.ECDSAWithSHA1 }),
			editedCRL(t, w.inter, func(l *x509.RevocationList) { l.SignatureAlgorithm = x509.ECDSAWithSHA1 }))
		sights["expired@0"] = w.under(w.inter)(t, testcert.Expired, valid(-1e12, -1e11))
		sights["unknown-authority@0 weak-signature@0"] = w.under(w.inter)(t, withSHA1)
		short := testcert.Sign(t, w.root, rsaKey(t, 1024), testcert.Authority)
		sights["unknown-authority@0 weak-key@1"] = w.under(short)(t)
	})
	for want, s := range sights {
		found := s.inspect(s.state())
		t.Logf("%q", report(found))
		assert.Equal(t, want, report(found), "%q", details(found))
	}
}
