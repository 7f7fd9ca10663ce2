package tlsconf

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"os"

	"github.com/hawser/hawser"
)

// maxRoots bounds the file of tls.roots, in bytes. All authorities that a
// system trusts take a quarter of a MiB.
const maxRoots = 4 << 20

// Roots returns the authorities of c.TLS.Roots, nil for the system's. A file of
// which a part cannot be read is refused as a whole: crypto/x509 would leave
// that part out and later know no authority. Errors name the field, and match
// [hawser.ErrInvalid] if the file could be read.
func Roots(c hawser.Connection) (*x509.CertPool, error) {
	if c.TLS.Roots == "" {
		return nil, nil
	}
	text, err := readRoots(c.TLS.Roots)
	if err != nil {
		return nil, fmt.Errorf("tls.roots: %w", err)
	}
	pool, fault := parseRoots(text)
	if fault != "" {
		return nil, &hawser.FieldError{Field: "tls.roots", Problem: fmt.Sprintf("%q %s", c.TLS.Roots, fault)}
	}
	return pool, nil
}

// readRoots reads at most one byte more than there may be.
func readRoots(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxRoots+1))
}

const certificateBlock = "CERTIFICATE"

// parseRoots returns the certificates of text, or what is wrong with it. Blocks
// of other types may stand among them.
func parseRoots(text []byte) (pool *x509.CertPool, fault string) {
	if len(text) > maxRoots {
		return nil, fmt.Sprintf("is larger than %d MiB", maxRoots>>20)
	}
	// encoding/pem misses a block that begins behind a byte order mark.
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	if _, err := x509.ParseCertificate(text); err == nil {
		return nil, "is DER; want PEM, which `openssl x509 -inform der -in FILE -out FILE.pem` makes of it"
	}
	// encoding/pem passes over a block that it cannot decode, so count.
	begun := bytes.Count(text, []byte("-----BEGIN "+certificateBlock+"-----"))
	pool = x509.NewCertPool()
	n := 0
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != certificateBlock {
			continue
		}
		n++
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Sprintf("cannot be used: certificate %d of it is not readable: %s", n, hawser.Printable(err.Error()))
		}
		pool.AddCert(cert)
	}
	switch {
	case begun == 0:
		return nil, "holds no certificate; want a PEM file of the authorities to trust"
	case n != begun:
		return nil, fmt.Sprintf("is damaged: %d certificates begin in it, %d can be read", begun, n)
	}
	return pool, ""
}
