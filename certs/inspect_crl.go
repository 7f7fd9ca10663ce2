package certs

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"time"
)

// readCRL returns what l says of c. An entry counts if issuer's key signed the
// list, however old it is and whatever else the key may be used for: else a
// server could pick a certificate of its issuer that makes the list unusable.
// That c is not listed counts only if the list is fresh, is about such as c, and
// is the issuer's to sign.
func (in *inspection) readCRL(l *x509.RevocationList, c, issuer *x509.Certificate) standing {
	doubt := func(format string, args ...any) standing {
		return standing{doubts: []string{"the CRL of its issuer " + fmt.Sprintf(format, args...)}}
	}
	if !in.signedCRL(l, issuer) {
		return doubt("is not signed by %s", called(issuer))
	}
	scope, err := scopeOf(l)
	if err != nil {
		return doubt("%s", err)
	}
	at, err := revokedAt(l, c)
	switch stale := freshness(in.Now, l.ThisUpdate, l.NextUpdate); {
	case err != nil:
		return doubt("%s", err)
	case !at.IsZero():
		return standing{revoked: fmt.Sprintf("on %s, by a CRL", at.UTC().Format(time.RFC3339))}
	case l.CheckSignatureFrom(issuer) != nil:
		return doubt("is signed by %s, which may not sign CRLs", called(issuer))
	case stale != "":
		return doubt("%s", stale)
	case !scope.covers(c):
		return doubt("is not about certificates like it")
	}
	return standing{good: true}
}

// isOf reports whether l is in the name of c's issuer. To Go the two names are
// equal; a platform may take names for equal that are spelt in other ways.
func isOf(l *x509.RevocationList, c, issuer *x509.Certificate) bool {
	return bytes.Equal(l.RawIssuer, c.RawIssuer) || bytes.Equal(l.RawIssuer, issuer.RawSubject)
}

// A crlSigner is a CRL and the certificate of the key that may have signed it.
type crlSigner struct {
	list   *x509.RevocationList
	issuer *x509.Certificate
}

// signedCRL verifies a signature once, since a CRL can be of many megabytes and
// chains are several.
func (in *inspection) signedCRL(l *x509.RevocationList, issuer *x509.Certificate) bool {
	signer := crlSigner{l, issuer}
	ok, known := in.crlSigned[signer]
	if !known {
		ok = checkSignature(issuer, l.SignatureAlgorithm, l.RawTBSRevocationList, l.Signature) == nil
		if in.crlSigned == nil {
			in.crlSigned = make(map[crlSigner]bool)
		}
		in.crlSigned[signer] = ok
	}
	return ok
}

// revokedAt returns when l says that c was revoked, or zero. Entries with a
// critical extension may be of another issuer, and then the rest may be too.
func revokedAt(l *x509.RevocationList, c *x509.Certificate) (time.Time, error) {
	var at time.Time
	for i := range l.RevokedCertificateEntries {
		e := &l.RevokedCertificateEntries[i]
		for _, x := range e.Extensions {
			if x.Critical {
				return time.Time{}, fmt.Errorf("has an entry with the critical extension %s, which nobody here understands", x.Id)
			}
		}
		if e.SerialNumber != nil && c.SerialNumber != nil && e.SerialNumber.Cmp(c.SerialNumber) == 0 {
			at = e.RevocationTime
			if at.IsZero() {
				at = l.ThisUpdate
			}
		}
	}
	return at, nil
}

// A crlScope says which certificates a CRL would list. The zero value is all
// that its issuer signed.
type crlScope struct {
	limited bool // by point
	point   issuingPoint
}

// An issuingPoint is an issuing distribution point (RFC 5280, section 5.2.5).
type issuingPoint struct {
	Name struct {
		Full     []asn1.RawValue `asn1:"optional,tag:0"`
		Relative asn1.RawValue   `asn1:"optional,tag:1"`
	} `asn1:"optional,tag:0"`
	Users      bool           `asn1:"optional,tag:1"`
	CAs        bool           `asn1:"optional,tag:2"`
	Reasons    asn1.BitString `asn1:"optional,tag:3"`
	Indirect   bool           `asn1:"optional,tag:4"`
	Attributes bool           `asn1:"optional,tag:5"`
}

// scopeOf also refuses a list that cannot be used: a delta, one of several
// issuers, and one with a critical extension that nobody here understands
// (RFC 5280, section 5.2).
func scopeOf(l *x509.RevocationList) (crlScope, error) {
	var scope crlScope
	for _, e := range l.Extensions {
		switch {
		case e.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 28}):
			rest, err := asn1.Unmarshal(e.Value, &scope.point)
			if err != nil || len(rest) > 0 || scope.limited {
				return crlScope{}, errors.New("has a distribution point that cannot be read")
			}
			scope.limited = true
		case e.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 27}):
			return crlScope{}, errors.New("is a delta CRL, which is not enough")
		case e.Critical:
			return crlScope{}, fmt.Errorf("has the critical extension %s, which nobody here understands", e.Id)
		}
	}
	if scope.point.Indirect {
		return crlScope{}, errors.New("is of several issuers")
	}
	return scope, nil
}

// covers reports whether the list would name c if it was revoked for any
// reason.
func (s crlScope) covers(c *x509.Certificate) bool {
	p, isCA := s.point, c.BasicConstraintsValid && c.IsCA
	switch {
	case !s.limited:
		return true
	case p.Users && isCA, p.CAs && !isCA, p.Attributes, len(p.Reasons.Bytes) > 0:
		return false
	case len(p.Name.Full) == 0:
		return len(p.Name.Relative.FullBytes) == 0
	}
	const uri = 6
	return slices.ContainsFunc(p.Name.Full, func(name asn1.RawValue) bool {
		return name.Class == asn1.ClassContextSpecific && name.Tag == uri && slices.Contains(c.CRLDistributionPoints, string(name.Bytes))
	})
}
