package certs

import (
	"crypto/dsa" //lint:ignore SA1019 to tell that nobody should use it
	"crypto/ecdsa"
	"crypto/fips140"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
)

// weakAlgorithm reports whether a signs a hash of which two texts can be made
// (RFC 6151, RFC 9155).
func weakAlgorithm(a x509.SignatureAlgorithm) bool {
	switch a {
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1:
		return true
	}
	return false
}

// verifiable reports whether x509.Certificate.Verify would follow a signature
// of this kind.
func verifiable(a x509.SignatureAlgorithm) bool {
	return !weakAlgorithm(a) && a != x509.DSAWithSHA256 && a != x509.UnknownSignatureAlgorithm
}

// checkSignature is the issuer's, which takes SHA-1, for RSA and ECDSA, where
// Verify and the CheckSignatureFrom of a certificate do not. It verifies nothing
// else: not whether issuer may sign.
//
// What package crypto does not look at is no bad signature: RSA keys that are too
// short for it, and under strict FIPS 140 rules (GODEBUG=fips140=only) SHA-1,
// where it even panics.
func checkSignature(issuer *x509.Certificate, a x509.SignatureAlgorithm, signed, signature []byte) error {
	shortest := 1024
	if fips140.Enforced() {
		shortest = 2048
		if weakAlgorithm(a) {
			return x509.InsecureAlgorithmError(a)
		}
	}
	if key, ok := issuer.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() < shortest {
		return x509.ErrUnsupportedAlgorithm
	}
	return issuer.CheckSignature(a, signed, signature)
}

// weakKey names a key that is too short today (NIST SP 800-131A), or else
// returns "".
func weakKey(key any) string {
	const minRSA, minCurve = 2048, 224
	switch k := key.(type) {
	case *rsa.PublicKey:
		if n := k.N.BitLen(); n < minRSA {
			return fmt.Sprintf("RSA with %d bits", n)
		}
	case *ecdsa.PublicKey:
		if n := k.Curve.Params().BitSize; n < minCurve {
			return fmt.Sprintf("ECDSA with %d bits", n)
		}
	case *dsa.PublicKey:
		return "DSA"
	}
	return ""
}
