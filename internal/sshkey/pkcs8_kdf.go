package sshkey

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
)

// Object identifiers of PKCS #8 encryption (RFC 8018, appendix C; RFC 7914,
// section 7 for scrypt).
const (
	oidPBES2      = "1.2.840.113549.1.5.13"
	oidPBKDF2     = "1.2.840.113549.1.5.12"
	oidScrypt     = "1.3.6.1.4.1.11591.4.11"
	oidHMACSHA1   = "1.2.840.113549.2.7"
	oidHMACSHA256 = "1.2.840.113549.2.9"
	oidAES128CBC  = "2.16.840.1.101.3.4.1.2"
	oidAES192CBC  = "2.16.840.1.101.3.4.1.22"
	oidAES256CBC  = "2.16.840.1.101.3.4.1.42"
	oidDESEDE3CBC = "1.2.840.113549.3.7"
)

// Bounds on the cost of opening one key: seconds of one core at most. OpenSSL
// sets 2048 iterations, and 16 MiB of scrypt.
const (
	maxPBKDF2Iterations = 5_000_000
	maxScryptMemory     = 256 << 20 // bytes: 128 * N * r
	maxScryptWork       = 1 << 30   // bytes: 128 * N * r * p
)

// pbkdf2Params is a PBKDF2-params (RFC 8018, appendix A.2).
type pbkdf2Params struct {
	Salt       []byte
	Iterations int64
	KeySize    int                      `asn1:"optional"`
	PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
}

// scryptParams is a scrypt-params (RFC 7914, section 7.1).
type scryptParams struct {
	Salt    []byte
	N       int64
	R       int64
	P       int64
	KeySize int `asn1:"optional"`
}

// checkKDF returns the parameters of kdf in DER, checked against the bounds.
// The optional key size, which Java writes, must be that of the cipher; it is
// left out of the result, for youmark/pkcs8 would take it for the PRF.
func checkKDF(kdf pkix.AlgorithmIdentifier, keySize int) ([]byte, error) {
	switch oid := kdf.Algorithm.String(); oid {
	case oidPBKDF2:
		return checkPBKDF2(kdf.Parameters.FullBytes, keySize)
	case oidScrypt:
		return checkScrypt(kdf.Parameters.FullBytes, keySize)
	default:
		return nil, fmt.Errorf("%w: its PKCS #8 key derivation (OID %s) is not supported: %s",
			ErrFormat, oid, curePKCS8)
	}
}

func checkPBKDF2(der []byte, keySize int) ([]byte, error) {
	var p pbkdf2Params
	if err := unmarshalDER(der, &p); err != nil {
		return nil, err
	}
	if err := checkKeySize(p.KeySize, keySize); err != nil {
		return nil, err
	}
	if p.Iterations < 1 || p.Iterations > maxPBKDF2Iterations {
		return nil, fmt.Errorf("%w: %d iterations of PBKDF2 are out of range, 1 to %d are run: %s",
			ErrFormat, p.Iterations, maxPBKDF2Iterations, curePKCS8)
	}
	switch oid := p.PRF.Algorithm.String(); oid {
	case "", oidHMACSHA1, oidHMACSHA256: // absent means HMAC-SHA-1
	default:
		return nil, fmt.Errorf("%w: its PBKDF2 hash (OID %s) is not supported: %s", ErrFormat, oid, curePKCS8)
	}
	p.KeySize = 0
	return asn1.Marshal(p)
}

func checkScrypt(der []byte, keySize int) ([]byte, error) {
	var p scryptParams
	if err := unmarshalDER(der, &p); err != nil {
		return nil, err
	}
	if err := checkKeySize(p.KeySize, keySize); err != nil {
		return nil, err
	}
	if p.N < 2 || p.N&(p.N-1) != 0 || p.R < 1 || p.P < 1 {
		return nil, fmt.Errorf("%w: its scrypt parameters are damaged", ErrFormat)
	}
	// Division, because the product of hostile numbers can overflow.
	if p.N > maxScryptMemory/128/p.R || p.P > maxScryptWork/128/(p.N*p.R) {
		return nil, fmt.Errorf("%w: its scrypt parameters ask for too much (N=%d, r=%d, p=%d): %s",
			ErrFormat, p.N, p.R, p.P, curePKCS8)
	}
	p.KeySize = 0
	return asn1.Marshal(p)
}

func checkKeySize(got, want int) error {
	if got != 0 && got != want {
		return fmt.Errorf("%w: its key derivation and its cipher differ in key size: the file is damaged", ErrFormat)
	}
	return nil
}
