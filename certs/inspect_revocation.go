package certs

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hawser/hawser"
)

// A standing is what is known of whether a certificate was revoked.
type standing struct {
	revoked string   // who says so, and when; "" if nobody does
	good    bool     // a fresh answer says that it was not
	doubts  []string // why an answer that is there is none
}

// revocation looks at each certificate below the root.
func (ch chain) revocation() []Finding {
	var found []Finding
	for i, c := range ch.certs {
		must := i == 0 && mustStaple(c)
		staple := ch.stapled(i, must)
		all := ch.listed(i, staple)
		switch below := i < ch.top() || !ch.anchored && !bytes.Equal(c.RawIssuer, c.RawSubject); {
		case all.revoked != "":
			found = append(found, ch.finding(hawser.Revoked, i, "%s was revoked %s", called(c), all.revoked))
		case must && !staple.good:
			found = append(found, ch.finding(hawser.RevocationUnknown, i, "%s must come with a fresh stapled OCSP response%s", called(c), all.why()))
		case !all.good && len(all.doubts) > 0:
			found = append(found, ch.finding(hawser.RevocationUnknown, i, "%s may have been revoked%s", called(c), all.why()))
		case !all.good && ch.Revocation && below && saysWhere(c):
			found = append(found, ch.finding(hawser.RevocationUnknown, i, "there is no CRL or stapled OCSP response about %s", called(c)))
		}
	}
	return found
}

func (s standing) why() string {
	if len(s.doubts) == 0 {
		return ""
	}
	return ": " + strings.Join(s.doubts, "; ")
}

// add takes over what else is known.
func (s *standing) add(o standing) {
	if s.revoked == "" {
		s.revoked = o.revoked
	}
	s.good = s.good || o.good
	s.doubts = append(s.doubts, o.doubts...)
}

// issuer returns that of the i-th certificate, or nil. Of one that stands
// alone, it is the certificate itself.
func (ch chain) issuer(i int) *x509.Certificate {
	switch c := ch.certs[i]; {
	case i < ch.top():
		return ch.certs[i+1]
	case bytes.Equal(c.RawIssuer, c.RawSubject):
		return c
	}
	return nil
}

// stapled returns what the stapled response says of the i-th certificate.
// Package tls has one of the server's own alone. A root is not asked about, and
// where the issuer is not known nobody can tell who signed.
func (ch chain) stapled(i int, must bool) standing {
	issuer := ch.issuer(i)
	if i > 0 || len(ch.state.OCSPResponse) == 0 || issuer == nil || ch.top() == 0 && !must {
		return standing{}
	}
	s, err := ch.readStaple(ch.state.OCSPResponse, ch.certs[i], issuer)
	if err != nil {
		s.doubts = append(s.doubts, "the stapled OCSP response "+err.Error())
	}
	return s
}

// listed adds to s what the CRLs say of the i-th certificate.
func (ch chain) listed(i int, s standing) standing {
	if i == ch.top() {
		return s
	}
	c, issuer := ch.certs[i], ch.certs[i+1]
	for _, l := range ch.CRLs {
		if l != nil && isOf(l, c, issuer) {
			s.add(ch.readCRL(l, c, issuer))
		}
	}
	return s
}

// saysWhere reports whether c names a place that knows whether it was revoked.
func saysWhere(c *x509.Certificate) bool {
	return len(c.OCSPServer) > 0 || extension(c, 2, 5, 29, 31) != nil
}

// mustStaple reports whether c has the TLS feature status_request, or
// status_request_v2 (RFC 7633, section 4). A list of features that cannot be
// read may have it.
func mustStaple(c *x509.Certificate) bool {
	value := extension(c, 1, 3, 6, 1, 5, 5, 7, 1, 24)
	if value == nil {
		return false
	}
	var features []int
	rest, err := asn1.Unmarshal(value, &features)
	return err != nil || len(rest) > 0 || slices.Contains(features, 5) || slices.Contains(features, 17)
}

// extension returns the value of an extension, or nil.
func extension(c *x509.Certificate, id ...int) []byte {
	for _, e := range c.Extensions {
		if e.Id.Equal(id) {
			return append([]byte{}, e.Value...) // also of no bytes, not nil
		}
	}
	return nil
}

// freshness says what is wrong with the age of an answer, or "". One without
// an end could be shown for ever.
func freshness(now, from, to time.Time) string {
	switch {
	case to.IsZero():
		return "does not say how long it holds"
	case now.After(to):
		return fmt.Sprintf("is stale since %s", to.UTC().Format(time.RFC3339))
	case now.Before(from):
		return fmt.Sprintf("is only of %s", from.UTC().Format(time.RFC3339))
	}
	return ""
}
