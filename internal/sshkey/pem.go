package sshkey

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"
)

// The types of the PEM blocks that hold a private key.
const (
	typeOpenSSH        = "OPENSSH PRIVATE KEY"
	typeRSA            = "RSA PRIVATE KEY"
	typeEC             = "EC PRIVATE KEY"
	typeDSA            = "DSA PRIVATE KEY"
	typePKCS8          = "PRIVATE KEY"
	typePKCS8Encrypted = "ENCRYPTED PRIVATE KEY"
)

// firstPrivateBlock returns the first PEM block of text that holds a private
// key, or nil. Others may stand before it: "openssl ecparam -genkey" writes EC
// PARAMETERS there, "openssl pkcs12" the certificates.
func firstPrivateBlock(text []byte) *pem.Block {
	for {
		block, rest := pem.Decode(text)
		if block == nil || isPrivateType(block.Type) {
			return block
		}
		text = rest
	}
}

func isPrivateType(blockType string) bool {
	switch blockType {
	case typeOpenSSH, typeRSA, typeEC, typeDSA, typePKCS8, typePKCS8Encrypted:
		return true
	}
	return false
}

// parseBlock reads the private key of block, which [isPrivateType] knows.
func parseBlock(block *pem.Block, passphrase []byte) (*loaded, error) {
	if len(block.Bytes) > maxKey {
		return nil, fmt.Errorf("%w: a key of %d bytes is too large, at most %d are read",
			ErrFormat, len(block.Bytes), maxKey)
	}
	switch {
	case block.Type == typeOpenSSH:
		return parseOpenSSH(block.Bytes, passphrase)
	case block.Type == typePKCS8Encrypted:
		return parseEncryptedPKCS8(block.Bytes, passphrase)
	case strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED"):
		return parseLegacy(block, passphrase)
	}
	key, err := parseDER(block.Type, block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return newLoaded(key)
}

// parseDER reads a key that is not encrypted.
func parseDER(blockType string, der []byte) (any, error) {
	switch blockType {
	case typeRSA:
		return x509.ParsePKCS1PrivateKey(der)
	case typeEC:
		return x509.ParseECPrivateKey(der)
	case typeDSA:
		return ssh.ParseDSAPrivateKey(der)
	case typePKCS8:
		return x509.ParsePKCS8PrivateKey(der)
	}
	return nil, errors.New("a PEM block of unknown type")
}

// parseLegacy reads a key with a DEK-Info header (RFC 1421, section 4.6.1.3),
// which is how OpenSSL encrypted keys before PKCS #8.
func parseLegacy(block *pem.Block, passphrase []byte) (*loaded, error) {
	if err := checkDEKInfo(block); err != nil {
		return nil, err
	}
	if len(passphrase) == 0 {
		return nil, ErrPassphraseMissing
	}
	//lint:ignore SA1019 the format is weak, but it is what many key files are in
	der, err := x509.DecryptPEMBlock(block, passphrase)
	if errors.Is(err, x509.IncorrectPasswordError) {
		return nil, ErrPassphraseWrong
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	key, err := parseDER(block.Type, der)
	if err != nil {
		// The format has no checksum: with one wrong passphrase in 256 the
		// padding looks right, and the key is noise. The cause says nothing.
		return nil, ErrPassphraseWrong
	}
	return newLoaded(key)
}

// checkDEKInfo refuses what [x509.DecryptPEMBlock] does not decrypt, with the cure.
func checkDEKInfo(block *pem.Block) error {
	name, _, _ := strings.Cut(block.Headers["DEK-Info"], ",")
	switch name {
	case "DES-CBC", "DES-EDE3-CBC", "AES-128-CBC", "AES-192-CBC", "AES-256-CBC":
	default:
		return fmt.Errorf("%w: its PEM cipher, %s, is not supported: %s", ErrFormat, safeName(name), curePKCS8)
	}
	if block.Type == typePKCS8 {
		return fmt.Errorf("%w: a PKCS #8 key cannot have a DEK-Info header: the file is damaged", ErrFormat)
	}
	return nil
}

// hasPEMType tells whether text holds the BEGIN line of one of the PEM types,
// even if the rest of the block is damaged.
func hasPEMType(text []byte, types ...string) bool {
	for _, t := range types {
		if bytes.Contains(text, []byte("-----BEGIN "+t+"-----")) {
			return true
		}
	}
	return false
}
