package certs

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math"
	"slices"
	"time"
)

// A flaw is what a copy of a certificate is rid of, so that x509 looks at
// everything else.
type flaw uint8

const (
	untimely    flaw = 1 << iota // now is outside of its validity
	critical                     // it has critical extensions that x509 does not know
	misused                      // its extended key usages are for other things
	unfit                        // it may not issue what it issued
	unpermitted                  // its names may be outside of an issuer's constraints
	unpoliced                    // its policies may not be valid

	anyFlaw flaw = math.MaxUint8
)

// copies returns copies of certs without the flaws at the same places, for
// x509.Certificate.Verify alone, which looks at the fields of a certificate and
// not at its bytes.
//
// Each is signed anew, by a key that is made up for its issuer: so x509 follows
// certs alone, since no other certificate fits, and applies all its checks
// across a SHA-1 signature too, which it would not follow. The signatures that
// the certificates came with must have been verified before, by
// [inspection.link]. The last one is signed anew if alone is true: nothing is
// above it. Else it keeps its own signature, which tells who signed it.
func (in *inspection) copies(certs []*x509.Certificate, flaws []flaw, alone bool) []*x509.Certificate {
	list := make([]*x509.Certificate, len(certs))
	for i, c := range certs {
		d := *c
		flaws[i].removeFrom(&d)
		if i > 0 {
			d.PublicKeyAlgorithm, d.PublicKey = x509.Ed25519, in.key(i).Public()
		}
		if i+1 < len(certs) || alone {
			d.SignatureAlgorithm, d.Signature = x509.PureEd25519, ed25519.Sign(in.key(i+1), d.RawTBSCertificate)
		}
		list[i] = &d
	}
	return list
}

// key returns the one that stands for that of the i-th certificate of a chain.
// It is made for this inspection, so that nobody can sign with it before.
func (in *inspection) key(i int) ed25519.PrivateKey {
	for len(in.keys) <= i {
		seed := make([]byte, ed25519.SeedSize)
		rand.Read(seed)
		in.keys = append(in.keys, ed25519.NewKeyFromSeed(seed))
	}
	return in.keys[i]
}

// removeFrom changes c, which shares its slices with the original.
func (f flaw) removeFrom(c *x509.Certificate) {
	if f&untimely != 0 {
		c.NotBefore, c.NotAfter = time.Time{}, time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	}
	if f&critical != 0 {
		c.UnhandledCriticalExtensions = nil
	}
	if f&misused != 0 {
		c.ExtKeyUsage, c.UnknownExtKeyUsage = nil, nil
	}
	if f&unfit != 0 {
		c.BasicConstraintsValid, c.IsCA, c.MaxPathLen, c.KeyUsage = true, true, -1, 0
	}
	if f&unpermitted != 0 {
		subjectAltName := asn1.ObjectIdentifier{2, 5, 29, 17}
		c.Extensions = slices.DeleteFunc(slices.Clone(c.Extensions), func(e pkix.Extension) bool { return e.Id.Equal(subjectAltName) })
	}
	if f&unpoliced != 0 {
		c.Policies, c.PolicyMappings = nil, nil
		c.RequireExplicitPolicy, c.RequireExplicitPolicyZero = -1, false
		c.InhibitPolicyMapping, c.InhibitPolicyMappingZero = -1, false
		c.InhibitAnyPolicy, c.InhibitAnyPolicyZero = -1, false
	}
}
