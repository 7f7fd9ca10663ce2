package certs_test

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/hawser/hawser/internal/testcert"
)

func kindsOfTime(t testing.TB, w kindWorld) []kindRow {
	under := w.under(w.inter)
	past := testcert.Intermediate(t, w.root, valid(-48*time.Hour, -30*time.Minute))
	oldRoot := testcert.Root(t, testcert.Expired)
	oldInter := testcert.Intermediate(t, oldRoot)
	newRoot := testcert.Root(t, future)
	early := sight{chain: []*testcert.Pair{testcert.Server(t, newRoot, testcert.Expired)}, roots: testcert.Pool(newRoot)}
	early.options.Now = time.Now().Add(2 * time.Hour)
	late := under(t)
	late.options.Now = time.Now().Add(2000 * time.Hour)
	return []kindRow{
		{name: "good", sight: under(t)},
		{"expired", "expired@0", "", under(t, testcert.Expired)},
		{"not yet valid", "not-yet-valid@0", "", under(t, future)},
		{"expired intermediate", "expired@1", "", w.under(past)(t)},
		{"expired both", "expired@0 expired@1", "", w.under(past)(t, testcert.Expired)},
		{"expired, and its intermediate not valid at that time", "expired@0", "expired@0 unknown-authority@1", under(t, valid(-200*time.Hour, -150*time.Hour))},
		{"everything expired by InspectOptions.Now", "expired@0 expired@1 expired@2", "", late},
		{"expired before its root was valid", "expired@0", "expired@0 unknown-authority@0 missing-intermediate@0", early},
		{
			"expired root that is not presented", "expired@2", "unknown-authority@1",
			sight{chain: []*testcert.Pair{testcert.Server(t, oldInter), oldInter}, roots: testcert.Pool(oldRoot)},
		},
		{
			"expired root that is presented", "expired@1", "expired@1 unknown-authority@1",
			sight{chain: []*testcert.Pair{testcert.Server(t, oldRoot), oldRoot}, roots: testcert.Pool(oldRoot)},
		},
		{
			"expired with its root", "expired@0 expired@1", "",
			sight{chain: []*testcert.Pair{testcert.Server(t, oldRoot, testcert.Expired), oldRoot}, roots: testcert.Pool(oldRoot)},
		},
		{"root that is not yet valid", "not-yet-valid@1", "unknown-authority@0 missing-intermediate@0", sight{chain: []*testcert.Pair{testcert.Server(t, newRoot)}, roots: testcert.Pool(newRoot)}},
	}
}

func kindsOfAuthority(t testing.TB, w kindWorld) []kindRow {
	under := w.under(w.inter)
	selfSigned := testcert.Server(t, nil)
	named := func(c *x509.Certificate) { c.IssuingCertificateURL = []string{"http://aia.example/i.cer"} }
	otherInter := testcert.Intermediate(t, w.other)
	alone := sight{chain: []*testcert.Pair{testcert.Server(t, w.inter)}, roots: w.roots}
	namesake := testcert.Server(t, nil, withName("me"))
	rekeyed := testcert.Server(t, testcert.Root(t, withName("me")), withName("me"), func(c *x509.Certificate) {
		c.SubjectKeyId, c.AuthorityKeyId = []byte{1}, []byte{2}
	})
	noCA := testcert.Server(t, nil, withName("no authority"))
	unfit := sight{chain: []*testcert.Pair{testcert.Server(t, noCA)}, roots: testcert.Pool(noCA)}
	unfitShown := sight{chain: []*testcert.Pair{unfit.chain[0], noCA}, roots: unfit.roots}
	v1 := version1(t, w.root, w.root)
	oldStyle := sight{chain: []*testcert.Pair{testcert.Server(t, v1)}, roots: testcert.Pool(v1)}
	oldStyleExpired := sight{chain: []*testcert.Pair{testcert.Server(t, v1, testcert.Expired)}, roots: testcert.Pool(v1)}
	return []kindRow{
		{"superfluous and misordered", "", "", sight{chain: []*testcert.Pair{testcert.Server(t, w.inter), w.root, otherInter, w.inter, w.inter}, roots: w.roots}},
		{"self-signed", "self-signed@0", "", sight{chain: []*testcert.Pair{selfSigned}, roots: w.roots}},
		{"self-signed that is a root", "", "", sight{chain: []*testcert.Pair{selfSigned}, roots: testcert.Pool(selfSigned)}},
		{"a root that somebody else signed", "", "", sight{chain: alone.chain, roots: testcert.Pool(alone.chain[0])}},
		{"unknown root, presented", "unknown-authority@1", "", w.under(w.other)(t)},
		{"unknown root, and one of its name", "unknown-authority@1", "", w.under(w.other, testcert.Root(t, withName("other")))(t)},
		{"self-signed, and one of its name", "self-signed@0", "", sight{chain: []*testcert.Pair{namesake, testcert.Server(t, nil, withName("me"))}, roots: w.roots}},
		{"self-signed and garbled", "bad-signature@0", "", sight{chain: []*testcert.Pair{garbled(t, selfSigned)}, roots: w.roots}},
		{"of its own name and another key", "unknown-authority@0 missing-intermediate@0", "", sight{chain: []*testcert.Pair{rekeyed}, roots: w.roots}},
		{"of a root that is no authority, not presented", "unknown-authority@0", "unknown-authority@0 missing-intermediate@0", unfit},
		{"of a root that is no authority, presented", "unknown-authority@1 basic-constraints@1", "", unfitShown},
		{"of a root of version 1", "", "", oldStyle},
		{"of a root of version 1, and expired", "expired@0", "", oldStyleExpired},
		{"of an intermediate of version 1", "basic-constraints@1", "unknown-authority@1 basic-constraints@1", w.under(version1(t, w.inter, w.root))(t)},
		{"unknown root, not presented", "unknown-authority@1", "", w.under(otherInter)(t)},
		{"unknown root above an intermediate", "unknown-authority@2", "", w.under(otherInter, w.other)(t)},
		{"missing intermediate, alone", "unknown-authority@0 missing-intermediate@0", "", alone},
		{
			"missing intermediate by its URL", "unknown-authority@0 missing-intermediate@0", "",
			sight{chain: []*testcert.Pair{testcert.Server(t, w.inter, named), w.other}, roots: w.roots},
		},
		{
			"missing one in the middle", "unknown-authority@0", "",
			sight{chain: []*testcert.Pair{testcert.Server(t, w.inter), w.root}, roots: w.roots},
		},
		{"good, and the system's roots", "unknown-authority@1", "", func() sight { s := under(t); s.roots = testcert.Pool(w.other); return s }()},
	}
}

func kindsOfIssuers(t testing.TB, w kindWorld) []kindRow {
	forgedInter, forgedRoot := impostor(t, w.inter), impostor(t, w.root)
	badInter := testcert.Intermediate(t, forgedRoot)
	server := testcert.Server(t, w.root)
	noSigner := testcert.Intermediate(t, w.root, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign })
	short := testcert.Intermediate(t, w.root, valid(-100*time.Hour, 100*time.Hour), func(c *x509.Certificate) { c.MaxPathLenZero = true })
	below := testcert.Intermediate(t, short)
	constrained := testcert.Intermediate(t, w.root, permit("example.com"))
	shortRoot := testcert.Root(t, func(c *x509.Certificate) { c.MaxPathLenZero = true })
	under := testcert.Intermediate(t, shortRoot)
	permitted := w.under(constrained)(t, testcert.For("a.example.com"))
	permitted.name = "a.example.com"
	clients := testcert.Intermediate(t, w.root, usage(x509.ExtKeyUsageClientAuth))
	clientRoot := testcert.Root(t, usage(x509.ExtKeyUsageClientAuth))
	policed := w.under(testcert.Intermediate(t, w.root, explicitPolicy))(t)
	strange := testcert.Intermediate(t, w.root, strangeExtension)
	return []kindRow{
		{"forged", "bad-signature@0", "bad-signature@0 unknown-authority@1", sight{chain: []*testcert.Pair{testcert.Server(t, forgedInter), w.inter}, roots: w.roots}},
		{
			"forged, by name of a root", "bad-signature@0", "unknown-authority@0 missing-intermediate@0",
			sight{chain: []*testcert.Pair{testcert.Server(t, forgedRoot)}, roots: w.roots},
		},
		{
			"forged, by name of a root that is presented", "bad-signature@0", "bad-signature@0 unknown-authority@1",
			sight{chain: []*testcert.Pair{testcert.Server(t, forgedRoot), w.root}, roots: w.roots},
		},
		{"forged intermediate", "bad-signature@1", "unknown-authority@1", sight{chain: []*testcert.Pair{testcert.Server(t, badInter), badInter}, roots: w.roots}},
		{"issuer that is a server", "basic-constraints@1", "unknown-authority@1 basic-constraints@1", w.under(server)(t)},
		{"issuer that is a server, and expired", "expired@0 basic-constraints@1", "expired@0 unknown-authority@1 basic-constraints@1", w.under(server)(t, testcert.Expired)},
		{"issuer that may not sign", "basic-constraints@1", "unknown-authority@1 basic-constraints@1", w.under(noSigner)(t)},
		{"path too long", "basic-constraints@2", "unknown-authority@2 basic-constraints@2", w.under(below, short)(t)},
		{
			"path too long for a root", "basic-constraints@2", "unknown-authority@1",
			sight{chain: []*testcert.Pair{testcert.Server(t, under), under}, roots: testcert.Pool(shortRoot)},
		},
		{"name constraints", "name-constraints@0", "name-constraints@0 unknown-authority@1", w.under(constrained)(t)},
		{"name constraints that permit", "", "", permitted},
		{"path as long as it may be, and expired", "expired@0", "", w.under(short)(t, testcert.Expired)},
		{"wrong usage of an intermediate", "wrong-usage@1", "", w.under(clients)(t)},
		{"wrong usage of a root", "wrong-usage@1", "", sight{chain: []*testcert.Pair{testcert.Server(t, clientRoot)}, roots: testcert.Pool(clientRoot)}},
		{"policies that are not met", "unknown-authority@2", "unknown-authority@1", policed},
		{"critical extension of an intermediate", "critical-extension@1", "unknown-authority@1 critical-extension@1", w.under(strange)(t)},
	}
}

// strangeExtension is a critical one of a number that is an example's
// (RFC 5612).
func strangeExtension(c *x509.Certificate) {
	c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 32473, 1}, Critical: true, Value: []byte{5, 0}}}
}

// explicitPolicy is the policy constraint that asks for a policy of each
// certificate below.
func explicitPolicy(c *x509.Certificate) {
	c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 36}, Critical: true, Value: []byte{0x30, 3, 0x80, 1, 0}}}
}

func kindsOfNames(t testing.TB, w kindWorld) []kindRow {
	under := w.under(w.inter)
	called := func(name string, edits ...testcert.Edit) sight {
		s := under(t, edits...)
		s.name = name
		return s
	}
	noName := under(t)
	noName.noName = true
	return []kindRow{
		{"another name", "name-mismatch@0", "", called("other.example.com")},
		{"IP address", "", "", called("127.0.0.1")},
		{"IP address in brackets", "", "", called("[::1]")},
		{"another IP address", "name-mismatch@0", "", called("127.0.0.2")},
		{"IP address as DNS name", "name-mismatch@0", "", called("127.0.0.2", testcert.For("127.0.0.2"))},
		{"common name alone", "name-mismatch@0", "", called("localhost", withName("localhost"), testcert.For())},
		{"wildcard", "", "", called("a.example.com", testcert.For("*.example.com"))},
		{"no name", "name-mismatch@0", "", noName},
	}
}

func kindsOfWeakness(t testing.TB, w kindWorld) []kindRow {
	under := w.under(w.inter)
	short, long := rsaKey(t, 1024), rsaKey(t, 2048)
	weakServer := testcert.Sign(t, w.inter, short)
	weakInter := testcert.Sign(t, w.root, short, testcert.Authority)
	weakRoot := testcert.Sign(t, nil, short, testcert.Authority)
	rsaInter := testcert.Sign(t, w.root, long, testcert.Authority)
	tiny := tinyKey(t, testcert.Sign(t, w.root, long, testcert.Authority), w.root)
	md5Root := testcert.Sign(t, nil, long, testcert.Authority)
	sha1Root := testcert.Root(t, withSHA1)
	sha1Inter := testcert.Intermediate(t, w.root, withSHA1)
	old, kex := under(t), under(t)
	old.maxVersion = tls.VersionTLS10
	kex.chain = []*testcert.Pair{testcert.Sign(t, w.inter, long, func(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageKeyEncipherment }), w.inter}
	kex.maxVersion, kex.suites = tls.VersionTLS12, []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256}
	return []kindRow{
		{"SHA-1", "weak-signature@0", "weak-signature@0 unknown-authority@1", under(t, withSHA1)},
		{"SHA-1 with RSA", "weak-signature@0", "weak-signature@0 unknown-authority@1", w.under(rsaInter)(t, func(c *x509.Certificate) { c.SignatureAlgorithm = x509.SHA1WithRSA })},
		{"an issuer's key that nobody verifies with", "unknown-authority@0 weak-key@1", "unknown-authority@0 unknown-authority@1 weak-key@1", w.under(tiny)(t)},
		{"SHA-1 by a root that is presented", "weak-signature@0", "weak-signature@0 unknown-authority@1", w.under(w.root)(t, withSHA1)},
		{
			"SHA-1 by a root that is not presented", "unknown-authority@0 weak-signature@0", "unknown-authority@0 missing-intermediate@0 weak-signature@0",
			sight{chain: []*testcert.Pair{testcert.Server(t, w.root, withSHA1)}, roots: w.roots},
		},
		{"SHA-1 of an intermediate, and root presented", "weak-signature@1", "weak-signature@1 unknown-authority@2", w.under(sha1Inter, w.root)(t)},
		{"SHA-1 of a root itself", "", "", sight{chain: []*testcert.Pair{testcert.Server(t, sha1Root), sha1Root}, roots: testcert.Pool(sha1Root)}},
		{"SHA-1 of an unknown root itself", "unknown-authority@1 weak-signature@1", "", w.under(sha1Root)(t)},
		{
			"MD5", "unknown-authority@0 weak-signature@0", "unknown-authority@0 weak-signature@0 unknown-authority@1",
			sight{chain: []*testcert.Pair{withMD5(t, md5Root), md5Root}, roots: testcert.Pool(md5Root)},
		},
		{"short key", "weak-key@0", "", sight{chain: []*testcert.Pair{weakServer, w.inter}, roots: w.roots}},
		{"short key of an intermediate", "weak-key@1", "", w.under(weakInter)(t)},
		{"short key of a root", "weak-key@1", "", sight{chain: []*testcert.Pair{testcert.Server(t, weakRoot)}, roots: testcert.Pool(weakRoot)}},
		{"wrong usage", "wrong-usage@0", "", under(t, usage(x509.ExtKeyUsageClientAuth))},
		{"unknown usage alone", "wrong-usage@0", "", under(t, usage(), func(c *x509.Certificate) {
			c.UnknownExtKeyUsage = []asn1.ObjectIdentifier{{1, 3, 6, 1, 4, 1, 32473, 2}}
		})},
		{"any usage", "", "", under(t, usage(x509.ExtKeyUsageAny))},
		{"any usage, and expired", "expired@0", "", under(t, usage(x509.ExtKeyUsageAny), testcert.Expired)},
		{"no usage", "", "", under(t, usage())},
		{"critical extension", "critical-extension@0", "critical-extension@0 unknown-authority@1", under(t, strangeExtension)},
		{"TLS 1.0", "weak-protocol@-1", "", old},
		{"RSA key exchange", "weak-protocol@-1", "", kex},
	}
}

func kindsOfRevocation(t testing.TB, w kindWorld) []kindRow {
	server := testcert.Server(t, w.inter)
	good := sight{chain: []*testcert.Pair{server, w.inter}, roots: w.roots}
	asked := w.under(w.inter)(t, func(c *x509.Certificate) { c.OCSPServer = []string{"http://ocsp.example"} })
	asked.options.Revocation = true
	listed, stapled, interListed := good, good, good
	listed.options.CRLs = []*x509.RevocationList{crl(t, w.inter, server)}
	stapled.staple = response(t, w.inter, server, func(r *ocsp.Response) { r.Status = ocsp.Revoked })
	interListed.options.CRLs = []*x509.RevocationList{crl(t, w.root, w.inter)}
	return []kindRow{
		{"revoked by a CRL", "revoked@0", "", listed},
		{"revoked by the stapled response", "revoked@0", "", stapled},
		{"revoked intermediate", "revoked@1", "", interListed},
		{"no answer to be had", "revocation-unknown@0", "", asked},
	}
}
