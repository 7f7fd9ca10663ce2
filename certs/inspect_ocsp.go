package certs

import (
	"bytes"
	"crypto/fips140"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"

	"golang.org/x/crypto/ocsp"
)

// readStaple returns what a response says of c. What package ocsp does not look
// at is looked at here: who the responder is, whether it may speak for issuer,
// whether the answer is about a certificate of issuer's and not about one of
// the same number, extensions of the whole, and time.
func (in *inspection) readStaple(response []byte, c, issuer *x509.Certificate) (standing, error) {
	basic, err := parseOCSP(response)
	if err != nil {
		return standing{}, err
	}
	responder := issuer
	if len(basic.Certificates) > 0 {
		// Before package ocsp verifies anything with the key in it, which the
		// server may have chosen, as large as it liked.
		if responder, err = in.authorized(basic.Certificates[0].FullBytes, issuer); err != nil {
			return standing{}, err
		}
	}
	var r *ocsp.Response
	about := false
	// SHA-1 is the hash that names issuers here, and under strict FIPS 140 rules it
	// panics. What is signed with it is not taken for good.
	fips140.WithoutEnforcement(func() {
		if r, err = ocsp.ParseResponseForCert(response, c, nil); err == nil {
			err = r.CheckSignatureFrom(responder)
			about = err == nil && basic.isAbout(r, c, issuer)
		}
	})
	switch {
	case err != nil:
		return standing{}, fmt.Errorf("cannot be read, or is not signed by %s: %w", called(responder), err)
	case !about:
		return standing{}, errors.New("is about another certificate")
	case r.Status == ocsp.Revoked:
		return standing{revoked: fmt.Sprintf("on %s, by the stapled OCSP response", r.RevokedAt.UTC().Format(time.RFC3339))}, nil
	case r.Status != ocsp.Good:
		return standing{}, errors.New("does not know it")
	case !verifiable(r.SignatureAlgorithm):
		return standing{}, fmt.Errorf("is signed with %s", r.SignatureAlgorithm)
	}
	if stale := freshness(in.Now, r.ThisUpdate, r.NextUpdate); stale != "" {
		return standing{}, errors.New(stale)
	}
	return standing{good: true}, nil
}

// authorized returns the responder if it may speak for issuer (RFC 6960, section
// 4.2.2.2): it is issuer itself, or one that issuer signed for that purpose.
func (in *inspection) authorized(der []byte, issuer *x509.Certificate) (*x509.Certificate, error) {
	r, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, errors.New("has a responder's certificate that cannot be read")
	}
	if sameHolder(r, issuer) {
		return r, nil
	}
	who, late := called(r), freshness(in.Now, r.NotBefore, r.NotAfter)
	switch {
	case !bytes.Equal(r.RawIssuer, issuer.RawSubject), r.CheckSignatureFrom(issuer) != nil:
		return nil, fmt.Errorf("is of %s, which %s did not sign", who, called(issuer))
	case !slices.Contains(r.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning):
		return nil, fmt.Errorf("is of %s, which is not for signing OCSP responses", who)
	case r.KeyUsage != 0 && r.KeyUsage&x509.KeyUsageDigitalSignature == 0:
		return nil, fmt.Errorf("is of %s, which may not sign", who)
	case len(r.UnhandledCriticalExtensions) > 0:
		return nil, fmt.Errorf("is of %s, which has a critical extension that nobody here understands", who)
	case weakKey(r.PublicKey) != "":
		return nil, fmt.Errorf("is of %s, which has a weak key", who)
	case late != "":
		return nil, fmt.Errorf("is of %s, whose certificate %s", who, late)
	}
	for _, l := range in.CRLs {
		if l != nil && isOf(l, r, issuer) && in.readCRL(l, r, issuer).revoked != "" {
			return nil, fmt.Errorf("is of %s, which was revoked", who)
		}
	}
	return r, nil
}

// A basicOCSP is the part of a response (RFC 6960, section 4.2.1) that package
// ocsp reads and does not give out.
type basicOCSP struct {
	Data struct {
		Version    int           `asn1:"optional,default:0,explicit,tag:0"`
		Responder  asn1.RawValue // by name or key, [1] or [2]
		Produced   time.Time     `asn1:"generalized"`
		Answers    []answerOCSP
		Extensions []pkix.Extension `asn1:"optional,explicit,tag:1"`
	}
	Algorithm    pkix.AlgorithmIdentifier
	Signature    asn1.BitString
	Certificates []asn1.RawValue `asn1:"optional,explicit,tag:0"`
}

// An answerOCSP is one certificate's; what follows the id is package ocsp's.
type answerOCSP struct {
	ID idOCSP
}

type idOCSP struct {
	Hash   pkix.AlgorithmIdentifier
	Name   []byte
	Key    []byte
	Serial *big.Int
}

func parseOCSP(response []byte) (*basicOCSP, error) {
	var outer struct {
		Status asn1.Enumerated
		Body   struct {
			Type     asn1.ObjectIdentifier
			Response []byte
		} `asn1:"optional,explicit,tag:0"`
	}
	var basic basicOCSP
	if rest, err := asn1.Unmarshal(response, &outer); err != nil || len(rest) > 0 {
		return nil, errors.New("cannot be read")
	}
	if outer.Status != 0 {
		return nil, fmt.Errorf("is the error %q", ocsp.ResponseStatus(outer.Status))
	}
	if rest, err := asn1.Unmarshal(outer.Body.Response, &basic); err != nil || len(rest) > 0 {
		return nil, errors.New("cannot be read")
	}
	for _, e := range basic.Data.Extensions {
		if e.Critical {
			return nil, fmt.Errorf("has the critical extension %s, which nobody here understands", e.Id)
		}
	}
	return &basic, nil
}

// isAbout reports whether the answer that package ocsp picked, the first one with
// the number of c, is about the c that issuer signed.
func (b *basicOCSP) isAbout(r *ocsp.Response, c, issuer *x509.Certificate) bool {
	i := slices.IndexFunc(b.Data.Answers, func(a answerOCSP) bool {
		return a.ID.Serial != nil && a.ID.Serial.Cmp(c.SerialNumber) == 0
	})
	if i < 0 {
		return false
	}
	request, err := ocsp.CreateRequest(c, issuer, &ocsp.RequestOptions{Hash: r.IssuerHash})
	if err != nil {
		return false
	}
	want, err := ocsp.ParseRequest(request)
	id := b.Data.Answers[i].ID
	return err == nil && bytes.Equal(id.Name, want.IssuerNameHash) && bytes.Equal(id.Key, want.IssuerKeyHash)
}
