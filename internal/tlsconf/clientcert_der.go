package tlsconf

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cryptoasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/sshkey"
)

// What is often given instead of a client certificate, and the cure.
const (
	curePKCS12 = "convert it with openssl pkcs12 -in FILE -out NEWFILE, with -legacy if openssl asks for RC2, " +
		"and name NEWFILE"
	requestProblem = "is a certificate request, not yet a certificate: " +
		"name the file that the authority sent in return"
	revocationsProblem = "is a list of revoked certificates: name the file of the certificate"
	publicProblem      = "is a public key: name the file of the certificate, or that of the private key"
	berProblem         = "is binary BER, of which only the DER form is read: " +
		"convert it with openssl x509 -inform DER -in FILE -out NEWFILE"
)

func pkcs7Problem(option string) string {
	return "is PKCS #7 (.p7b, .p7c), which holds no private key: " +
		"convert it with openssl pkcs7 -print_certs" + option + " -in FILE -out NEWFILE, " +
		"name NEWFILE, and the private key in " + fieldCertificateKey
}

// isDER tells whether data begins with a SEQUENCE, as DER of all kinds does.
func isDER(data []byte) bool {
	s := cryptobyte.String(data)
	var element cryptobyte.String
	return isIndefinite(data) || s.ReadASN1Element(&element, cryptoasn1.SEQUENCE)
}

// isIndefinite tells BER of indefinite length (X.690, section 8.1.3.6), which
// Firefox and old versions of Java write.
func isIndefinite(data []byte) bool {
	return len(data) > 1 && data[0] == 0x30 && data[1] == 0x80
}

// readDER reads data, of which [isDER] holds.
func (r *certificateReader) readDER(data []byte) {
	switch kind := kindOfDER(data); kind {
	case kindCertificate:
		r.readCertificates(data)
	case kindPKCS12:
		r.readPKCS12(data)
	case kindOther:
		if _, err := sshkey.ParsePrivate(data, nil); errors.Is(err, sshkey.ErrFormat) {
			r.fail(problem(ErrFormat, "is %v", err))
			return
		}
		r.readKey(data)
	default:
		r.fail(problem(ErrFormat, "%s", kind))
	}
}

// The kinds of DER that are read. Every other is what an error says of it.
const (
	kindCertificate = "a certificate"
	kindPKCS12      = "PKCS #12"
	kindOther       = "a private key, if anything"
)

// kindOfDER tells the kind by the first parts of the SEQUENCE.
func kindOfDER(data []byte) string {
	if isIndefinite(data) {
		return kindOfBER(data[2:])
	}
	outer, inner := cryptobyte.String(data), cryptobyte.String(nil)
	if !outer.ReadASN1(&inner, cryptoasn1.SEQUENCE) {
		return kindOther
	}
	var first, second, third cryptobyte.String
	var tags [3]cryptoasn1.Tag
	for i, part := range []*cryptobyte.String{&first, &second, &third} {
		inner.ReadAnyASN1Element(part, &tags[i])
	}
	const none = cryptoasn1.Tag(0)
	switch tags {
	case [3]cryptoasn1.Tag{cryptoasn1.SEQUENCE, cryptoasn1.SEQUENCE, cryptoasn1.BIT_STRING}:
		return kindOfSigned(data)
	case [3]cryptoasn1.Tag{cryptoasn1.SEQUENCE, cryptoasn1.BIT_STRING, none},
		[3]cryptoasn1.Tag{cryptoasn1.INTEGER, cryptoasn1.INTEGER, none}:
		return publicProblem
	}
	switch {
	case isPKCS7(first):
		return pkcs7Problem(" -inform DER")
	case isVersion3(first) && tags[1] == cryptoasn1.SEQUENCE:
		return kindPKCS12
	}
	return kindOther
}

// kindOfBER tells what stands behind an indefinite length.
func kindOfBER(inner []byte) string {
	switch {
	case isPKCS7(inner):
		return pkcs7Problem(" -inform DER")
	case isVersion3(inner):
		return "is PKCS #12 in BER, of which only the DER form is read: " + curePKCS12
	}
	return berProblem
}

// kindOfSigned tells what a SEQUENCE of something, an algorithm and a signature is.
func kindOfSigned(data []byte) string {
	first := firstElement(data)
	if _, err := x509.ParseCertificateRequest(first); err == nil {
		return requestProblem
	}
	if _, err := x509.ParseRevocationList(first); err == nil {
		return revocationsProblem
	}
	return kindCertificate
}

// isPKCS7 tells whether der begins with the type of a ContentInfo (RFC 2315,
// section 14).
func isPKCS7(der []byte) bool {
	var oid asn1.ObjectIdentifier
	s := cryptobyte.String(der)
	return s.ReadASN1ObjectIdentifier(&oid) && strings.HasPrefix(oid.String(), "1.2.840.113549.1.7.")
}

// isVersion3 tells whether der begins with the version of a PFX (RFC 7292,
// section 4). Private keys have 0 or 1 there.
func isVersion3(der []byte) bool {
	return bytes.HasPrefix(der, []byte{0x02, 1, 3})
}

// readCertificates reads the certificate at the beginning of data, and those
// that follow it. What follows and is none is left out: OpenSSL puts the uses
// that it trusts a TRUSTED CERTIFICATE for behind it.
func (r *certificateReader) readCertificates(data []byte) {
	for read := 0; ; read++ {
		first := firstElement(data)
		if first == nil && read > 0 {
			return
		}
		c, err := x509.ParseCertificate(first)
		if err != nil {
			if read == 0 {
				r.failCertificate(problem(ErrFormat, "holds a certificate that cannot be read (%s): "+
					"copy it again, or have it made anew", hawser.Printable(err.Error())))
			}
			return
		}
		r.certs = append(r.certs, c)
		data = data[len(first):]
	}
}

// firstElement returns the first element of data with its header, or nil.
func firstElement(data []byte) []byte {
	s := cryptobyte.String(data)
	var element cryptobyte.String
	if !s.ReadASN1Element(&element, cryptoasn1.SEQUENCE) {
		return nil
	}
	return element
}

// nameStore names the key stores of Java, of which it has two formats.
func nameStore(data []byte) string {
	for _, magic := range []string{"\xfe\xed\xfe\xed", "\xce\xce\xce\xce"} {
		if bytes.HasPrefix(data, []byte(magic)) {
			return "is a Java key store (JKS): convert it with keytool -importkeystore " +
				"-srckeystore FILE -destkeystore NEWFILE -deststoretype PKCS12, and name NEWFILE"
		}
	}
	return ""
}
