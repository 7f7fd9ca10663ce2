package tlsconf

import (
	"crypto"
	"crypto/ed25519"
	"crypto/fips140"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/hawser/hawser/internal/sshkey"
)

// readPKCS12 reads a PFX (RFC 7292).
//
// go-pkcs12 does the cryptography, but reads no file of several keys, nor one
// that has a password and no MAC, and it spends whatever a file asks for, even
// where only what was just decrypted says how much. So the file is taken apart
// here, all that can be seen is checked, and each part is handed over in a small
// PFX of its own; see [sealed].
func (r *certificateReader) readPKCS12(der []byte) {
	file, err := splitPKCS12(firstElement(der))
	if err == nil {
		err = file.verify(r.password)
	}
	if err != nil {
		r.fail(err)
		return
	}
	r.readPKCS12Certificates(file)
	r.readPKCS12Keys(file)
}

func (r *certificateReader) readPKCS12Certificates(file *pkcs12File) {
	for _, der := range file.certificates {
		r.readCertificates(der)
	}
	for _, part := range file.encrypted {
		certs, err := openPKCS12Certificates(part, r.password)
		if err != nil {
			r.fail(err)
		}
		r.certs = append(r.certs, certs...)
	}
}

func (r *certificateReader) readPKCS12Keys(file *pkcs12File) {
	for _, der := range file.keys {
		r.readKey(der)
	}
	for _, bag := range file.shrouded {
		r.sawKey = true
		if len(r.certs) == 0 && r.spare == nil {
			return // there is nothing that it could be for
		}
		if len(r.keys) == maxPrivateKeys {
			r.failKey(errManyKeys())
			return
		}
		key, err := openPKCS12Key(bag, r.anyCertificate(), r.password)
		if err != nil {
			r.failKey(err)
			continue
		}
		r.keys = append(r.keys, key)
	}
}

func (r *certificateReader) anyCertificate() *x509.Certificate {
	if len(r.certs) > 0 {
		return r.certs[0]
	}
	return r.spare
}

// verify checks the MAC of the whole file, if there is one. A file without a
// MAC says only where it is decrypted whether the password is right.
func (f *pkcs12File) verify(password string) error {
	for _, char := range password {
		if char > 0xFFFF {
			return problem(ErrFormat, "is PKCS #12, whose password may have no characters beyond U+FFFF "+
				"(emoji, rare scripts), but tls.certificate.password has: %s", curePKCS12)
		}
	}
	if !f.hasMAC {
		return nil
	}
	// DecodeTrustStore refuses a file with a key, but after its MAC and before
	// the key. So all its other errors say that the MAC is right.
	err := guarded(func() error {
		_, err := pkcs12.DecodeTrustStore(f.der, password)
		return err
	})
	switch {
	case errors.Is(err, errForbidden):
		return err
	case !errors.Is(err, pkcs12.ErrIncorrectPassword):
		return nil
	case password == "":
		return errEncrypted("it")
	}
	return errWrongPassword("it")
}

// openPKCS12Certificates returns what an encrypted part holds. A key goes before
// it, because go-pkcs12 refuses a second one without opening it.
func openPKCS12Certificates(part pkcs12Content, password string) ([]*x509.Certificate, error) {
	der, err := x509.MarshalPKCS8PrivateKey(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
	if err != nil {
		return nil, err
	}
	decoy, err := pkcs12Data(pkcs12Bag{ID: oid(oidKeyBag), Value: explicit(der)})
	if err != nil {
		return nil, err
	}
	_, certs, err := sealed{decoy, part}.open(password)
	var structural asn1.StructuralError
	var syntax asn1.SyntaxError
	switch {
	case err == nil:
		return certs, nil
	case errors.Is(err, errForbidden):
		return nil, err
	case !errors.Is(err, pkcs12.ErrDecryption) && !errors.As(err, &structural) && !errors.As(err, &syntax):
		return nil, problem(ErrFormat, "has an encrypted part that holds a key, or no readable certificate: %s", curePKCS12)
	case password == "":
		return nil, errEncrypted("it")
	}
	return nil, errWrongPassword("it")
}

// openPKCS12Key returns the key of bag. A certificate, any, goes with it,
// because go-pkcs12 returns no key without one.
func openPKCS12Key(bag pkcs12Bag, cert *x509.Certificate, password string) (crypto.Signer, error) {
	der, err := asn1.Marshal(pkcs12Certificate{oid(oidX509), cert.Raw})
	if err != nil {
		return nil, err
	}
	part, err := pkcs12Data(pkcs12Bag{ID: oid(oidCertBag), Value: explicit(der)}, bag)
	if err != nil {
		return nil, err
	}
	key, _, err := sealed{part}.open(password)
	switch {
	case errors.Is(err, errForbidden):
		return nil, err
	case err != nil && password == "":
		return nil, errEncrypted("its private key")
	case err != nil:
		return nil, errWrongPassword("its private key, or that is neither an RSA, an ECDSA nor an Ed25519 key")
	}
	if der, err = x509.MarshalPKCS8PrivateKey(key); err != nil {
		return nil, problem(ErrFormat, "holds a private key that cannot be used: %v", err)
	}
	signer, err := sshkey.ParsePrivate(der, nil) // which checks what x509 leaves out
	if err != nil {
		return nil, problem(ErrFormat, "holds what is %v", err)
	}
	return signer, nil
}

var errForbidden = fmt.Errorf("%w: it needs cryptography that FIPS 140 forbids: "+curePKCS12, ErrFormat)

// guarded calls do, which runs go-pkcs12. Where GODEBUG is fips140=only, a hash
// or a short salt that is forbidden is a panic, for lack of another way to tell.
func guarded(do func() error) (err error) {
	if !fips140.Enabled() {
		return do()
	}
	defer func() {
		if recover() != nil {
			err = errForbidden
		}
	}()
	return do()
}
