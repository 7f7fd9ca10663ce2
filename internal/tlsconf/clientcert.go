package tlsconf

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/hawser/hawser"
)

const (
	// maxCertificateFile bounds what is read as a certificate or a key, in bytes.
	maxCertificateFile = 1 << 20

	// maxPrivateKeys bounds the keys of one file. Opening an encrypted one may
	// take seconds, and only one is of use.
	maxPrivateKeys = 4

	// longestPath is the longest name of a file, in bytes, that an error repeats.
	longestPath = 500
)

// The fields that errors begin with.
const (
	fieldCertificateFile    = "tls.certificate.file"
	fieldCertificateContent = "tls.certificate.content"
	fieldCertificateKey     = "tls.certificate.key_file"
)

// LoadCertificate reads the client certificate c, whose secrets are resolved,
// and its key. The zero c has none: LoadCertificate returns the zero
// tls.Certificate and nil.
//
// Formats are told apart by content, never by file name: PEM with any number of
// certificates and keys in any order and with text around them, a certificate or
// a key in DER, the base64 of either without PEM's lines, PKCS #12 (.pfx, .p12),
// and for the key all that [sshkey.ParsePrivate] reads. c.Password opens
// whatever is encrypted, and is ignored for what is not.
//
// With c.KeyFile the key is taken from there, and keys beside the certificate
// are ignored. Where several certificates have a key, the first that is not an
// authority's is the one.
//
// The result has Leaf and PrivateKey, an *rsa.PrivateKey, an *ecdsa.PrivateKey
// or an ed25519.PrivateKey, and in Certificate the leaf and then its issuers,
// each the issuer of the one before, as far as the files have them. Whether the
// certificate is valid is for the server to judge.
//
// Errors begin with the field that they are about, and match [ErrPassword],
// [ErrFormat], [ErrNoKey], [ErrKeyMismatch] or [ErrNoCertificate], or what the
// system said of a file. They hold neither the password nor any of a key.
func LoadCertificate(c hawser.Certificate) (tls.Certificate, error) {
	if c.File == "" && c.Content.IsZero() && c.KeyFile == "" && c.Password.IsZero() {
		return tls.Certificate{}, nil
	}
	main, err := loadMain(c)
	if err != nil {
		return tls.Certificate{}, err
	}
	if len(main.certs) == 0 {
		return tls.Certificate{}, main.noCertificate()
	}
	keys := main
	if c.KeyFile != "" {
		if keys, err = loadKeyFile(c, main.certs[0]); err != nil {
			return tls.Certificate{}, err
		}
	}
	return joinCertificate(main, keys)
}

// loadMain reads what c.File or c.Content holds.
func loadMain(c hawser.Certificate) (*certificateReader, error) {
	r := &certificateReader{field: fieldCertificateFile, password: c.Password.Reveal()}
	data := []byte(c.Content.Reveal())
	switch {
	case c.File != "" && !c.Content.IsZero():
		return nil, r.at(problem(ErrFormat, "set it or %s, not both", fieldCertificateContent))
	case c.File != "":
		var err error
		if data, err = readCertificateFile(c.File); err != nil {
			return nil, r.at(err)
		}
	case c.Content.IsZero():
		return nil, r.at(problem(ErrNoCertificate, "is not set: name the file of the certificate"))
	default:
		r.field = fieldCertificateContent
		if len(data) > maxCertificateFile {
			return nil, r.at(errTooLarge())
		}
	}
	r.read(data)
	return r, nil
}

// loadKeyFile reads c.KeyFile; cert is any certificate.
func loadKeyFile(c hawser.Certificate, cert *x509.Certificate) (*certificateReader, error) {
	r := &certificateReader{field: fieldCertificateKey, password: c.Password.Reveal(), spare: cert}
	data, err := readCertificateFile(c.KeyFile)
	if err != nil {
		return nil, r.at(err)
	}
	r.read(data)
	return r, nil
}

// readCertificateFile reads the file at path. Its error does not repeat a path
// that cannot be one: people paste the certificate, or the key, itself.
func readCertificateFile(path string) ([]byte, error) {
	if len(path) > longestPath || strings.Contains(path, "\n") {
		return nil, problem(ErrFormat, "is no name of a file: what holds the certificate itself goes into %s",
			fieldCertificateContent)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, printablePath(err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxCertificateFile+1))
	if err != nil {
		return nil, printablePath(err)
	}
	if len(b) > maxCertificateFile {
		return nil, errTooLarge()
	}
	return b, nil
}

func printablePath(err error) error {
	var e *fs.PathError
	if !errors.As(err, &e) {
		return err
	}
	return fmt.Errorf("%s %s: %w", e.Op, hawser.Printable(e.Path), e.Err)
}

// joinCertificate finds the certificate of main that a key of keys belongs to.
// The two are the same reader if there is but one file.
func joinCertificate(main, keys *certificateReader) (tls.Certificate, error) {
	if len(keys.keys) == 0 {
		return tls.Certificate{}, keys.noKey()
	}
	leaf, key := chooseLeaf(main.certs, keys.keys)
	if leaf == nil {
		return tls.Certificate{}, noMatch(main, keys)
	}
	pool := main.certs
	if keys != main {
		pool = slices.Concat(main.certs, keys.certs)
	}
	return tls.Certificate{Certificate: chainOf(leaf, pool), PrivateKey: key, Leaf: leaf}, nil
}

// chooseLeaf returns the first certificate that has a key, those of authorities
// last: files made by hand hold the authority and its key too.
func chooseLeaf(certs []*x509.Certificate, keys []crypto.Signer) (leaf *x509.Certificate, key crypto.Signer) {
	for _, c := range certs {
		k := keyOf(c, keys)
		switch {
		case k == nil:
		case !c.IsCA:
			return c, k
		case leaf == nil:
			leaf, key = c, k
		}
	}
	return leaf, key
}

func keyOf(c *x509.Certificate, keys []crypto.Signer) crypto.Signer {
	public, ok := c.PublicKey.(interface{ Equal(x crypto.PublicKey) bool })
	if !ok {
		return nil
	}
	for _, k := range keys {
		if public.Equal(k.Public()) {
			return k
		}
	}
	return nil
}
