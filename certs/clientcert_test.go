package certs_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"software.sslmate.com/src/go-pkcs12"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/certs"
	"github.com/hawser/hawser/internal/testcert"
)

// A .pfx is opened by its password; an error says what else to do.
func ExampleLoadClientCertificate() {
	folder, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	file := filepath.Join(folder, "bank.pfx")
	if err := writePFX(file, "hunter2"); err != nil {
		log.Print(err)
		return
	}

	_, err = certs.LoadClientCertificate(hawser.Certificate{File: file})
	fmt.Println(err)
	fmt.Println("needs another password:", errors.Is(err, certs.ErrPassword))

	cert, err := certs.LoadClientCertificate(hawser.Certificate{File: file, Password: hawser.NewSecret("hunter2")})
	if err != nil {
		log.Print(err)
		return
	}
	fmt.Println(cert.Leaf.Subject, "until", cert.Leaf.NotAfter.Format(time.DateOnly))
	// Output:
	// tls.certificate.file: it is encrypted: set tls.certificate.password
	// needs another password: true
	// CN=me until 2099-12-31
}

// writePFX writes a certificate that nobody signed but itself, and its key.
func writePFX(file, password string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "me"},
		NotAfter:     time.Date(2099, time.December, 31, 0, 0, 0, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return err
	}
	pfx, err := pkcs12.Modern.Encode(key, cert, nil, password)
	if err != nil {
		return err
	}
	return os.WriteFile(file, pfx, 0o600)
}

func TestLoadClientCertificateTellsProblemsApart(t *testing.T) {
	t.Parallel()
	pair, other := testcert.Root(t), testcert.Root(t)
	text, key := testcert.PEM(pair), testcert.KeyPEM(t, pair)
	cert := testcert.File(t, "cert.pem", text)
	pfx := filepath.Join(t.TempDir(), "cert.pfx")
	require.NoError(t, writePFX(pfx, "hunter2"))
	tests := map[string]struct {
		c    hawser.Certificate
		want error
	}{
		"nothing is wrong":      {hawser.Certificate{File: cert, KeyFile: testcert.File(t, "key", key)}, nil},
		"there is none":         {hawser.Certificate{}, nil},
		"no password":           {hawser.Certificate{File: pfx}, certs.ErrPassword},
		"a wrong password":      {hawser.Certificate{File: pfx, Password: hawser.NewSecret("hunter3")}, certs.ErrPassword},
		"another format":        {hawser.Certificate{Content: hawser.NewSecret("prose")}, certs.ErrFormat},
		"no key":                {hawser.Certificate{File: cert}, certs.ErrNoKey},
		"the key of another":    {hawser.Certificate{File: cert, KeyFile: testcert.File(t, "other", testcert.KeyPEM(t, other))}, certs.ErrKeyMismatch},
		"no certificate":        {hawser.Certificate{Content: hawser.NewSecret(string(key))}, certs.ErrNoCertificate},
		"a file that is absent": {hawser.Certificate{File: filepath.Join(t.TempDir(), "absent")}, fs.ErrNotExist},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := certs.LoadClientCertificate(test.c)
			require.ErrorIs(t, err, test.want)
			if test.want != nil || test.c.File == "" {
				assert.Equal(t, tls.Certificate{}, got)
				return
			}
			assert.Equal(t, pair.Cert.Raw, got.Certificate[0])
		})
	}
}
