package certs

import (
	"crypto/tls"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/tlsconf"
)

// What errors of [LoadClientCertificate], and of a Dial that loads one, match.
const (
	// ErrPassword says that the certificate or its key is encrypted, and that
	// [hawser.Certificate.Password] is not set or does not open it. Most formats
	// cannot tell a wrong password from damage in the encrypted part, so damage
	// there matches as well.
	ErrPassword = tlsconf.ErrPassword

	// ErrFormat says that a file, or a part of it that is needed, cannot be
	// read: it is something else, it is damaged, or it is of a format that is
	// not supported. The text names which, and the command that cures it where
	// there is one.
	ErrFormat = tlsconf.ErrFormat

	// ErrNoKey says that there is a certificate, but no private key: a .cer
	// holds none.
	ErrNoKey = tlsconf.ErrNoKey

	// ErrKeyMismatch says that the private key belongs to none of the
	// certificates.
	ErrKeyMismatch = tlsconf.ErrKeyMismatch

	// ErrNoCertificate says that there is no certificate, perhaps its key alone.
	ErrNoCertificate = tlsconf.ErrNoCertificate
)

// LoadClientCertificate reads the client certificate c and its private key, as
// a driver does when it dials; a program calls it to tell whoever sets up a
// connection what is wrong with a certificate, or when it ends. The secrets of c
// are resolved. The zero c has no certificate: the result is the zero
// tls.Certificate and nil.
//
// Formats are told apart by content, never by file name:
//
//   - PEM with any number of certificates and keys, in any order and with other
//     text around them
//   - a certificate in DER (.cer, .crt), or the base64 of it
//   - PKCS #12 (.pfx, .p12) as OpenSSL, Windows and Java write it, with a
//     password, the empty one or none
//   - private keys in PKCS #1, SEC 1, PKCS #8, OpenSSH's format and PuTTY's
//     .ppk, plain or encrypted; PKCS #8 encrypted by PBES1 is refused
//
// c.Content holds what a file would; what is binary may be given as base64.
// c.Password opens whatever is encrypted in both files, and is ignored where
// nothing is. With c.KeyFile the key is taken from there, and keys beside the
// certificate are left alone. Where several certificates have a key, the first
// that is not an authority's is taken.
//
// The result has Leaf and PrivateKey, an RSA, ECDSA or Ed25519 key, and in
// Certificate the leaf and then its issuers, each the issuer of the one before
// (RFC 8446, section 4.4.2), as far as the files have them. Certificates that
// are not among them are left out. Whether the certificate has expired, and what
// it may be used for, is for the server to judge.
//
// Each file may have 1 MiB and four private keys, and what opening it asks for
// is bounded to seconds of one core. LoadClientCertificate keeps nothing, and
// may be called concurrently.
//
// Errors begin with the field that they are about, "tls.certificate.file: ", and
// match [ErrPassword], [ErrFormat], [ErrNoKey], [ErrKeyMismatch] or
// [ErrNoCertificate], or what the system said of a file, such as
// fs.ErrNotExist. They hold neither the password nor any of a key.
func LoadClientCertificate(c hawser.Certificate) (tls.Certificate, error) {
	return tlsconf.LoadCertificate(c)
}
