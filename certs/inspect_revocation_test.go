package certs_test

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ocsp"

	"github.com/hawser/hawser/internal/testcert"
)

// crl is one of issuer, that lists revoked.
func crl(t testing.TB, issuer *testcert.Pair, revoked ...*testcert.Pair) *x509.RevocationList {
	t.Helper()
	return editedCRL(t, issuer, func(*x509.RevocationList) {}, revoked...)
}

func editedCRL(t testing.TB, issuer *testcert.Pair, edit func(*x509.RevocationList), revoked ...*testcert.Pair) *x509.RevocationList {
	t.Helper()
	list := &x509.RevocationList{Number: big.NewInt(7), ThisUpdate: time.Now().Add(-time.Hour), NextUpdate: time.Now().Add(time.Hour)}
	for _, p := range revoked {
		entry := x509.RevocationListEntry{SerialNumber: p.Cert.SerialNumber, RevocationTime: time.Now().Add(-time.Hour), ReasonCode: 1}
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, entry)
	}
	edit(list)
	der, err := x509.CreateRevocationList(rand.Reader, list, issuer.Cert, issuer.Key)
	require.NoError(t, err)
	list, err = x509.ParseRevocationList(der)
	require.NoError(t, err)
	return list
}

// response is an OCSP response of issuer itself about p: good and fresh, but
// for the edits.
func response(t testing.TB, issuer, p *testcert.Pair, edits ...func(*ocsp.Response)) []byte {
	t.Helper()
	r := ocsp.Response{
		Status: ocsp.Good, SerialNumber: p.Cert.SerialNumber, RevokedAt: time.Now().Add(-time.Hour),
		ThisUpdate: time.Now().Add(-time.Hour), NextUpdate: time.Now().Add(time.Hour),
	}
	for _, edit := range edits {
		edit(&r)
	}
	return signedResponse(t, issuer, issuer, r)
}

func signedResponse(t testing.TB, issuer, responder *testcert.Pair, r ocsp.Response) []byte {
	t.Helper()
	der, err := ocsp.CreateResponse(issuer.Cert, responder.Cert, r, responder.Key)
	require.NoError(t, err)
	return der
}

// A revocationWorld is a server under an intermediate, and both tell where
// their CRL is.
type revocationWorld struct {
	kindWorld
	server *testcert.Pair
}

const crlURL = "http://crl.example/1.crl"

func pointing(c *x509.Certificate) { c.CRLDistributionPoints = []string{crlURL} }

func newRevocationWorld(t testing.TB) revocationWorld {
	w := newKindWorld(t)
	w.inter = testcert.Intermediate(t, w.root, withName("inter"), pointing)
	return revocationWorld{w, testcert.Server(t, w.inter, pointing)}
}

func (w revocationWorld) with(lists ...*x509.RevocationList) sight {
	s := sight{chain: []*testcert.Pair{w.server, w.inter}, roots: w.roots}
	s.options.CRLs = lists
	return s
}

func (w revocationWorld) stapling(response []byte, lists ...*x509.RevocationList) sight {
	s := w.with(lists...)
	s.staple = response
	return s
}

func stale(l *x509.RevocationList) {
	l.ThisUpdate, l.NextUpdate = time.Now().Add(-3*time.Hour), time.Now().Add(-2*time.Hour)
}

// listExtension is an Edit of a CRL; an issuing distribution point is 28.
func listExtension(critical bool, id int, value []byte) func(*x509.RevocationList) {
	return func(l *x509.RevocationList) {
		l.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, id}, Critical: critical, Value: value}}
	}
}

// point is an issuing distribution point (RFC 5280, section 5.2.5): a URL, if it
// is not "", and what else.
func point(url string, more ...byte) func(*x509.RevocationList) {
	var value []byte
	if n := byte(len(url)); n > 0 {
		value = append([]byte{0xa0, n + 4, 0xa0, n + 2, 0x86, n}, url...)
	}
	value = append(value, more...)
	return listExtension(true, 28, append([]byte{0x30, byte(len(value))}, value...))
}

type revocationRow struct {
	name, want string
	sight      sight
}

func (r revocationRow) check(t *testing.T) {
	t.Parallel()
	cs, found := r.sight.shake(t)
	assert.Equal(t, r.want, report(found), "%q", details(found))
	wellFormed(t, cs, found)
	assert.Equal(t, r.want, report(r.sight.inspectOnPlatform(cs)), "on a platform that verifies by itself")
}

const (
	isRevoked = "revoked@0"
	isUnknown = "revocation-unknown@0"
)

func TestInspectHeedsCRLs(t *testing.T) {
	t.Parallel()
	w := newRevocationWorld(t)
	fresh, lists := crl(t, w.inter), crl(t, w.inter, w.server)
	old := editedCRL(t, w.inter, stale)
	edited := func(edit func(*x509.RevocationList), revoked ...*testcert.Pair) sight {
		return w.with(editedCRL(t, w.inter, edit, revoked...))
	}
	endless := *fresh
	endless.NextUpdate = time.Time{}
	entry := func(l *x509.RevocationList) {
		l.RevokedCertificateEntries[0].ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 29}, Critical: true, Value: []byte{0x30, 0}}}
	}
	another := testcert.Server(t, w.inter)
	for _, row := range []revocationRow{
		{"a fresh one that does not list it", "", w.with(fresh)},
		{"one that lists it", isRevoked, w.with(lists)},
		{"one that lists another", "", w.with(crl(t, w.inter, another))},
		{"one that lists it among others", isRevoked, w.with(crl(t, w.inter, another, w.server))},
		{"a stale one that lists it", isRevoked, edited(stale, w.server)},
		{"a stale one that lists it, and a fresh one that does not", isRevoked, w.with(fresh, editedCRL(t, w.inter, stale, w.server))},
		{"a stale one", isUnknown, w.with(old)},
		{"a stale one and a fresh one", "", w.with(old, fresh)},
		{"a stale one and a fresh stapled response", "", w.stapling(response(t, w.inter, w.server), old)},
		{"one of the future", isUnknown, edited(func(l *x509.RevocationList) { l.ThisUpdate = time.Now().Add(30 * time.Minute) })},
		{"one that holds for ever", isUnknown, w.with(&endless)},
		{"one that the issuer did not sign", isUnknown, w.with(crl(t, impostor(t, w.inter), w.server))},
		{"one of another issuer", "", w.with(crl(t, w.other, w.server))},
		{"a delta", isUnknown, edited(listExtension(true, 27, []byte{2, 1, 1}))},
		{"a delta that does not call that critical", isUnknown, edited(listExtension(false, 27, []byte{2, 1, 1}))},
		{"one of two places", isUnknown, edited(func(l *x509.RevocationList) {
			point(crlURL)(l)
			twice := l.ExtraExtensions
			point("http://crl.example/2.crl")(l)
			l.ExtraExtensions = append(l.ExtraExtensions, twice...)
		})},
		{"one of servers about an intermediate", "revocation-unknown@1", w.with(editedCRL(t, w.root, point("", 0x81, 1, 0xff)))},
		{"one of authorities about an intermediate", "", w.with(editedCRL(t, w.root, point("", 0x82, 1, 0xff)))},
		{"one with a critical extension", isUnknown, edited(listExtension(true, 99, []byte{5, 0}), w.server)},
		{"one with another extension", "", edited(listExtension(false, 99, []byte{5, 0}))},
		{"one with an entry of another issuer", isUnknown, edited(entry, w.server)},
		{"none at all", "", w.with(nil)},
		{"one of an intermediate", "revoked@1", w.with(crl(t, w.root, w.inter))},
		{"a stale one of an intermediate", "revocation-unknown@1", w.with(editedCRL(t, w.root, stale))},
		{"of its place", "", edited(point(crlURL))},
		{"of its place, of servers", "", edited(point(crlURL, 0x81, 1, 0xff))},
		{"of its place, and lists it", isRevoked, edited(point(crlURL, 0x81, 1, 0xff), w.server)},
		{"of another place", isUnknown, edited(point(crlURL + ".old"))},
		{"of another place, and lists it", isRevoked, edited(point(crlURL+".old"), w.server)},
		{"of servers", "", edited(point("", 0x81, 1, 0xff))},
		{"of authorities", isUnknown, edited(point("", 0x82, 1, 0xff))},
		{"of some reasons", isUnknown, edited(point("", 0x83, 2, 0, 0x80))},
		{"of several issuers", isUnknown, edited(point("", 0x84, 1, 0xff), w.server)},
		{"of attributes", isUnknown, edited(point("", 0x85, 1, 0xff))},
		{"of a place relative to its issuer", isUnknown, edited(point("", 0xa0, 2, 0xa1, 0))},
		{"of a place that cannot be read", isUnknown, edited(listExtension(true, 28, []byte{0x30, 5}), w.server)},
	} {
		t.Run(row.name, row.check)
	}
}

func TestInspectDemandsAnAnswer(t *testing.T) {
	t.Parallel()
	w := newRevocationWorld(t)
	demanding := func(s sight) sight { s.options.Revocation = true; return s }
	silent := w.under(testcert.Intermediate(t, w.root))(t)
	leaf, inter := crl(t, w.inter), crl(t, w.root)
	alone := demanding(sight{chain: []*testcert.Pair{w.server}, roots: w.roots})
	_, found := alone.shake(t)
	assert.Equal(t, "unknown-authority@0 missing-intermediate@0 revocation-unknown@0", report(found), "nobody can tell for an issuer that is not known")
	for _, row := range []revocationRow{
		{"of each certificate below the root", isUnknown + " revocation-unknown@1", demanding(w.with())},
		{"and has it from CRLs", "", demanding(w.with(leaf, inter))},
		{"of the server's own alone", "revocation-unknown@1", demanding(w.with(leaf))},
		{"and has it from the stapled response", "", demanding(w.stapling(response(t, w.inter, w.server), inter))},
		{"and stale ones do not do", isUnknown, demanding(w.with(editedCRL(t, w.inter, stale), inter))},
		{"but not of what does not say where", "", demanding(silent)},
		{"nor of a root", "", demanding(sight{chain: []*testcert.Pair{w.server}, roots: testcert.Pool(w.server)})},
	} {
		t.Run(row.name, row.check)
	}
}

// A server may send any certificate of its issuer's key: also one that takes
// the issuer the right to sign CRLs.
func TestInspectHeedsCRLOfAnIssuerThatMayNotSignCRLs(t *testing.T) {
	t.Parallel()
	w := newRevocationWorld(t)
	lists, fresh := crl(t, w.inter, w.server), crl(t, w.inter)
	mute := testcert.Sign(t, w.root, w.inter.Key, testcert.Authority, withName("inter"), func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCertSign })
	for _, row := range []revocationRow{
		{"that lists it", isRevoked, sight{chain: []*testcert.Pair{w.server, mute}, roots: w.roots}},
		{"that does not", isUnknown, sight{chain: []*testcert.Pair{w.server, mute}, roots: w.roots}},
	} {
		row.sight.options.CRLs = map[string][]*x509.RevocationList{isRevoked: {lists}, isUnknown: {fresh}}[row.want]
		t.Run(row.name, row.check)
	}
}
