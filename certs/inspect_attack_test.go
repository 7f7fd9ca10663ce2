package certs_test

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser/certs"
	"github.com/hawser/hawser/internal/testcert"
)

// An attackWorld has what anybody who attacks has: the certificates of good
// authorities, keys of his own, and a good certificate for a name of his own.
type attackWorld struct {
	kindWorld
	evil *testcert.Pair
}

func newAttackWorld(t testing.TB) attackWorld {
	w := newKindWorld(t)
	return attackWorld{w, testcert.Server(t, w.inter, testcert.For("evil.example.com"))}
}

func (w attackWorld) shows(chain ...*testcert.Pair) sight { return sight{chain: chain, roots: w.roots} }

// garbled is p with another signature.
func garbled(t testing.TB, p *testcert.Pair) *testcert.Pair {
	t.Helper()
	der := bytes.Clone(p.Cert.Raw)
	der[len(der)-1] ^= 1
	c, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return &testcert.Pair{Cert: c, Key: p.Key}
}

func withoutSubject(c *x509.Certificate) { c.Subject = pkix.Name{} }

// None of these chains leads to a trusted root. Each is reported as not trusted,
// whatever else is wrong with it, so that whoever allows the rest lets it not in.
func TestInspectNeverMissesThatAChainIsNotTrusted(t *testing.T) {
	t.Parallel()
	w := newAttackWorld(t)
	server := func(issuer *testcert.Pair, edits ...testcert.Edit) *testcert.Pair {
		return testcert.Server(t, issuer, edits...)
	}
	fakeRoot, fakeInter := impostor(t, w.root), impostor(t, w.inter)
	likeRoot := testcert.Root(t, withName("root"), func(c *x509.Certificate) { c.SubjectKeyId = w.root.Cert.SubjectKeyId })
	lateRoot, lateInter := testcert.Root(t, future), testcert.Intermediate(t, w.other, future)
	keyA, keyB := testcert.Root(t, withName("A")), testcert.Root(t, withName("B"))
	aByB := testcert.Sign(t, keyB, keyA.Key, testcert.Authority, withName("A"))
	bByA := testcert.Sign(t, keyA, keyB.Key, testcert.Authority, withName("B"))
	constrained := testcert.Intermediate(t, w.root, permit("evil.example.com"), testcert.Expired, strangeExtension)
	shadow := testcert.Intermediate(t, w.root, permit("evil.example.com"), testcert.Expired, withName("root"))
	constrainedSHA1 := testcert.Intermediate(t, w.root, permit("evil.example.com"), withSHA1)
	below := testcert.Intermediate(t, constrainedSHA1, withSHA1)
	last := testcert.Intermediate(t, w.root, func(c *x509.Certificate) { c.MaxPathLenZero = true })
	tooDeep := testcert.Intermediate(t, last, withSHA1)
	crlOnly := testcert.Intermediate(t, w.root, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign })
	nameless := testcert.Root(t, withoutSubject)
	meshKeys, meshed := mesh(t, 8)
	unknown := server(w.inter)
	unknown.Cert = withUnknownAlgorithm(t, unknown.Cert)
	for name, s := range map[string]sight{
		"expired before its authority was valid":            w.shows(server(lateRoot, testcert.Expired), lateRoot),
		"expired before its authority's authority":          w.shows(server(lateInter, testcert.Expired), lateInter, w.other),
		"expired, and self-signed":                          w.shows(server(nil, testcert.Expired)),
		"in the name of the root":                           w.shows(server(fakeRoot)),
		"in the name of the root, which is sent":            w.shows(server(fakeRoot), w.root),
		"in the name of the intermediate":                   w.shows(server(fakeInter, testcert.Expired), w.inter, w.root),
		"of a root of the same name and key id":             w.shows(server(likeRoot), likeRoot),
		"of a root of the same name, beside it":             w.shows(server(likeRoot), w.root, likeRoot),
		"of a root of the same name, with SHA-1":            w.shows(server(likeRoot, withSHA1), likeRoot, w.root),
		"in the name of the root, with SHA-1":               w.shows(server(fakeRoot, withSHA1), w.root),
		"in the name of the intermediate, with SHA-1":       w.shows(server(fakeInter, withSHA1), w.inter),
		"self-signed, in the name of the root":              w.shows(server(nil, withName("root")), w.root),
		"of two that sign each other":                       w.shows(server(keyA), aByB, bByA),
		"of two that sign each other and themselves":        w.shows(server(keyA), aByB, bByA, keyA, keyB),
		"of one that signs itself twice":                    w.shows(server(keyA), keyA, keyA, testcert.Sign(t, keyA, keyA.Key, testcert.Authority, withName("A"))),
		"signed by a server":                                w.shows(server(w.evil), w.evil, w.inter),
		"signed by a server, with SHA-1":                    w.shows(server(w.evil, withSHA1, testcert.Expired), w.evil, w.inter),
		"signed by an authority that may sign CRLs alone":   w.shows(server(crlOnly, withSHA1), crlOnly),
		"outside of the constraints of an expired, strange": w.shows(server(constrained, testcert.Expired, usage(x509.ExtKeyUsageClientAuth)), constrained),
		"outside of constraints, above SHA-1":               w.shows(server(constrainedSHA1, withSHA1), constrainedSHA1, w.root),
		"outside of constraints, two above SHA-1":           w.shows(server(below, withSHA1), below, constrainedSHA1, w.root),
		"outside of the constraints of a namesake":          w.shows(server(shadow), shadow, w.root),
		"below the last authority, with SHA-1":              w.shows(server(tooDeep, withSHA1), tooDeep, last),
		"of an authority without a name":                    w.shows(server(nameless, withoutSubject), nameless),
		"of one of many namesakes":                          w.shows(append([]*testcert.Pair{server(meshKeys[0])}, meshed...)...),
		"garbled":                                           w.shows(garbled(t, server(w.inter)), w.inter),
		"garbled intermediate":                              w.shows(server(w.inter), garbled(t, w.inter)),
		"signed by an unknown algorithm":                    w.shows(unknown, w.inter),
		"the good one's intermediate, and no root":          {chain: []*testcert.Pair{server(w.inter), w.inter}, roots: x509.NewCertPool()},
		"the good one's intermediate, and the system's":     {chain: []*testcert.Pair{server(w.inter), w.inter, w.root}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cs := s.state()
			require.Error(t, verified(cs, "localhost", certs.InspectOptions{Roots: s.roots}), "the test is to be one of a bad chain")
			for _, order := range []bool{false, true} {
				if order {
					slices.Reverse(cs.PeerCertificates[1:])
				}
				found := s.inspect(cs)
				t.Logf("%-60s | %s", name, report(found))
				wellFormed(t, cs, found)
				assert.True(t, denied(found), "%s %q", report(found), details(found))
				found = s.inspectOnPlatform(cs)
				wellFormed(t, cs, found)
				assert.True(t, denied(found), "on a platform that verifies by itself: %s", report(found))
			}
		})
	}
}

// withUnknownAlgorithm is c, said to be signed with an algorithm that is none.
func withUnknownAlgorithm(t testing.TB, c *x509.Certificate) *x509.Certificate {
	t.Helper()
	ecdsaSHA256 := []byte{0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2}
	der := bytes.ReplaceAll(c.Raw, ecdsaSHA256, []byte{0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 99})
	c, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	require.Equal(t, x509.UnknownSignatureAlgorithm, c.SignatureAlgorithm)
	return c
}

// What is above a SHA-1 signature, which x509 does not follow, is checked like
// anything else.
func TestInspectChecksWhatIsAboveSHA1(t *testing.T) {
	t.Parallel()
	w := newAttackWorld(t)
	inter := func(edits ...testcert.Edit) *testcert.Pair { return testcert.Intermediate(t, w.root, edits...) }
	under := func(issuer *testcert.Pair, above ...*testcert.Pair) sight {
		return w.shows(append([]*testcert.Pair{testcert.Server(t, issuer, withSHA1), issuer}, above...)...)
	}
	short := inter(func(c *x509.Certificate) { c.MaxPathLenZero = true })
	clients := inter(usage(x509.ExtKeyUsageClientAuth))
	for want, s := range map[string]sight{
		"weak-signature@0":                      under(inter()),
		"name-constraints@0 weak-signature@0":   under(inter(permit("example.com"))),
		"weak-signature@0 expired@1":            under(inter(valid(-48*time.Hour, -time.Hour))),
		"weak-signature@0 wrong-usage@1":        under(clients),
		"weak-signature@0 basic-constraints@1":  under(testcert.Server(t, w.root)),
		"weak-signature@0 basic-constraints@2":  under(testcert.Intermediate(t, short), short),
		"weak-signature@0 weak-signature@1":     under(inter(withSHA1), w.root),
		"weak-signature@0 critical-extension@1": under(inter(strangeExtension)),
		"weak-signature@0 unknown-authority@1":  under(testcert.Intermediate(t, w.other)),
		"weak-signature@0 unknown-authority@2":  under(inter(explicitPolicy)),
		"weak-signature@0 bad-signature@1":      under(testcert.Intermediate(t, impostor(t, w.root))),
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			_, found := s.shake(t)
			assert.Equal(t, want, report(found), "%q", details(found))
		})
	}
}

func TestInspectPicksTheRightOfSeveralIssuers(t *testing.T) {
	t.Parallel()
	w := newAttackWorld(t)
	wrong := testcert.Intermediate(t, w.other, withName("inter"), func(c *x509.Certificate) { c.SubjectKeyId = w.inter.Cert.SubjectKeyId })
	wrongAlso := testcert.Intermediate(t, w.root, withName("inter"), func(c *x509.Certificate) { c.SubjectKeyId = w.inter.Cert.SubjectKeyId })
	again := func(issuer *testcert.Pair, edits ...testcert.Edit) *testcert.Pair {
		return testcert.Sign(t, issuer, w.inter.Key, append([]testcert.Edit{testcert.Authority, withName("inter")}, edits...)...)
	}
	rekeyed := testcert.Intermediate(t, w.root, withName("inter"))
	var crowd []*testcert.Pair
	for range 80 {
		crowd = append(crowd, testcert.Intermediate(t, w.other, withName("inter")))
	}
	crossed := testcert.Sign(t, w.root, w.other.Key, testcert.Authority, withName("other"), valid(-1000*time.Hour, 1000*time.Hour))
	good, bad := testcert.Server(t, w.inter), testcert.Server(t, w.inter, testcert.Expired)
	for _, row := range []struct {
		name, want string
		chain      []*testcert.Pair
	}{
		{"a wrong one of the name and key id", "", []*testcert.Pair{good, wrong, wrongAlso, w.inter}},
		{"a wrong one, and expired", "expired@0", []*testcert.Pair{bad, wrong, wrongAlso, w.inter}},
		{"one of the same key that expired", "", []*testcert.Pair{good, again(w.root, testcert.Expired), w.inter}},
		{"one of the same key that expired, and expired", "expired@0", []*testcert.Pair{bad, again(w.root, testcert.Expired), w.inter}},
		{"one of the same key of an unknown root", "", []*testcert.Pair{good, again(w.other), w.other, w.inter}},
		{"one of the same key of an unknown root, and expired", "expired@0", []*testcert.Pair{bad, again(w.other), w.other, w.inter}},
		{"one of the same key that is constrained, and expired", "expired@0", []*testcert.Pair{bad, again(w.root, permit("example.com")), w.inter}},
		{"one of the same key with SHA-1, and expired", "expired@0", []*testcert.Pair{bad, again(w.root, withSHA1), w.inter, w.root}},
		{"two bad ones, the better one", "expired@0 expired@2", []*testcert.Pair{bad, again(w.other), again(w.root, valid(-1000*time.Hour, -time.Hour))}},
		{"an unknown root that a trusted one signed", "", []*testcert.Pair{testcert.Server(t, w.other), w.other, crossed}},
		{"an unknown root that a trusted one signed, and expired", "expired@0", []*testcert.Pair{testcert.Server(t, w.other, testcert.Expired), w.other, crossed}},
		{"80 of the name with other key ids, and expired", "expired@0", append(append([]*testcert.Pair{bad}, crowd...), w.inter)},
		{"one of another key is no reason to call it forged", "unknown-authority@0", []*testcert.Pair{good, rekeyed}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := w.shows(row.chain...)
			_, found := s.shake(t)
			assert.Equal(t, row.want, report(found), "%q", details(found))
		})
	}
}

func TestInspectHeedsConstraintsOfRoots(t *testing.T) {
	t.Parallel()
	root := testcert.Root(t)
	oldRoot := testcert.Root(t, valid(-48*time.Hour, -time.Minute))
	no := func([]*x509.Certificate) error { return errors.New("not any more") }
	yes := func([]*x509.Certificate) error { return nil }
	for _, row := range []struct {
		name, want string
		root       *testcert.Pair
		constraint func([]*x509.Certificate) error
		edits      []testcert.Edit
	}{
		{"good, and permitted", "", root, yes, nil},
		{"good, and not permitted", "unknown-authority@", root, no, nil},
		{"expired, and permitted", "expired@0", root, yes, []testcert.Edit{testcert.Expired}},
		{"expired, and not permitted", "expired@0 unknown-authority@", root, no, []testcert.Edit{testcert.Expired}},
		{"expired root, and permitted", "expired@2", oldRoot, yes, nil},
		{"expired root, and not permitted", "unknown-authority@", oldRoot, no, nil},
		{"SHA-1, and permitted", "weak-signature@0", root, yes, []testcert.Edit{withSHA1}},
		{"SHA-1, and not permitted", "weak-signature@0 unknown-authority@", root, no, []testcert.Edit{withSHA1}},
	} {
		for where, presented := range map[string][]*testcert.Pair{"1": {}, "2": {row.root}} {
			t.Run(row.name+", root at "+where, func(t *testing.T) {
				t.Parallel()
				inter := testcert.Intermediate(t, row.root)
				chain := append([]*testcert.Pair{testcert.Server(t, inter, row.edits...), inter}, presented...)
				s := sight{chain: chain, roots: x509.NewCertPool()}
				s.roots.AddCertWithConstraint(row.root.Cert, row.constraint)
				_, found := s.shake(t)
				want := row.want
				if strings.HasSuffix(want, "@") {
					want += where // the last that is presented
				}
				if want == "unknown-authority@2" && row.root == oldRoot {
					want = "expired@2 " + want
				}
				assert.Equal(t, want, report(found), "%q", details(found))
			})
		}
	}
	direct := sight{chain: []*testcert.Pair{testcert.Server(t, root)}, roots: x509.NewCertPool()}
	direct.roots.AddCertWithConstraint(root.Cert, no)
	_, found := direct.shake(t)
	assert.Equal(t, "unknown-authority@0", report(found), "nothing is missing")
}

func TestInspectTrustsAServersOwnCertificateAmongTheRoots(t *testing.T) {
	t.Parallel()
	w := newKindWorld(t)
	for want, edit := range map[string]testcert.Edit{
		"":                     func(*x509.Certificate) {},
		"expired@0":            testcert.Expired,
		"critical-extension@0": strangeExtension,
		"wrong-usage@0":        usage(x509.ExtKeyUsageClientAuth),
	} {
		for _, issuer := range []*testcert.Pair{nil, w.inter} {
			server := testcert.Server(t, issuer, edit)
			s := sight{chain: []*testcert.Pair{server}, roots: testcert.Pool(server)}
			_, found := s.shake(t)
			assert.Equal(t, want, report(found), "%q", details(found))
		}
	}
}
