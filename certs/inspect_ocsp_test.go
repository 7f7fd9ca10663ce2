package certs_test

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ocsp"

	"github.com/hawser/hawser/internal/testcert"
)

func responder(edits ...testcert.Edit) testcert.Edit {
	return func(c *x509.Certificate) {
		c.ExtKeyUsage, c.DNSNames, c.IPAddresses = []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}, nil, nil
		for _, edit := range edits {
			edit(c)
		}
	}
}

func TestInspectHeedsStapledResponses(t *testing.T) {
	t.Parallel()
	w := newRevocationWorld(t)
	good := ocsp.Response{Status: ocsp.Good, SerialNumber: w.server.Cert.SerialNumber, ThisUpdate: time.Now().Add(-time.Hour), NextUpdate: time.Now().Add(time.Hour)}
	edited := func(edit func(*ocsp.Response)) sight { return w.stapling(response(t, w.inter, w.server, edit)) }
	delegate := func(p *testcert.Pair, edits ...func(*ocsp.Response)) sight {
		r := good
		r.Certificate = p.Cert
		for _, edit := range edits {
			edit(&r)
		}
		return w.stapling(signedResponse(t, w.inter, p, r))
	}
	own := testcert.Server(t, w.inter, responder())
	ownRevoked := delegate(own)
	ownRevoked.options.CRLs = []*x509.RevocationList{crl(t, w.inter, own)}
	aged := func(r *ocsp.Response) {
		r.ThisUpdate, r.NextUpdate = time.Now().Add(-3*time.Hour), time.Now().Add(-2*time.Hour)
	}
	isBad := func(r *ocsp.Response) { r.Status, r.RevokedAt = ocsp.Revoked, time.Now().Add(-time.Hour) }
	cousin := testcert.Intermediate(t, w.root)
	intact := response(t, w.inter, w.server)
	renamed := testcert.Sign(t, w.root, w.inter.Key, testcert.Authority)
	itself := testcert.Server(t, nil)
	for _, row := range []revocationRow{
		{"a fresh one", "", w.stapling(intact)},
		{"one that says revoked", isRevoked, edited(isBad)},
		{"a stale one that says revoked", isRevoked, edited(func(r *ocsp.Response) { aged(r); isBad(r) })},
		{"a stale one", isUnknown, edited(aged)},
		{"a stale one and a fresh CRL", "", w.stapling(response(t, w.inter, w.server, aged), crl(t, w.inter))},
		{"one of the future", isUnknown, edited(func(r *ocsp.Response) { r.ThisUpdate = time.Now().Add(30 * time.Minute) })},
		{"one that holds for ever", isUnknown, edited(func(r *ocsp.Response) { r.NextUpdate = time.Time{} })},
		{"one that does not know", isUnknown, edited(func(r *ocsp.Response) { r.Status = ocsp.Unknown })},
		{"one about another certificate", isUnknown, edited(func(r *ocsp.Response) { r.SerialNumber = big.NewInt(5) })},
		{"one about the same number of another issuer", isUnknown, w.stapling(signedResponse(t, w.root, w.inter, good))},
		{"one about the same number of an issuer of the same name", isUnknown, w.stapling(signedResponse(t, testcert.Intermediate(t, w.root, withName("inter")), w.inter, good))},
		{"one about the same number of an issuer of the same key", isUnknown, w.stapling(signedResponse(t, renamed, w.inter, good))},
		{"one by a responder of an issuer of the same key", isUnknown, delegate(testcert.Server(t, renamed, responder()))},
		{"any, where the server's own is a root", "", sight{chain: []*testcert.Pair{itself}, roots: testcert.Pool(itself), staple: []byte("staple")}},
		{"any, where the server's own is a root of another issuer", "", sight{chain: []*testcert.Pair{w.server}, roots: testcert.Pool(w.server), staple: []byte("staple")}},
		{"one that is cut short", isUnknown, w.stapling(intact[:len(intact)-1])},
		{"one with more behind it", isUnknown, w.stapling(append(bytes.Clone(intact), 0))},
		{"what is none", isUnknown, w.stapling([]byte("staple"))},
		{"an error", isUnknown, w.stapling(ocsp.TryLaterErrorResponse)},
		{"one that another key signed", isUnknown, w.stapling(signedResponse(t, w.inter, impostor(t, w.inter), good))},
		{"one signed with SHA-1", isUnknown, edited(func(r *ocsp.Response) { r.SignatureAlgorithm = x509.ECDSAWithSHA1 })},
		{"one by the issuer that encloses itself", "", delegate(w.inter)},
		{"one by a responder of the issuer's", "", delegate(own)},
		{"one by a responder of the issuer's that says revoked", isRevoked, delegate(own, isBad)},
		{"one by a responder that is not one", isUnknown, delegate(testcert.Server(t, w.inter))},
		{"one by the server itself", isUnknown, delegate(w.server)},
		{"one by a responder for anything", isUnknown, delegate(testcert.Server(t, w.inter, responder(usage(x509.ExtKeyUsageAny))))},
		{"one by an expired responder", isUnknown, delegate(testcert.Server(t, w.inter, responder(testcert.Expired)))},
		{"one by a responder that is not yet valid", isUnknown, delegate(testcert.Server(t, w.inter, responder(future)))},
		{"one by another authority's responder", isUnknown, delegate(testcert.Server(t, cousin, responder()))},
		{"one by the root's responder", isUnknown, delegate(testcert.Server(t, w.root, responder()))},
		{"one by a forged responder", isUnknown, delegate(testcert.Server(t, impostor(t, w.inter), responder()))},
		{"one by a revoked responder", isUnknown, ownRevoked},
		{"one by a responder with a critical extension", isUnknown, delegate(testcert.Server(t, w.inter, responder(strangeExtension)))},
		{"one by a responder that may not sign", isUnknown, delegate(testcert.Server(t, w.inter, responder(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyAgreement })))},
		{"one by a responder of a short key", isUnknown, delegate(testcert.Sign(t, w.inter, rsaKey(t, 1024), responder()))},
		{"one by a responder signed with SHA-1", isUnknown, delegate(testcert.Server(t, w.inter, responder(withSHA1)))},
	} {
		if row.name == "one by a revoked responder" {
			row.sight.options.CRLs[0].NextUpdate = row.sight.options.CRLs[0].ThisUpdate // else it answers itself
		}
		t.Run(row.name, row.check)
	}
}

func TestInspectTellsWhyAnAnswerIsNone(t *testing.T) {
	t.Parallel()
	w := newRevocationWorld(t)
	endless := *crl(t, w.inter)
	endless.NextUpdate = time.Time{}
	found := w.stapling(ocsp.TryLaterErrorResponse, &endless).inspect(w.stapling(ocsp.TryLaterErrorResponse).state())
	require.Equal(t, isUnknown, report(found))
	require.Contains(t, found[0].Detail, `the stapled OCSP response is the error "try later"; the CRL of its issuer does not say how long it holds`)
}

func TestInspectHeedsMustStaple(t *testing.T) {
	t.Parallel()
	w := newRevocationWorld(t)
	must := func(value ...byte) *testcert.Pair {
		return testcert.Server(t, w.inter, func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 24}, Value: value}}
		})
	}
	server, v2, broken, others := must(0x30, 3, 2, 1, 5), must(0x30, 3, 2, 1, 17), must(0x30), must(0x30, 3, 2, 1, 16)
	show := func(p *testcert.Pair, staple []byte, lists ...*x509.RevocationList) sight {
		s := sight{chain: []*testcert.Pair{p, w.inter}, roots: w.roots, staple: staple}
		s.options.CRLs = lists
		return s
	}
	aged := func(r *ocsp.Response) { r.NextUpdate = time.Now().Add(-30 * time.Minute) }
	for _, row := range []revocationRow{
		{"with none", isUnknown, show(server, nil)},
		{"with none, and a fresh CRL", isUnknown, show(server, nil, crl(t, w.inter))},
		{"with a fresh one", "", show(server, response(t, w.inter, server))},
		{"with a stale one", isUnknown, show(server, response(t, w.inter, server, aged))},
		{"with a stale one, and a CRL that lists it", isRevoked, show(server, response(t, w.inter, server, aged), crl(t, w.inter, server))},
		{"by status_request_v2", isUnknown, show(v2, nil)},
		{"by features that cannot be read", isUnknown, show(broken, nil)},
		{"but no other feature", "", show(others, nil)},
		{"and is a root itself", isUnknown, sight{chain: []*testcert.Pair{server}, roots: testcert.Pool(server), staple: response(t, w.inter, server)}},
	} {
		t.Run(row.name, row.check)
	}
}

func TestInspectRefusesCriticalExtensionOfTheWholeResponse(t *testing.T) {
	t.Parallel()
	w := newRevocationWorld(t)
	// Package ocsp cannot make one, so its nonce is made critical by hand, and the
	// signature with it.
	for critical, want := range map[bool]string{true: isUnknown, false: ""} {
		s := w.stapling(withResponseExtension(t, w.inter, response(t, w.inter, w.server), critical))
		_, found := s.shake(t)
		require.Equal(t, want, report(found), "%q", details(found))
	}
}

// withResponseExtension adds an extension to the signed part of a response.
func withResponseExtension(t testing.TB, issuer *testcert.Pair, der []byte, critical bool) []byte {
	t.Helper()
	var outer struct {
		Status asn1.Enumerated
		Body   struct {
			Type     asn1.ObjectIdentifier
			Response []byte
		} `asn1:"explicit,tag:0"`
	}
	var basic struct {
		Data struct {
			Responder, Produced, Answers asn1.RawValue
			Extensions                   []pkix.Extension `asn1:"optional,explicit,tag:1"`
		}
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}
	_, err := asn1.Unmarshal(der, &outer)
	require.NoError(t, err)
	_, err = asn1.Unmarshal(outer.Body.Response, &basic)
	require.NoError(t, err)
	basic.Data.Extensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 32473, 3}, Critical: critical, Value: []byte{5, 0}}}
	signed, err := asn1.Marshal(basic.Data)
	require.NoError(t, err)
	basic.Signature.Bytes = sign(t, issuer.Key, signed)
	basic.Signature.BitLength = 8 * len(basic.Signature.Bytes)
	outer.Body.Response, err = asn1.Marshal(basic)
	require.NoError(t, err)
	der, err = asn1.Marshal(outer)
	require.NoError(t, err)
	return der
}
