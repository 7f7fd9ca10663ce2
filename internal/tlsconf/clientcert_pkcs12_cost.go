package tlsconf

import (
	"crypto/x509/pkix"
	"encoding/asn1"
)

// Object identifiers of what PKCS #12 is encrypted and authenticated with (RFC
// 7292, appendix C; RFC 8018, appendix C; RFC 9579), as far as go-pkcs12 has it.
const (
	oidPBESHA3DES   = "1.2.840.113549.1.12.1.3"
	oidPBESHARC2128 = "1.2.840.113549.1.12.1.5"
	oidPBESHARC240  = "1.2.840.113549.1.12.1.6"
	oidPBES2        = "1.2.840.113549.1.5.13"
	oidPBKDF2       = "1.2.840.113549.1.5.12"
	oidPBMAC1       = "1.2.840.113549.1.5.14"
	oidHMACSHA1     = "1.2.840.113549.2.7"
	oidHMACSHA256   = "1.2.840.113549.2.9"
	oidHMACSHA512   = "1.2.840.113549.2.11"
	oidSHA1         = "1.3.14.3.2.26"
	oidSHA256       = "2.16.840.1.101.3.4.2.1"
	oidSHA512       = "2.16.840.1.101.3.4.2.3"
	oidAES128CBC    = "2.16.840.1.101.3.4.1.2"
	oidAES192CBC    = "2.16.840.1.101.3.4.1.22"
	oidAES256CBC    = "2.16.840.1.101.3.4.1.42"
)

const (
	// maxIterations bounds the password hashing of one file, all its parts
	// together: seconds of one core. OpenSSL and Windows set 2000 to 2048 a
	// part, Java 10000.
	maxIterations = 5_000_000

	// maxShroudedKey bounds one encrypted key, in bytes; see maxKey of sshkey.
	maxShroudedKey = 16 << 10

	// PBMAC1 has keys of 20 bytes at least (RFC 9579, section 6), and go-pkcs12
	// takes none beyond the hash.
	minPBMAC1Key, maxPBMAC1Key = 20, 64
)

type (
	// pbeParams is a pkcs-12PbeParams (RFC 7292, appendix C).
	pbeParams struct {
		Salt       []byte
		Iterations int64
	}
	// schemeParams is a PBES2-params or a PBMAC1-params (RFC 8018, appendix A).
	schemeParams struct {
		KDF    pkix.AlgorithmIdentifier
		Scheme pkix.AlgorithmIdentifier
	}
	// pbkdf2Params is a PBKDF2-params (RFC 8018, appendix A.2).
	pbkdf2Params struct {
		Salt       asn1.RawValue
		Iterations int64
		KeySize    int                      `asn1:"optional"`
		PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
	}
)

// A kdfCost is the iterations that opening a file takes.
type kdfCost int64

func (c *kdfCost) add(iterations int64) error {
	if iterations < 1 || iterations > maxIterations-int64(*c) {
		return problem(ErrFormat, "asks for iterations of password hashing out of range, 1 to %d in all are run: %s",
			maxIterations, curePKCS12)
	}
	*c += kdfCost(iterations)
	return nil
}

func (c *kdfCost) addMAC(mac pkcs12MAC) error {
	switch mac.Digest.Algorithm.Algorithm.String() {
	case oidSHA1, oidSHA256, oidSHA512:
		return c.add(mac.Iterations)
	case oidPBMAC1:
		return c.addPBMAC1(mac.Digest.Algorithm)
	}
	return unsupported("MAC", mac.Digest.Algorithm)
}

func (c *kdfCost) addPBMAC1(algorithm pkix.AlgorithmIdentifier) error {
	var params schemeParams
	if err := unmarshalPKCS12(algorithm.Parameters.FullBytes, &params); err != nil {
		return err
	}
	switch params.Scheme.Algorithm.String() {
	case oidHMACSHA1, oidHMACSHA256, oidHMACSHA512:
	default:
		return unsupported("MAC", params.Scheme)
	}
	keySize, err := c.addPBKDF2(params.KDF)
	if err == nil && (keySize < minPBMAC1Key || keySize > maxPBMAC1Key) {
		err = problem(ErrFormat, "has a MAC key of %d bytes, and only %d to %d are safe: %s",
			keySize, minPBMAC1Key, maxPBMAC1Key, curePKCS12)
	}
	return err
}

func (c *kdfCost) addCipher(algorithm pkix.AlgorithmIdentifier) error {
	switch algorithm.Algorithm.String() {
	case oidPBESHA3DES, oidPBESHARC2128, oidPBESHARC240:
		var params pbeParams
		if err := unmarshalPKCS12(algorithm.Parameters.FullBytes, &params); err != nil {
			return err
		}
		return c.add(params.Iterations)
	case oidPBES2:
		return c.addPBES2(algorithm)
	}
	return unsupported("encryption", algorithm)
}

func (c *kdfCost) addPBES2(algorithm pkix.AlgorithmIdentifier) error {
	var params schemeParams
	if err := unmarshalPKCS12(algorithm.Parameters.FullBytes, &params); err != nil {
		return err
	}
	switch params.Scheme.Algorithm.String() {
	case oidAES128CBC, oidAES192CBC, oidAES256CBC:
	default:
		return unsupported("cipher", params.Scheme)
	}
	_, err := c.addPBKDF2(params.KDF)
	return err
}

func (c *kdfCost) addPBKDF2(kdf pkix.AlgorithmIdentifier) (keySize int, err error) {
	if kdf.Algorithm.String() != oidPBKDF2 {
		return 0, unsupported("key derivation", kdf)
	}
	var params pbkdf2Params
	if err := unmarshalPKCS12(kdf.Parameters.FullBytes, &params); err != nil {
		return 0, err
	}
	switch params.PRF.Algorithm.String() {
	case "", oidHMACSHA1, oidHMACSHA256, oidHMACSHA512: // absent means HMAC-SHA-1
	default:
		return 0, unsupported("hash", params.PRF)
	}
	return params.KeySize, c.add(params.Iterations)
}

func unsupported(what string, algorithm pkix.AlgorithmIdentifier) error {
	return problem(ErrFormat, "is PKCS #12 whose %s (OID %s) is not supported: %s", what, algorithm.Algorithm, curePKCS12)
}
