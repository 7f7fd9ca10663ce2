package tlsconf_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
	"software.sslmate.com/src/go-pkcs12"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testcert"
	"github.com/hawser/hawser/internal/tlsconf"
)

// clientFile is a way to give a certificate and its key.
type clientFile struct {
	content, key []byte
	password     string
}

// clientFiles is p in every format that Go can write.
func (p clientPKI) clientFiles(t testing.TB) map[string]clientFile {
	t.Helper()
	cert, chain := testcert.PEM(p.client), testcert.PEM(p.client, p.middle)
	plain, encrypted := clientKeyDER(t, p.client.Key, ""), clientKeyDER(t, p.client.Key, clientPassword)
	plainPEM := clientPEM("PRIVATE KEY", plain)
	all := map[string]clientFile{
		"PEM":                        {joined(chain, plainPEM), nil, ""},
		"PEM, key first":             {joined(plainPEM, testcert.PEM(p.middle, p.root, p.client)), nil, ""},
		"PEM, encrypted key":         {joined(chain, clientPEM("ENCRYPTED PRIVATE KEY", encrypted)), nil, clientPassword},
		"PEM, needless password":     {joined(chain, plainPEM), nil, clientPassword},
		"PEM, key file":              {chain, plainPEM, ""},
		"PEM, chain in the key file": {cert, joined(plainPEM, chain), ""},
		"PEM, DER key":               {chain, plain, ""},
		"PEM, encrypted DER key":     {chain, encrypted, clientPassword},
		"PEM, base64 key":            {chain, []byte(base64.StdEncoding.EncodeToString(plain)), ""},
		"PEM, OpenSSH key":           {chain, opensshText(t, p.client.Key), ""},
		"DER, key file":              {p.client.Cert.Raw, joined(plainPEM, testcert.PEM(p.middle)), ""},
		"DER of the chain":           {joined(p.client.Cert.Raw, p.middle.Cert.Raw), plainPEM, ""},
		"base64 of DER":              {wrapped(joined(p.client.Cert.Raw, p.middle.Cert.Raw)), plainPEM, ""},
		"base64 of PEM":              {wrapped(joined(chain, plainPEM)), nil, ""},
		"X509 CERTIFICATE":           {joined(clientPEM("X509 CERTIFICATE", p.client.Cert.Raw), testcert.PEM(p.middle), plainPEM), nil, ""},
		"TRUSTED CERTIFICATE": {
			joined(clientPEM("TRUSTED CERTIFICATE", append(p.client.Cert.Raw, 0x30, 2, 5, 0)), testcert.PEM(p.middle), plainPEM), nil, "",
		},
		"pfx in PEM":              {clientPEM("PKCS12", p.pfx(t, pkcs12.Modern2023, "")), nil, ""},
		"pfx in a CERTIFICATE":    {clientPEM("CERTIFICATE", p.pfx(t, pkcs12.Modern2023, "")), nil, ""},
		"pfx as key file":         {chain, p.pfx(t, pkcs12.Modern2023, clientPassword), clientPassword},
		"pfx with key file":       {p.pfx(t, pkcs12.Modern2023, clientPassword), plainPEM, clientPassword},
		"pfx, then a line end":    {append(p.pfx(t, pkcs12.Modern2023, ""), '\r', '\n'), nil, ""},
		"pfx without encryption":  {p.pfx(t, pkcs12.Passwordless, ""), nil, ""},
		"same, needless password": {p.pfx(t, pkcs12.Passwordless, ""), nil, clientPassword},
	}
	for name, enc := range map[string]*pkcs12.Encoder{
		"RC2": pkcs12.LegacyRC2, "3DES": pkcs12.LegacyDES, "AES": pkcs12.Modern2023, "PBMAC1": pkcs12.Modern2026,
	} {
		all["pfx, "+name] = clientFile{p.pfx(t, enc, clientPassword), nil, clientPassword}
		all["pfx, "+name+", no password"] = clientFile{p.pfx(t, enc, ""), nil, ""}
		all["pfx, "+name+", base64"] = clientFile{wrapped(p.pfx(t, enc, clientPassword)), nil, clientPassword}
	}
	switch key := p.client.Key.(type) {
	case *rsa.PrivateKey:
		der := x509.MarshalPKCS1PrivateKey(key)
		all["PKCS #1"] = clientFile{chain, clientPEM("RSA PRIVATE KEY", der), ""}
		all["PKCS #1, DER"] = clientFile{chain, der, ""}
		all["PKCS #1, DEK-Info"] = clientFile{joined(legacyText(t, "RSA PRIVATE KEY", der), chain), nil, clientPassword}
	case *ecdsa.PrivateKey:
		der, err := x509.MarshalECPrivateKey(key)
		require.NoError(t, err)
		all["SEC 1"] = clientFile{chain, joined(clientPEM("EC PARAMETERS", der[:2]), clientPEM("EC PRIVATE KEY", der)), ""}
		all["SEC 1, DER"] = clientFile{chain, der, ""}
		all["SEC 1, DEK-Info"] = clientFile{joined(chain, legacyText(t, "EC PRIVATE KEY", der)), nil, clientPassword}
	}
	return all
}

func opensshText(t testing.TB, key crypto.Signer) []byte {
	t.Helper()
	block, err := ssh.MarshalPrivateKey(key, "comment")
	require.NoError(t, err)
	return pem.EncodeToMemory(block)
}

func legacyText(t testing.TB, blockType string, der []byte) []byte {
	t.Helper()
	//lint:ignore SA1019 the format is weak, but it is what many key files are in
	block, err := x509.EncryptPEMBlock(rand.Reader, blockType, der, []byte(clientPassword), x509.PEMCipherAES256)
	require.NoError(t, err)
	return pem.EncodeToMemory(block)
}

// wrapped is base64 in the lines of Windows.
func wrapped(data []byte) []byte {
	text, lines := base64.StdEncoding.EncodeToString(data), []string(nil)
	for len(text) > 64 {
		lines, text = append(lines, text[:64]), text[64:]
	}
	return []byte(strings.Join(append(lines, text, ""), "\r\n"))
}

func TestEveryFormatLogsIn(t *testing.T) {
	t.Parallel()
	for keyName, key := range clientKeys(t) {
		p := newClientPKI(t, key)
		for name, file := range p.clientFiles(t) {
			t.Run(keyName+" "+name, func(t *testing.T) {
				t.Parallel()
				cert, err := loadClient(t, file.content, file.key, file.password)
				require.NoError(t, err)
				p.requireLogsIn(t, cert)
				assert.Equal(t, p.middle.Cert.Raw, cert.Certificate[1])
			})
		}
	}
}

// TestEncryptedOpenSSHKeyLogsIn is apart, because bcrypt takes seconds under
// the race detector.
func TestEncryptedOpenSSHKeyLogsIn(t *testing.T) {
	t.Parallel()
	p := newClientPKI(t, clientKeys(t)["Ed25519"])
	block, err := ssh.MarshalPrivateKeyWithPassphrase(p.client.Key, "comment", []byte(clientPassword))
	require.NoError(t, err)
	chain, key := testcert.PEM(p.client, p.middle), pem.EncodeToMemory(block)
	cert, err := loadClient(t, chain, key, clientPassword)
	require.NoError(t, err)
	p.requireLogsIn(t, cert)
	cert, err = loadClient(t, chain, key, "guess")
	requireClientProblem(t, cert, err, tlsconf.ErrPassword, "tls.certificate.password does not open the private key")
	cert, err = loadClient(t, chain, key, "")
	requireClientProblem(t, cert, err, tlsconf.ErrPassword, "is encrypted: set tls.certificate.password")
}

func TestTextAroundPEMDoesNotMatter(t *testing.T) {
	t.Parallel()
	p := newClientPKI(t, testcert.NewKey(t))
	text := string(joined(testcert.PEM(p.client), testcert.PEM(p.middle), testcert.KeyPEM(t, p.client)))
	attributes := "Bag Attributes\n    localKeyID: 01 \n    friendlyName: me\nsubject=CN = me\n\nissuer=CN = ca\n\n"
	tests := map[string]string{
		"Bag Attributes":         strings.ReplaceAll(text, "-----BEGIN", attributes+"-----BEGIN"),
		"a byte order mark":      "\xef\xbb\xbf" + text,
		"line ends of Windows":   strings.ReplaceAll(text, "\n", "\r\n"),
		"blank lines":            "\n \n" + strings.ReplaceAll(text, "-----END CERTIFICATE-----", "-----END CERTIFICATE-----\n\n"),
		"what is no ASCII":       "Schlüssel für die Bank\n" + text,
		"other blocks":           text + string(clientPEM("DH PARAMETERS", []byte{0x30, 0})) + string(clientPEM("X509 CRL", []byte{0x30, 0})),
		"no line end at the end": strings.TrimSpace(text),
	}
	for name, text := range tests {
		cert, err := loadClient(t, []byte(text), nil, "")
		require.NoError(t, err, name)
		p.requireLogsIn(t, cert)
	}
}

func TestContentIsReadAsAFileIs(t *testing.T) {
	t.Parallel()
	p := newClientPKI(t, testcert.NewKey(t))
	pfx := p.pfx(t, pkcs12.Modern2023, clientPassword)
	tests := map[string]string{
		"PEM":             string(joined(testcert.PEM(p.client, p.middle), testcert.KeyPEM(t, p.client))),
		"base64":          base64.StdEncoding.EncodeToString(pfx),
		"base64 in lines": string(wrapped(pfx)),
		"raw base64":      base64.RawStdEncoding.EncodeToString(pfx),
		"raw bytes":       string(pfx),
	}
	for name, content := range tests {
		cert, err := tlsconf.LoadCertificate(hawser.Certificate{
			Content: hawser.NewSecret(content), Password: hawser.NewSecret(clientPassword),
		})
		require.NoError(t, err, name)
		p.requireLogsIn(t, cert)
	}
	t.Run("with a key file", func(t *testing.T) {
		t.Parallel()
		cert, err := tlsconf.LoadCertificate(hawser.Certificate{
			Content: hawser.NewSecret(string(testcert.PEM(p.client, p.middle))),
			KeyFile: testcert.File(t, "key", testcert.KeyPEM(t, p.client)),
		})
		require.NoError(t, err)
		p.requireLogsIn(t, cert)
	})
}

func TestTheZeroCertificateIsNone(t *testing.T) {
	t.Parallel()
	cert, err := tlsconf.LoadCertificate(hawser.Certificate{})
	require.NoError(t, err)
	assert.Zero(t, cert)
}

func TestWhichCertificateIsTheClients(t *testing.T) {
	t.Parallel()
	p, other := newClientPKI(t, testcert.NewKey(t)), newClientPKI(t, testcert.NewKey(t))
	self := testcert.Root(t)
	all := testcert.PEM(p.root, p.middle, p.client)
	keys := joined(testcert.KeyPEM(t, p.root), testcert.KeyPEM(t, p.middle), testcert.KeyPEM(t, p.client))
	tests := map[string]struct {
		content, key []byte
		want         *testcert.Pair
	}{
		"not the authority's, though its key is there":   {joined(all, keys), nil, p.client},
		"the authority's, if there is no other":          {joined(testcert.PEM(self), testcert.KeyPEM(t, self)), nil, self},
		"the one that the key is of":                     {joined(testcert.PEM(other.client), all, testcert.KeyPEM(t, p.client)), nil, p.client},
		"the first of two that have keys":                {joined(testcert.PEM(p.client, other.client), testcert.KeyPEM(t, other.client), keys), nil, p.client},
		"the one of the key file":                        {joined(testcert.PEM(p.client, other.client), testcert.KeyPEM(t, p.client)), testcert.KeyPEM(t, other.client), other.client},
		"never one of the key file itself":               {testcert.PEM(p.client), joined(testcert.PEM(other.client), keys), p.client},
		"one whose neighbour cannot be read":             {joined(clientPEM("CERTIFICATE", []byte{0x30, 0}), testcert.PEM(p.client), keys), nil, p.client},
		"one whose key has an unreadable neighbour":      {joined(clientPEM("PRIVATE KEY", []byte{0x30, 0}), testcert.PEM(p.client), keys), nil, p.client},
		"one with an encrypted neighbour, by a key file": {joined(clientPEM("ENCRYPTED PRIVATE KEY", []byte{0x30, 0}), testcert.PEM(p.client)), keys, p.client},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cert, err := loadClient(t, test.content, test.key, "")
			require.NoError(t, err)
			assert.Equal(t, test.want.Cert.Raw, cert.Certificate[0])
			assert.Equal(t, test.want.Cert, cert.Leaf)
			assert.True(t, cert.PrivateKey.(crypto.Signer).Public().(*ecdsa.PublicKey).Equal(test.want.Key.Public()))
		})
	}
}
