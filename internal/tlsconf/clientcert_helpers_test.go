package tlsconf_test

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/youmark/pkcs8"
	"software.sslmate.com/src/go-pkcs12"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testcert"
	"github.com/hawser/hawser/internal/tlsconf"
)

// clientPassword opens every encrypted file of these tests. It looks like
// nothing else, so that an error that holds it is found.
const clientPassword = "pässwörd-Xyzzy-42"

// clientRSA is made once, because that takes long.
var clientRSA = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// clientFor is the Edit that makes a client's certificate of a server's.
func clientFor(c *x509.Certificate) {
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	c.DNSNames, c.IPAddresses = nil, nil
}

// clientPKI is a client's certificate and those above it.
type clientPKI struct{ root, middle, client *testcert.Pair }

func newClientPKI(t testing.TB, key crypto.Signer) clientPKI {
	t.Helper()
	root := testcert.Root(t)
	middle := testcert.Intermediate(t, root)
	return clientPKI{root, middle, testcert.Sign(t, middle, key, clientFor)}
}

// clientKeys is a key of each type.
func clientKeys(t testing.TB) map[string]crypto.Signer {
	t.Helper()
	rsaKey, err := clientRSA()
	require.NoError(t, err)
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	return map[string]crypto.Signer{"RSA": rsaKey, "ECDSA": testcert.NewKey(t), "Ed25519": edKey}
}

// requireLogsIn proves that cert is p.client with its chain, by a handshake
// with a server that knows p.root alone.
func (p clientPKI) requireLogsIn(t testing.TB, cert tls.Certificate) {
	t.Helper()
	require.NotNil(t, cert.Leaf)
	require.Equal(t, p.client.Cert.Raw, cert.Leaf.Raw)
	require.Equal(t, p.client.Cert.Raw, cert.Certificate[0])
	requireLogsIn(t, cert, p.root)
}

func requireLogsIn(t testing.TB, cert tls.Certificate, root *testcert.Pair) {
	t.Helper()
	server := &tls.Config{
		Certificates: []tls.Certificate{testcert.Server(t, root).TLS()},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    testcert.Pool(root),
	}
	client := &tls.Config{RootCAs: testcert.Pool(root), ServerName: "localhost", Certificates: []tls.Certificate{cert}}
	_, clientErr, serverErr := testcert.Handshake(t, server, client)
	require.NoError(t, serverErr)
	require.NoError(t, clientErr)
}

// pfx is p as enc writes it.
func (p clientPKI) pfx(t testing.TB, enc *pkcs12.Encoder, password string) []byte {
	t.Helper()
	data, err := enc.Encode(p.client.Key, p.client.Cert, []*x509.Certificate{p.middle.Cert, p.root.Cert}, password)
	require.NoError(t, err)
	return data
}

// load loads content as the certificate, and key, if any, as its file.
func loadClient(t testing.TB, content, key []byte, password string) (tls.Certificate, error) {
	t.Helper()
	c := hawser.Certificate{File: testcert.File(t, "named.wrongly", content), Password: hawser.NewSecret(password)}
	if key != nil {
		c.KeyFile = testcert.File(t, "key.named.wrongly", key)
	}
	return tlsconf.LoadCertificate(c)
}

// requireClientProblem proves that err is of kind, says want, and nothing secret.
func requireClientProblem(t testing.TB, cert tls.Certificate, err, kind error, want string) {
	t.Helper()
	require.ErrorIs(t, err, kind)
	assert.ErrorContains(t, err, want)
	assert.Regexp(t, `^tls\.certificate\.(file|content|key_file): \S`, err.Error())
	assert.NotContains(t, err.Error(), clientPassword)
	assert.Zero(t, cert)
}

func clientPEM(blockType string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: blockType, Bytes: der})
}

// clientKeyDER is key in PKCS #8, encrypted if there is a password.
func clientKeyDER(t testing.TB, key crypto.Signer, password string) []byte {
	t.Helper()
	der, err := pkcs8.MarshalPrivateKey(key, []byte(password), &pkcs8.Opts{
		Cipher:  pkcs8.AES256CBC,
		KDFOpts: pkcs8.PBKDF2Opts{SaltSize: 8, IterationCount: 2048, HMACHash: crypto.SHA256},
	})
	require.NoError(t, err)
	return der
}

func joined(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
