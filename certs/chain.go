package certs

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/hawser/hawser/internal/tlsconf"
)

// A Chain is the certificates that a server presented, its own first. In JSON
// it is a list of their DER in base64.
type Chain []*x509.Certificate

// maxChainSize bounds what is kept of a chain, in bytes: a server can present
// a quarter of a MiB, and a store keeps some hundred questions.
const maxChainSize = 32 << 10

// MarshalJSON writes the DER of each certificate.
func (c Chain) MarshalJSON() ([]byte, error) {
	ders := make([][]byte, len(c))
	for i, cert := range c {
		ders[i] = cert.Raw
	}
	return json.Marshal(ders)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (c *Chain) UnmarshalJSON(data []byte) error {
	var ders [][]byte
	if err := json.Unmarshal(data, &ders); err != nil {
		return err
	}
	*c = nil
	for i, der := range ders {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return fmt.Errorf("certificate %d of a chain: %s", i, quoted(err.Error()))
		}
		*c = append(*c, cert)
	}
	return nil
}

// bounded returns as many of the first certificates as may be kept.
func (c Chain) bounded() Chain {
	size := 0
	for i, cert := range c {
		if size += len(cert.Raw); size > maxChainSize {
			return c[:i:i]
		}
	}
	return c[:len(c):len(c)]
}

// Fingerprint returns the SHA-256 fingerprint of cert as "SHA256:" and what
// `openssl x509 -noout -fingerprint -sha256` prints: upper case, with colons.
func Fingerprint(cert *x509.Certificate) string {
	return tlsconf.Fingerprint(cert)
}

const printPrefix = "SHA256:"

// parsePrintTLS returns s, a fingerprint in any of the ways that people write
// it, as Fingerprint does.
func parsePrintTLS(s string) (string, error) {
	text, ok := strings.CutPrefix(s, printPrefix)
	sum, err := hex.DecodeString(strings.ReplaceAll(text, ":", ""))
	if !ok || err != nil || len(sum) != sha256.Size {
		return "", fmt.Errorf("%q is not the fingerprint of a certificate; want SHA256: and what `openssl x509 -noout -fingerprint -sha256` prints", quoted(s))
	}
	return printPrefix + strings.ReplaceAll(fmt.Sprintf("% X", sum), " ", ":"), nil
}
