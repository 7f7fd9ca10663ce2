package tlsconf_test

import (
	"crypto/rsa"
	"encoding/pem"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testcert"
	"github.com/hawser/hawser/internal/tlsconf"
)

// TestEveryFormatWithAWrongPassword takes each file that needs its password
// with another one, and without any.
func TestEveryFormatWithAWrongPassword(t *testing.T) {
	t.Parallel()
	for keyName, key := range clientKeys(t) {
		p := newClientPKI(t, key)
		for name, file := range p.clientFiles(t) {
			if file.password == "" || strings.Contains(name, "needless") {
				continue
			}
			t.Run(keyName+" "+name, func(t *testing.T) {
				t.Parallel()
				cert, err := loadClient(t, file.content, file.key, "")
				requireClientProblem(t, cert, err, tlsconf.ErrPassword, "is encrypted: set tls.certificate.password")
				cert, err = loadClient(t, file.content, file.key, "guess-"+clientPassword)
				requireClientProblem(t, cert, err, tlsconf.ErrPassword, "tls.certificate.password does not open")
			})
		}
	}
}

func TestEveryFormatWithTheKeyOfAnother(t *testing.T) {
	t.Parallel()
	p, other := newClientPKI(t, testcert.NewKey(t)), newClientPKI(t, testcert.NewKey(t))
	for name, file := range p.clientFiles(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cert, err := loadClient(t, file.content, testcert.KeyPEM(t, other.client), file.password)
			requireClientProblem(t, cert, err, tlsconf.ErrKeyMismatch, "tls.certificate.key_file: the private key belongs to no certificate of tls.certificate.file")
			if file.key != nil {
				cert, err = loadClient(t, testcert.PEM(other.client), file.key, file.password)
				requireClientProblem(t, cert, err, tlsconf.ErrKeyMismatch, "tls.certificate.key_file: ")
			}
		})
	}
}

// TestEveryFormatWithoutItsKey takes away the key file.
func TestEveryFormatWithoutItsKey(t *testing.T) {
	t.Parallel()
	p := newClientPKI(t, testcert.NewKey(t))
	for name, file := range p.clientFiles(t) {
		if file.key == nil || name == "pfx with key file" {
			continue
		}
		cert, err := loadClient(t, file.content, nil, file.password)
		requireClientProblem(t, cert, err, tlsconf.ErrNoKey, "tls.certificate.file: holds no private key: set tls.certificate.key_file, or give a .pfx")
		assert.NotErrorIs(t, err, tlsconf.ErrFormat, name)
	}
}

func TestWhatIsMissingIsTold(t *testing.T) {
	t.Parallel()
	p, other := newClientPKI(t, testcert.NewKey(t)), newClientPKI(t, testcert.NewKey(t))
	key := testcert.KeyPEM(t, p.client)
	encrypted := clientPEM("ENCRYPTED PRIVATE KEY", clientKeyDER(t, p.client.Key, clientPassword))
	damaged := key[:len(key)-10]
	tests := map[string]struct {
		content, key []byte
		kind         error
		want         string
	}{
		"a key without a certificate":    {key, nil, tlsconf.ErrNoCertificate, "holds a private key but no certificate"},
		"an encrypted key alone":         {encrypted, nil, tlsconf.ErrNoCertificate, "holds a private key but no certificate"},
		"a DER key alone":                {clientKeyDER(t, p.client.Key, ""), nil, tlsconf.ErrNoCertificate, "holds a private key but no certificate"},
		"keys in both files":             {key, key, tlsconf.ErrNoCertificate, "tls.certificate.file: holds a private key"},
		"a certificate as key":           {testcert.PEM(p.client), testcert.PEM(p.client), tlsconf.ErrNoKey, "tls.certificate.key_file: holds no private key"},
		"a DER certificate as key":       {testcert.PEM(p.client), p.client.Cert.Raw, tlsconf.ErrNoKey, "tls.certificate.key_file: holds no private key"},
		"the key of another in one file": {joined(testcert.PEM(p.client), testcert.KeyPEM(t, other.client)), nil, tlsconf.ErrKeyMismatch, "tls.certificate.file: the private key belongs to none"},
		"the right key, encrypted":       {joined(testcert.PEM(p.client), testcert.KeyPEM(t, other.client), encrypted), nil, tlsconf.ErrPassword, "set tls.certificate.password"},
		"a damaged key":                  {joined(testcert.PEM(p.client), damaged), nil, tlsconf.ErrFormat, "is a damaged PEM file"},
		"a damaged key file":             {testcert.PEM(p.client), damaged, tlsconf.ErrFormat, "tls.certificate.key_file: is a damaged PEM file"},
		"a damaged certificate":          {joined(testcert.PEM(p.client)[:200], []byte("\n"), key), nil, tlsconf.ErrFormat, "is a damaged PEM file"},
		"a certificate of noise":         {joined(clientPEM("CERTIFICATE", []byte("noise")), key), nil, tlsconf.ErrFormat, "holds a certificate that cannot be read"},
		"an empty certificate":           {joined(clientPEM("CERTIFICATE", nil), key), nil, tlsconf.ErrFormat, "holds a certificate that cannot be read"},
		"no match, and a certificate of noise": {
			joined(testcert.PEM(p.client), clientPEM("CERTIFICATE", []byte("noise"))), testcert.KeyPEM(t, other.client),
			tlsconf.ErrKeyMismatch, "besides, tls.certificate.file holds a certificate that cannot be read",
		},
		"a PEM file of something else": {clientPEM("DH PARAMETERS", []byte{0x30, 0}), nil, tlsconf.ErrNoCertificate, "holds no certificate"},
		"many keys": {
			joined(testcert.PEM(p.client), testcert.KeyPEM(t, other.client), testcert.KeyPEM(t, other.client), testcert.KeyPEM(t, other.client), testcert.KeyPEM(t, other.client), key),
			nil, tlsconf.ErrFormat, "holds more than 4 private keys",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cert, err := loadClient(t, test.content, test.key, "")
			requireClientProblem(t, cert, err, test.kind, test.want)
		})
	}
}

func TestWhatIsNoCertificateIsNamed(t *testing.T) {
	t.Parallel()
	p := newClientPKI(t, testcert.NewKey(t))
	for name, test := range lookalikes(t, p) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cert, err := loadClient(t, test.data, nil, clientPassword)
			requireClientProblem(t, cert, err, tlsconf.ErrFormat, "tls.certificate.file: ")
			require.ErrorContains(t, err, test.want)
			cert, err = loadClient(t, test.data, testcert.KeyPEM(t, p.client), "")
			requireClientProblem(t, cert, err, tlsconf.ErrFormat, test.want)
			cert, err = loadClient(t, testcert.PEM(p.client), test.data, clientPassword)
			requireClientProblem(t, cert, err, tlsconf.ErrFormat, "tls.certificate.key_file: ")
		})
	}
}

func TestUnusableKeysAreTold(t *testing.T) {
	t.Parallel()
	p := newClientPKI(t, testcert.NewKey(t))
	dsa, err := os.ReadFile(filepath.Join("..", "sshkey", "testdata", "openssh", "dsa.pem"))
	require.NoError(t, err)
	pbes1, err := os.ReadFile(filepath.Join("..", "sshkey", "testdata", "unreadable", "pbes1"))
	require.NoError(t, err)
	pbes1Block, _ := pem.Decode(pbes1)
	tests := map[string]struct {
		key  []byte
		want string
	}{
		"DSA":        {dsa, "TLS has no use for a DSA key"},
		"PBES1":      {pbes1, "is not PBES2: rewrite it with openssl pkcs8"},
		"PBES1, DER": {pbes1Block.Bytes, "is not PBES2: rewrite it with openssl pkcs8"},
	}
	for name, test := range tests {
		for _, password := range []string{"", clientPassword} {
			cert, err := loadClient(t, testcert.PEM(p.client), test.key, password)
			requireClientProblem(t, cert, err, tlsconf.ErrFormat, test.want)
			assert.NotErrorIs(t, err, tlsconf.ErrPassword, name)
		}
	}
	t.Run("a short RSA key", func(t *testing.T) {
		t.Parallel()
		p := newClientPKI(t, shortRSA())
		safe := pfxData(t, pfxBags(t, pfxCertificate(t, p.client)))
		for _, bag := range [][]byte{
			pfxBag(t, 1, pfxKey(t, p.client)),
			pfxShrouded(t, pfxAES(t, 10), pfxSeal(t, clientPassword, 10, pfxKey(t, p.client))),
		} {
			cert, err := loadClient(t, pfxFile(t, nil, safe, pfxData(t, pfxBags(t, bag))), nil, clientPassword)
			requireClientProblem(t, cert, err, tlsconf.ErrFormat, "RSA key of 648 bits is too short")
		}
	})
	t.Run("a certificate of another kind of key", func(t *testing.T) {
		t.Parallel()
		// The kind of the key becomes one that x509 does not know: Ed448.
		p := newClientPKI(t, clientKeys(t)["Ed25519"])
		raw := strings.ReplaceAll(string(p.client.Cert.Raw), "\x06\x03\x2b\x65\x70", "\x06\x03\x2b\x65\x71")
		require.NotEqual(t, raw, string(p.client.Cert.Raw))
		cert, err := loadClient(t, []byte(raw), testcert.KeyPEM(t, p.client), "")
		requireClientProblem(t, cert, err, tlsconf.ErrFormat, "have one made of an RSA, an ECDSA or an Ed25519 key")
	})
}

// shortRSA has the primes 2^521-1 and 2^127-1.
func shortRSA() *rsa.PrivateKey {
	one := big.NewInt(1)
	p := new(big.Int).Sub(new(big.Int).Lsh(one, 521), one)
	q := new(big.Int).Sub(new(big.Int).Lsh(one, 127), one)
	phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
	key := &rsa.PrivateKey{
		PublicKey: rsa.PublicKey{N: new(big.Int).Mul(p, q), E: 65537},
		D:         new(big.Int).ModInverse(big.NewInt(65537), phi),
		Primes:    []*big.Int{p, q},
	}
	key.Precompute()
	return key
}

func TestProblemsOfFilesAndFields(t *testing.T) {
	t.Parallel()
	p := newClientPKI(t, testcert.NewKey(t))
	text := string(joined(testcert.PEM(p.client), testcert.KeyPEM(t, p.client)))
	file := testcert.File(t, "cert", []byte(text))
	folder := t.TempDir()
	missing := filepath.Join(folder, "missing\x1b[2J")
	secret := hawser.NewSecret(clientPassword)
	tests := map[string]struct {
		c    hawser.Certificate
		kind error
		want string
	}{
		"a missing file":      {hawser.Certificate{File: missing}, fs.ErrNotExist, "tls.certificate.file: open "},
		"a missing key file":  {hawser.Certificate{File: file, KeyFile: missing}, fs.ErrNotExist, `tls.certificate.key_file: open `},
		"an escape in a name": {hawser.Certificate{File: missing}, fs.ErrNotExist, `missing\x1b[2J`},
		"a folder":            {hawser.Certificate{File: folder}, nil, "tls.certificate.file: read "},
		"both":                {hawser.Certificate{File: file, Content: secret}, tlsconf.ErrFormat, "set it or tls.certificate.content, not both"},
		"a key file alone":    {hawser.Certificate{KeyFile: file}, tlsconf.ErrNoCertificate, "tls.certificate.file: is not set"},
		"a password alone":    {hawser.Certificate{Password: secret}, tlsconf.ErrNoCertificate, "tls.certificate.file: is not set"},
		"the content as name": {hawser.Certificate{File: text}, tlsconf.ErrFormat, "goes into tls.certificate.content"},
		"a line as name":      {hawser.Certificate{File: "secret\nlines"}, tlsconf.ErrFormat, "tls.certificate.file: is no name of a file"},
		"base64 as name":      {hawser.Certificate{File: strings.Repeat("MIIE", 200)}, tlsconf.ErrFormat, "goes into tls.certificate.content"},
		"the key as name":     {hawser.Certificate{File: file, KeyFile: text}, tlsconf.ErrFormat, "tls.certificate.key_file: is no name of a file"},
		"content of prose":    {hawser.Certificate{Content: secret}, tlsconf.ErrFormat, "tls.certificate.content: is neither"},
		"large content":       {hawser.Certificate{Content: hawser.NewSecret(strings.Repeat(" ", 1<<20+1))}, tlsconf.ErrFormat, "tls.certificate.content: is larger than 1 MiB"},
		"an unresolved one":   {hawser.Certificate{Content: hawser.SecretRef("env:CERT")}, tlsconf.ErrFormat, "tls.certificate.content: is empty"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cert, err := tlsconf.LoadCertificate(test.c)
			require.Error(t, err)
			if test.kind == nil {
				test.kind = err
			}
			requireClientProblem(t, cert, err, test.kind, test.want)
			assert.NotContains(t, err.Error(), "MII")
			assert.NotContains(t, err.Error(), "\x1b")
		})
	}
}
