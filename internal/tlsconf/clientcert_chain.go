package tlsconf

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"errors"
)

// Bounds on the work of putting a chain in order.
const (
	maxChain       = 10      // certificates
	maxCandidates  = 10      // for one issuer
	maxSigningBits = 1 << 14 // of an RSA key
)

// chainOf returns leaf and its issuers, each the issuer of the one before (RFC
// 8446, section 4.4.2), as far as pool has them.
func chainOf(leaf *x509.Certificate, pool []*x509.Certificate) [][]byte {
	chain := [][]byte{leaf.Raw}
	for c := leaf; len(chain) < maxChain; {
		c = issuerOf(c, pool, chain)
		if c == nil {
			break
		}
		chain = append(chain, c.Raw)
	}
	return chain
}

// issuerOf returns the certificate of pool that signed c, if it is not in chain.
func issuerOf(c *x509.Certificate, pool []*x509.Certificate, chain [][]byte) (byName *x509.Certificate) {
	if bytes.Equal(c.RawIssuer, c.RawSubject) {
		return nil
	}
	tried := 0
	for _, issuer := range pool {
		if !namesFit(c, issuer) || holds(chain, issuer) {
			continue
		}
		if tried++; tried > maxCandidates {
			break
		}
		switch signed, known := signs(issuer, c); {
		case signed:
			return issuer
		case !known && byName == nil:
			byName = issuer
		}
	}
	return byName
}

// namesFit compares names and key ids (RFC 5280, section 4.2.1.1).
func namesFit(c, issuer *x509.Certificate) bool {
	if !bytes.Equal(c.RawIssuer, issuer.RawSubject) {
		return false
	}
	return len(c.AuthorityKeyId) == 0 || len(issuer.SubjectKeyId) == 0 ||
		bytes.Equal(c.AuthorityKeyId, issuer.SubjectKeyId)
}

func holds(chain [][]byte, c *x509.Certificate) bool {
	for _, raw := range chain {
		if bytes.Equal(raw, c.Raw) {
			return true
		}
	}
	return false
}

// signs tells whether issuer signed c. It cannot be known of a signature that
// x509 does not check, SHA-1 for one; old devices have such chains, and the
// server judges them.
func signs(issuer, c *x509.Certificate) (signed, known bool) {
	if key, ok := issuer.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() > maxSigningBits {
		return false, false
	}
	err := issuer.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature)
	var insecure x509.InsecureAlgorithmError
	if errors.As(err, &insecure) || errors.Is(err, x509.ErrUnsupportedAlgorithm) {
		return false, false
	}
	return err == nil, true
}
