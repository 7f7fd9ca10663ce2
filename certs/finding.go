package certs

import (
	"cmp"
	"crypto/x509"
	"fmt"
	"slices"

	"github.com/hawser/hawser"
)

// A Finding is one thing wrong with one certificate of a chain, or with the
// connection that it came by.
type Finding struct {
	Anomaly hawser.Anomaly `json:"anomaly"`

	// Index is the certificate's place in what the server presented, where 0 is
	// its own. A certificate that was not presented, such as a root, has one from
	// the number of presented certificates on, in the order of the chain. It is
	// -1 where the fault is not a certificate's: weak-protocol, and no
	// certificate at all.
	Index int `json:"index"`

	Cert *x509.Certificate `json:"-"` // nil if Index is -1

	// Detail is one line for people, printable and no longer than a few hundred
	// characters, though the server chose parts of it. It may change.
	Detail string `json:"detail"`
}

// noCertificate is the Index of a Finding that is not about a certificate.
const noCertificate = -1

// settle puts findings in their order, each once.
func settle(found []Finding) []Finding {
	if len(found) < 2 {
		return found
	}
	order := make(map[hawser.Anomaly]int)
	for i, a := range hawser.Anomalies() {
		order[a] = i
	}
	slices.SortStableFunc(found, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Index, b.Index), cmp.Compare(order[a.Anomaly], order[b.Anomaly]))
	})
	return slices.CompactFunc(found, func(a, b Finding) bool { return a.Index == b.Index && a.Anomaly == b.Anomaly })
}

// A rank says how bad findings are: those that nobody can allow come first,
// then those that leave a chain without a trusted root.
type rank [3]int

func rankOf(found []Finding) rank {
	r := rank{2: len(found)}
	for _, f := range found {
		if f.Anomaly == hawser.BadSignature || f.Anomaly == hawser.Revoked {
			r[0]++
		}
		if deniesAuthority(f.Anomaly) {
			r[1]++
		}
	}
	return r
}

func (r rank) better(than rank) bool { return slices.Compare(r[:], than[:]) < 0 }

// deniesAuthority reports whether a says that no trusted root vouches for the
// chain. A chain that is not verified has a finding of such a kind.
func deniesAuthority(a hawser.Anomaly) bool {
	switch a {
	case hawser.UnknownAuthority, hawser.SelfSigned, hawser.MissingIntermediate,
		hawser.BadSignature, hawser.BasicConstraints, hawser.NameConstraints:
		return true
	}
	return false
}

// explainsRefusal reports whether a is a reason of package x509's for not
// accepting a chain. A weak key is not, and x509 knows nothing of revocation.
func explainsRefusal(a hawser.Anomaly) bool {
	switch a {
	case hawser.Expired, hawser.NotYetValid, hawser.WrongUsage, hawser.CriticalExtension, hawser.WeakSignature:
		return true
	}
	return deniesAuthority(a)
}

// called names c in a line for people. Not by its whole subject: to print one
// of many parts takes package pkix a time that grows with their square.
func called(c *x509.Certificate) string {
	switch {
	case c.Subject.CommonName != "":
		return fmt.Sprintf("%q", clipped(c.Subject.CommonName))
	case len(c.Subject.Organization) > 0:
		return fmt.Sprintf("%q", clipped(c.Subject.Organization[0]))
	}
	return "a certificate without a name"
}

// calledIssuer names the issuer that c names.
func calledIssuer(c *x509.Certificate) string {
	return called(&x509.Certificate{Subject: c.Issuer})
}

// clipped bounds one part of a Detail, so that the rest of the line is seen too.
func clipped(s string) string {
	const most = 64
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}
