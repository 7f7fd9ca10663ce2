// Package sshkey loads private keys in every format that people have lying
// about: those of SSH logins, with their OpenSSH certificates, and those of TLS.
//
// It reads bytes and never files, so that a key can come from a disk, a vault
// or a database alike. It tells formats by content, never by file name:
//
//   - OpenSSH, plain or encrypted with aes256-ctr or aes256-cbc
//   - PEM PKCS #1 (RSA), SEC 1 (ECDSA) and DSA, plain or with a DEK-Info header
//   - PKCS #8, plain or encrypted with PBES2 (PBKDF2 or scrypt)
//   - PuTTY .ppk, version 2 and 3, plain or encrypted
//   - for TLS alone, the DER inside of the PEM formats
//
// A key file may come from anyone, so what it asks for is bounded: its size,
// and the memory and the time of its passphrase hashing. What exceeds a bound
// is refused with [ErrFormat] before any of it is spent.
//
// No error of this package holds key material or a passphrase.
package sshkey

import (
	"bytes"
	"fmt"

	"golang.org/x/crypto/ssh"
)

const (
	// maxFile bounds the data of a key file, in bytes. Certificates and
	// attributes may stand before the key, so it is far above maxKey.
	maxFile = 1 << 20

	// maxKey bounds one decoded key, in bytes. RSA of 16384 bits, the largest
	// that ssh-keygen makes, needs 10 KiB. Checking an RSA key takes time that
	// grows with the square of its size, hence a bound.
	maxKey = 16 << 10
)

// Parse reads one private key from data and tells its format by content. Where
// data holds several keys, Parse reads the first.
//
// passphrase opens an encrypted key. Nil and empty both mean that there is
// none; for a key that is not encrypted it is ignored. Parse keeps neither data
// nor passphrase.
//
// The signer is safe for concurrent use, and it is an [ssh.AlgorithmSigner]: an
// RSA key signs with rsa-sha2-256 and rsa-sha2-512. DSA keys are read as well,
// though few servers take them still.
//
// Errors match [ErrPassphraseMissing], [ErrPassphraseWrong] or [ErrFormat].
func Parse(data, passphrase []byte) (ssh.Signer, error) {
	key, err := parseText(data, passphrase)
	if err != nil {
		return nil, err
	}
	return key.signer, nil
}

// parseText reads every format but DER.
func parseText(data, passphrase []byte) (*loaded, error) {
	if len(data) > maxFile {
		return nil, fmt.Errorf("%w: %d bytes are too many for a key file, at most %d are read",
			ErrFormat, len(data), maxFile)
	}
	text := trim(data)
	if isPPK(text) {
		return parsePPK(text, passphrase)
	}
	if block := firstPrivateBlock(text); block != nil {
		return parseBlock(block, passphrase)
	}
	return nil, explainUnreadable(text)
}

// trim removes what editors put around the text of a key: a UTF-8 byte order
// mark and blank space.
func trim(data []byte) []byte {
	return bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")))
}
