package tlsconf

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
)

// A certificateError is what an error of [LoadCertificate] matches. It is a
// constant, so that package certs can have the same ones under names of its own
// that nobody can set.
type certificateError string

func (e certificateError) Error() string { return string(e) }

const (
	// ErrPassword says that the certificate or its key is encrypted, and that
	// no password came with it or that it does not open it. Most formats cannot
	// tell a wrong password from damage in the encrypted part, so damage there
	// matches as well.
	ErrPassword = certificateError("the password of the client certificate is missing or wrong")

	// ErrFormat says that a file, or a part of it that is needed, cannot be
	// read: it is something else, it is damaged, or it is of a format that is
	// not supported. The text names which, and the cure where there is one.
	ErrFormat = certificateError("not a readable client certificate")

	// ErrNoKey says that there is a certificate, but no private key.
	ErrNoKey = certificateError("the client certificate has no private key")

	// ErrKeyMismatch says that the private key belongs to none of the
	// certificates.
	ErrKeyMismatch = certificateError("the private key belongs to another certificate")

	// ErrNoCertificate says that there is no certificate, perhaps its key alone.
	ErrNoCertificate = certificateError("there is no client certificate")
)

// A certificateProblem is an error whose text says it all; kind is for matching.
type certificateProblem struct {
	kind error
	text string
}

func (p *certificateProblem) Error() string { return p.text }
func (p *certificateProblem) Unwrap() error { return p.kind }

func problem(kind error, format string, args ...any) error {
	return &certificateProblem{kind, fmt.Sprintf(format, args...)}
}

func errTooLarge() error {
	return problem(ErrFormat, "is larger than 1 MiB, so it is no certificate")
}

func errManyKeys() error {
	return problem(ErrFormat, "holds more than %d private keys: export the one that is meant", maxPrivateKeys)
}

func errEncrypted(what string) error {
	return problem(ErrPassword, "%s is encrypted: set tls.certificate.password", what)
}

func errWrongPassword(what string) error {
	return problem(ErrPassword, "tls.certificate.password does not open %s", what)
}

// at puts the field before err; nil stays nil.
func (r *certificateReader) at(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", r.field, err)
}

func (r *certificateReader) noCertificate() error {
	switch {
	case r.certErr != nil:
		return r.at(r.certErr)
	case r.sawKey:
		return r.at(problem(ErrNoCertificate, "holds a private key but no certificate: "+
			"name the certificate here, and this file in %s", fieldCertificateKey))
	}
	return r.at(problem(ErrNoCertificate, "holds no certificate"))
}

func (r *certificateReader) noKey() error {
	switch {
	case r.keyErr != nil:
		return r.at(r.keyErr)
	case r.field == fieldCertificateKey:
		return r.at(problem(ErrNoKey, "holds no private key: name the file that was made with the certificate's request"))
	}
	return r.at(problem(ErrNoKey, "holds no private key: set %s, or give a .pfx that has it", fieldCertificateKey))
}

// noMatch says why keys has no key for a certificate of main.
func noMatch(main, keys *certificateReader) error {
	const cure = "name the pair that was made together"
	unusable := 0
	for _, c := range main.certs {
		if !isUsableKey(c) {
			unusable++
		}
	}
	switch {
	case keys.keyErr != nil: // the key that cannot be read may be the right one
		return keys.at(keys.keyErr)
	case unusable == len(main.certs):
		return main.at(problem(ErrFormat, "holds a certificate for a kind of key that is not supported: "+
			"have one made of an RSA, an ECDSA or an Ed25519 key"))
	case main.certErr != nil:
		return keys.at(problem(ErrKeyMismatch, "the private key belongs to none of the certificates that can be read: %s; "+
			"besides, %s %v", cure, main.field, main.certErr))
	case keys != main:
		return keys.at(problem(ErrKeyMismatch, "the private key belongs to no certificate of %s: %s", main.field, cure))
	}
	return keys.at(problem(ErrKeyMismatch, "the private key belongs to none of the certificates in it: %s", cure))
}

func isUsableKey(c *x509.Certificate) bool {
	switch c.PublicKey.(type) {
	case *rsa.PublicKey, *ecdsa.PublicKey, ed25519.PublicKey:
		return true
	}
	return false
}
