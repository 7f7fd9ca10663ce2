package tlsconf

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/hawser/hawser/internal/sshkey"
)

// A certificateReader collects what one file holds. A part that cannot be read
// is no error yet: the file may hold what is needed nevertheless.
type certificateReader struct {
	field    string // that errors are about
	password string
	spare    *x509.Certificate // for a key in PKCS #12 that has none beside it

	certs   []*x509.Certificate
	keys    []crypto.Signer
	sawKey  bool  // also one that cannot be read
	certErr error // of the first part that may have been a certificate
	keyErr  error // of the first part that may have been a key
}

// fail keeps err for a part that may have been anything.
func (r *certificateReader) fail(err error) {
	r.failCertificate(err)
	r.failKey(err)
}

func (r *certificateReader) failCertificate(err error) {
	if r.certErr == nil {
		r.certErr = err
	}
}

func (r *certificateReader) failKey(err error) {
	if r.keyErr == nil {
		r.keyErr = err
	}
}

// read reads data of any format.
func (r *certificateReader) read(data []byte) {
	if isDER(data) {
		r.readDER(data)
		return
	}
	text := bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")))
	if bytes.Contains(text, []byte(pemBegin)) {
		r.readPEM(text)
		return
	}
	if name := nameStore(data); name != "" {
		r.fail(problem(ErrFormat, "%s", name))
		return
	}
	if inner := unwrapBase64(text); inner != nil {
		r.read(inner) // which is no base64 again, so this ends
		return
	}
	r.readOther(text)
}

const pemBegin = "-----BEGIN "

// readPEM reads all blocks; other text between them is left alone (RFC 7468,
// section 2).
func (r *certificateReader) readPEM(text []byte) {
	begun, read, other := bytes.Count(text, []byte(pemBegin)), 0, ""
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			break
		}
		read++
		if name := r.readBlock(block); other == "" {
			other = name
		}
		text = rest
	}
	if read < begun {
		other = "is a damaged PEM file: copy it again, with all its lines and line breaks"
	}
	if other == "" {
		return
	}
	// What cannot be read matters where something is missing.
	if len(r.certs) == 0 {
		r.failCertificate(problem(ErrFormat, "%s", other))
	}
	if len(r.keys) == 0 && (read < begun || !r.sawKey && len(r.certs) == 0) {
		r.failKey(problem(ErrFormat, "%s", other))
	}
}

// readBlock reads one block, or returns what it is if it is of no use.
func (r *certificateReader) readBlock(block *pem.Block) (other string) {
	switch block.Type {
	case "CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE":
		if kindOfDER(block.Bytes) == kindOther {
			r.readCertificates(block.Bytes) // which says that it is none
			return ""
		}
		r.readDER(block.Bytes) // certutil -encode of Windows calls whatever it encodes a CERTIFICATE
		return ""
	case "PKCS12": // of GnuTLS
		r.readDER(block.Bytes)
		return ""
	case "PKCS7", "PKCS #7 SIGNED DATA", "CMS":
		return pkcs7Problem("")
	case "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST":
		return requestProblem
	case "X509 CRL":
		return revocationsProblem
	case "PUBLIC KEY", "RSA PUBLIC KEY":
		return publicProblem
	}
	if strings.HasSuffix(block.Type, "PRIVATE KEY") {
		r.readKey(pem.EncodeToMemory(block))
	}
	return ""
}

// readKey reads one private key of any format but PKCS #12.
func (r *certificateReader) readKey(data []byte) {
	r.sawKey = true
	if len(r.keys) == maxPrivateKeys {
		r.failKey(errManyKeys())
		return
	}
	key, err := sshkey.ParsePrivate(data, []byte(r.password))
	switch {
	case err == nil:
		r.keys = append(r.keys, key)
	case errors.Is(err, sshkey.ErrPassphraseMissing):
		r.failKey(errEncrypted("the private key"))
	case errors.Is(err, sshkey.ErrPassphraseWrong):
		r.failKey(errWrongPassword("the private key"))
	default:
		r.failKey(problem(ErrFormat, "holds what is %v", err))
	}
}

// readOther reads what is neither PEM nor DER: a PuTTY key, or nothing known.
func (r *certificateReader) readOther(text []byte) {
	if bytes.HasPrefix(text, []byte("PuTTY-User-Key-File-")) {
		r.readKey(text)
		return
	}
	r.failCertificate(problem(ErrFormat, "%s", nameText(text)))
	_, err := sshkey.ParsePrivate(text, nil) // which says what it is instead of a key
	r.failKey(problem(ErrFormat, "is %v", err))
}

// nameText names text that holds no certificate.
func nameText(text []byte) string {
	switch {
	case len(text) == 0:
		return "is empty"
	case bytes.HasPrefix(text, []byte("\xff\xfe")), bytes.HasPrefix(text, []byte("\xfe\xff")),
		len(text) > 1 && (text[0] == 0) != (text[1] == 0):
		return "is UTF-16 text: save it again as ASCII or UTF-8"
	case text[0] == 0x30 && !utf8.Valid(text):
		return "is binary data that was cut off or changed: copy it again, in binary mode"
	}
	return "is neither PEM, DER, the base64 of it, nor PKCS #12 (.pfx)"
}

// unwrapBase64 returns what text is the base64 of, with or without padding and
// line ends, or nil if that is nothing that could hold a certificate or a key.
func unwrapBase64(text []byte) []byte {
	bare := bytes.TrimRight(bytes.Join(bytes.Fields(text), nil), "=")
	inner := make([]byte, base64.RawStdEncoding.DecodedLen(len(bare)))
	if _, err := base64.RawStdEncoding.Decode(inner, bare); err != nil {
		return nil
	}
	if isDER(inner) || bytes.Contains(inner, []byte(pemBegin)) || nameStore(inner) != "" {
		return inner
	}
	return nil
}
