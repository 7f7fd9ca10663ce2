package sshkey

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"

	"github.com/youmark/pkcs8"
)

// curePKCS8 rewrites any private key that OpenSSL reads into what this package reads.
const curePKCS8 = "rewrite it with openssl pkcs8 -topk8 -v2 aes-256-cbc -v2prf hmacWithSHA256 -in FILE -out NEWFILE"

// encryptedKey is an EncryptedPrivateKeyInfo (RFC 5958, section 3).
type encryptedKey struct {
	Algorithm pkix.AlgorithmIdentifier
	Data      []byte
}

// pbes2 is a PBES2-params (RFC 8018, appendix A.4).
type pbes2 struct {
	KDF    pkix.AlgorithmIdentifier
	Cipher pkix.AlgorithmIdentifier
}

// parseEncryptedPKCS8 reads the DER of an ENCRYPTED PRIVATE KEY block.
//
// youmark/pkcs8 decrypts it, but trusts it too much: it panics on an IV or data
// of the wrong length, takes any cost, and treats GCM as CBC. So everything in
// the DER is checked first, and only a fresh encoding of what was checked is
// handed over. An error from there can then mean one thing only.
func parseEncryptedPKCS8(der, passphrase []byte) (*loaded, error) {
	var file encryptedKey
	if err := unmarshalDER(der, &file); err != nil {
		return nil, err
	}
	checked, err := checkPKCS8(file)
	if err != nil {
		return nil, err
	}
	if len(passphrase) == 0 {
		return nil, ErrPassphraseMissing
	}
	key, err := pkcs8.ParsePKCS8PrivateKey(checked, passphrase)
	if err != nil {
		return nil, fmt.Errorf("%w, or what it holds is neither an RSA, an ECDSA nor an Ed25519 key",
			ErrPassphraseWrong)
	}
	return newLoaded(key)
}

// checkPKCS8 returns the DER of file with its costs and lengths checked, and in
// the only shape that youmark/pkcs8 understands.
func checkPKCS8(file encryptedKey) ([]byte, error) {
	if oid := file.Algorithm.Algorithm.String(); oid != oidPBES2 {
		return nil, fmt.Errorf("%w: its PKCS #8 encryption (OID %s) is not PBES2: %s", ErrFormat, oid, curePKCS8)
	}
	var scheme pbes2
	if err := unmarshalDER(file.Algorithm.Parameters.FullBytes, &scheme); err != nil {
		return nil, err
	}
	keySize, err := checkCipher(scheme.Cipher, len(file.Data))
	if err != nil {
		return nil, err
	}
	scheme.KDF.Parameters.FullBytes, err = checkKDF(scheme.KDF, keySize)
	if err != nil {
		return nil, err
	}
	file.Algorithm.Parameters.FullBytes, err = asn1.Marshal(scheme)
	if err != nil {
		return nil, fmt.Errorf("%w: its PKCS #8 parameters are damaged: %w", ErrFormat, err)
	}
	return asn1.Marshal(file)
}

// checkCipher returns the key size, in bytes, of a cipher that can decrypt
// dataSize bytes.
func checkCipher(cipher pkix.AlgorithmIdentifier, dataSize int) (keySize int, err error) {
	block := 16
	switch oid := cipher.Algorithm.String(); oid {
	case oidAES128CBC:
		keySize = 16
	case oidAES192CBC:
		keySize = 24
	case oidAES256CBC:
		keySize = 32
	case oidDESEDE3CBC:
		keySize, block = 24, 8
	default:
		return 0, fmt.Errorf("%w: its PKCS #8 cipher (OID %s) is not supported: %s", ErrFormat, oid, curePKCS8)
	}
	var iv []byte
	if err := unmarshalDER(cipher.Parameters.FullBytes, &iv); err != nil {
		return 0, err
	}
	if len(iv) != block || dataSize == 0 || dataSize%block != 0 {
		return 0, fmt.Errorf("%w: its encrypted part has a wrong length: the file is damaged", ErrFormat)
	}
	return keySize, nil
}

// unmarshalDER reads der, and all of it, into value.
func unmarshalDER(der []byte, value any) error {
	rest, err := asn1.Unmarshal(der, value)
	if err != nil {
		return fmt.Errorf("%w: its PKCS #8 structure is damaged: %w", ErrFormat, err)
	}
	if len(rest) > 0 {
		return fmt.Errorf("%w: its PKCS #8 structure is followed by other data", ErrFormat)
	}
	return nil
}
