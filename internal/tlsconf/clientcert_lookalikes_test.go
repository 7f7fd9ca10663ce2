package tlsconf_test

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
	"software.sslmate.com/src/go-pkcs12"

	"github.com/hawser/hawser/internal/testcert"
)

type lookalike struct {
	data []byte
	want string
}

// lookalikes is what is given instead of a certificate.
func lookalikes(t testing.TB, p clientPKI) map[string]lookalike {
	t.Helper()
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, p.client.Key)
	require.NoError(t, err)
	public, err := x509.MarshalPKIXPublicKey(p.client.Key.Public())
	require.NoError(t, err)
	rsaKey, err := clientRSA()
	require.NoError(t, err)
	revoked, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(1)}, p.root.Cert, p.root.Key)
	require.NoError(t, err)
	sshPublic, err := ssh.NewPublicKey(p.client.Key.Public())
	require.NoError(t, err)
	pfx := p.pfx(t, pkcs12.Modern2023, clientPassword)
	p7b := pkcs7(t, p.client.Cert.Raw)
	text := testcert.PEM(p.client)
	var wide []byte
	for _, char := range text {
		wide = append(wide, char, 0)
	}
	return map[string]lookalike{
		"nothing":               {[]byte{}, "is empty"},
		"blank space":           {[]byte(" \r\n"), "is empty"},
		"a request, PEM":        {clientPEM("CERTIFICATE REQUEST", request), "is a certificate request, not yet a certificate"},
		"a request, DER":        {request, "is a certificate request"},
		"a request, base64":     {wrapped(request), "is a certificate request"},
		"a request by Windows":  {clientPEM("NEW CERTIFICATE REQUEST", request), "is a certificate request"},
		"a public key, PEM":     {clientPEM("PUBLIC KEY", public), "is a public key"},
		"a public key, DER":     {public, "is a public key"},
		"an RSA public key":     {x509.MarshalPKCS1PublicKey(&rsaKey.PublicKey), "is a public key"},
		"revocations, PEM":      {clientPEM("X509 CRL", revoked), "is a list of revoked certificates"},
		"revocations, DER":      {revoked, "is a list of revoked certificates"},
		"PKCS #7, PEM":          {clientPEM("PKCS7", p7b), "openssl pkcs7 -print_certs -in FILE -out NEWFILE"},
		"PKCS #7, DER":          {p7b, "openssl pkcs7 -print_certs -inform DER -in FILE -out NEWFILE"},
		"PKCS #7, BER":          {joined([]byte{0x30, 0x80}, p7b[4:], []byte{0, 0}), "openssl pkcs7 -print_certs -inform DER"},
		"PKCS #12, BER":         {joined([]byte{0x30, 0x80}, pfx[4:], []byte{0, 0}), "is PKCS #12 in BER, of which only the DER form is read: convert it with openssl pkcs12"},
		"other BER":             {[]byte{0x30, 0x80, 0, 0}, "is binary BER"},
		"PKCS #12 cut off":      {pfx[:len(pfx)-9], "copy it again, in binary mode"},
		"PKCS #12 by FTP ASCII": {[]byte(strings.ReplaceAll(string(pfx[:200]), "\x00", "")), "copy it again, in binary mode"},
		"a Java key store":      {[]byte("\xfe\xed\xfe\xed\x00\x00\x00\x02"), "keytool -importkeystore"},
		"a JCE key store":       {[]byte("\xce\xce\xce\xce\x00\x00\x00\x02"), "keytool -importkeystore"},
		"UTF-16":                {joined([]byte("\xff\xfe"), wide), "is UTF-16 text"},
		"UTF-16 without a mark": {wide, "is UTF-16 text"},
		"an SSH public key":     {ssh.MarshalAuthorizedKey(sshPublic), "is neither PEM, DER"},
		"prose":                 {[]byte("see the file server"), "is neither PEM, DER, the base64 of it, nor PKCS #12 (.pfx)"},
		"base64 of prose":       {[]byte("c2VlIHRoZSBmaWxlIHNlcnZlcg=="), "is neither PEM, DER"},
		"other DER":             {[]byte{0x30, 3, 2, 1, 0xff}, "is binary, but neither"},
		"a mebibyte":            {make([]byte, 1<<20+1), "is larger than 1 MiB"},
	}
}

// pkcs7 is a certificate in what .p7b files hold (RFC 2315, section 9.1).
func pkcs7(t testing.TB, cert []byte) []byte {
	t.Helper()
	data := asn1.RawValue{FullBytes: clientDER(t, struct{ Type asn1.ObjectIdentifier }{pkcs7OID(1)})}
	return clientDER(t, struct {
		Type    asn1.ObjectIdentifier
		Content any `asn1:"tag:0,explicit"`
	}{pkcs7OID(2), struct {
		Version      int
		Digests      []int `asn1:"set"`
		Content      asn1.RawValue
		Certificates asn1.RawValue
		Signers      []int `asn1:"set"`
	}{1, nil, data, asn1.RawValue{Class: asn1.ClassContextSpecific, IsCompound: true, Bytes: cert}, nil}})
}

func pkcs7OID(kind int) asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, kind}
}

func clientDER(t testing.TB, value any) []byte {
	t.Helper()
	der, err := asn1.Marshal(value)
	require.NoError(t, err)
	return der
}
