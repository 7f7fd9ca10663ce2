package tlsconf_test

import (
	"crypto/tls"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testcert"
	"github.com/hawser/hawser/internal/tlsconf"
)

// fuzzPatience is more than any file may take, on a machine that is busy.
const fuzzPatience = 60 * time.Second

// checkLoaded holds for every input: a certificate with its key, or an error of
// this package that repeats no secret, never both; and soon.
func checkLoaded(t *testing.T, content []byte, password string) {
	t.Helper()
	start := time.Now()
	cert, err := tlsconf.LoadCertificate(hawser.Certificate{
		Content: hawser.NewSecret(string(content)), Password: hawser.NewSecret(password),
	})
	assert.Less(t, time.Since(start), fuzzPatience)
	if err == nil {
		checkUsable(t, cert, len(content)+len(password))
		return
	}
	assert.Zero(t, cert)
	assert.True(t, strings.HasPrefix(err.Error(), "tls.certificate."), "%v", err)
	if len(password) > 8 {
		assert.NotContains(t, err.Error(), password)
	}
	for _, known := range []error{
		tlsconf.ErrFormat, tlsconf.ErrPassword, tlsconf.ErrNoKey, tlsconf.ErrKeyMismatch, tlsconf.ErrNoCertificate,
	} {
		if errors.Is(err, known) {
			return
		}
	}
	assert.Fail(t, "an error of no sentinel", "%v", err)
}

func checkUsable(t *testing.T, cert tls.Certificate, given int) {
	t.Helper()
	if given == 0 {
		assert.Zero(t, cert)
		return
	}
	require.NotNil(t, cert.Leaf)
	require.NotNil(t, cert.PrivateKey)
	require.NotEmpty(t, cert.Certificate)
	assert.Equal(t, cert.Leaf.Raw, cert.Certificate[0])
}

func FuzzLoadCertificate(f *testing.F) {
	f.Add([]byte{}, "")
	for _, key := range clientKeys(f) {
		p := newClientPKI(f, key)
		for _, file := range p.clientFiles(f) {
			f.Add(joined(file.content, file.key), file.password)
		}
	}
	p := newClientPKI(f, testcert.NewKey(f))
	for _, other := range lookalikes(f, p) {
		f.Add(other.data[:min(len(other.data), 1<<12)], clientPassword)
	}
	f.Fuzz(checkLoaded)
}

// FuzzPKCS12 fuzzes what stands behind a MAC and an encryption that are right,
// which FuzzLoadCertificate never gets past.
func FuzzPKCS12(f *testing.F) {
	const clear, encrypted, parts = 0, 1, 2
	p := newClientPKI(f, testcert.NewKey(f))
	key := pfxBag(f, 1, pfxKey(f, p.client))
	sealed := pfxShrouded(f, pfxAES(f, 10), pfxSeal(f, clientPassword, 10, pfxKey(f, p.client)))
	hostile := pfxShrouded(f, pfxPBE(f, 3, 1<<31-1), make([]byte, 16))
	certs := pfxBags(f, pfxCertificate(f, p.client), pfxCertificate(f, p.middle))
	for _, safe := range [][]byte{
		certs, pfxBags(f, pfxCertificate(f, p.client), key), pfxBags(f, pfxCertificate(f, p.client), sealed),
		pfxBags(f, hostile), pfxBags(f, pfxCertificate(f, p.client), hostile), nil,
	} {
		f.Add(byte(clear), safe)
		f.Add(byte(encrypted), safe)
		f.Add(byte(parts), joined(pfxData(f, safe), pfxEncrypted(f, pfxAES(f, 10), pfxSeal(f, clientPassword, 10, safe))))
	}
	mac := pfxPBMAC1(clientPassword, 10, 32)
	f.Fuzz(func(t *testing.T, where byte, data []byte) {
		switch where {
		case clear:
			data = pfxData(t, data)
		case encrypted:
			data = pfxEncrypted(t, pfxAES(t, 10), pfxSeal(t, clientPassword, 10, data))
		}
		checkLoaded(t, pfxFile(t, mac, data), clientPassword)
		checkLoaded(t, pfxFile(t, nil, data), clientPassword)
		checkLoaded(t, pfxFile(t, nil, data), "")
	})
}
