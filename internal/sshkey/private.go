package sshkey

import (
	"crypto"
	"crypto/ed25519"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
)

// ParsePrivate reads one private key from data, as [Parse] does, and returns
// the key itself, for TLS: an *rsa.PrivateKey, an *ecdsa.PrivateKey of P-256,
// P-384 or P-521, or an ed25519.PrivateKey. It also reads the DER of PKCS #1,
// SEC 1 and PKCS #8, the latter encrypted too. A DSA key is refused, because TLS
// knows none.
//
// Errors match [ErrPassphraseMissing], [ErrPassphraseWrong] or [ErrFormat].
func ParsePrivate(data, passphrase []byte) (crypto.Signer, error) {
	key, err := parseAny(data, passphrase)
	if err != nil {
		return nil, err
	}
	if key, ok := key.key.(*ed25519.PrivateKey); ok { // as x/crypto returns an OpenSSH key
		return *key, nil
	}
	signer, ok := key.key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("%w: TLS has no use for a DSA key: make an RSA, an ECDSA or an Ed25519 key", ErrFormat)
	}
	return signer, nil
}

func parseAny(data, passphrase []byte) (*loaded, error) {
	if block := privateDER(data); block != nil {
		return parseBlock(block, passphrase)
	}
	if len(data) > 0 && isDER(data) {
		return nil, fmt.Errorf("%w: it is binary, but neither PKCS #1, SEC 1 nor PKCS #8", ErrFormat)
	}
	return parseText(data, passphrase)
}

// privateDER returns the private key in DER that data begins with, as the PEM
// block that it would be in, or nil. What follows it is left out: some programs
// end even binary files with a line end.
func privateDER(data []byte) *pem.Block {
	var whole asn1.RawValue
	if _, err := asn1.Unmarshal(data, &whole); err != nil || len(whole.FullBytes) > maxKey {
		return nil
	}
	var parts []asn1.RawValue
	if _, err := asn1.Unmarshal(whole.FullBytes, &parts); err != nil || len(parts) < 2 {
		return nil
	}
	blockType := privateType(parts)
	if blockType == "" {
		return nil
	}
	return &pem.Block{Type: blockType, Bytes: whole.FullBytes}
}

// privateType tells the formats apart by the first two parts of their SEQUENCE:
// an EncryptedPrivateKeyInfo and a PrivateKeyInfo (RFC 5958, sections 2 and 3),
// an ECPrivateKey (RFC 5915, section 3), an RSAPrivateKey (RFC 8017, appendix
// A.1.2) and the six numbers of OpenSSL's DSA.
func privateType(parts []asn1.RawValue) string {
	first, second := parts[0].Tag, parts[1].Tag
	switch {
	case first == asn1.TagSequence && second == asn1.TagOctetString && len(parts) == 2:
		return typePKCS8Encrypted
	case first != asn1.TagInteger:
		return ""
	case second == asn1.TagSequence && len(parts) > 2 && parts[2].Tag == asn1.TagOctetString:
		return typePKCS8
	case second == asn1.TagOctetString:
		return typeEC
	case second == asn1.TagInteger && len(parts) == 6:
		return typeDSA
	case second == asn1.TagInteger && len(parts) > 8:
		return typeRSA
	}
	return ""
}
