package tlsconf_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser/internal/testcert"
)

func TestTheChainIsInOrder(t *testing.T) {
	t.Parallel()
	root := testcert.Root(t)
	upper := testcert.Intermediate(t, root)
	lower := testcert.Intermediate(t, upper)
	client := testcert.Sign(t, lower, testcert.NewKey(t), clientFor)
	key := testcert.KeyPEM(t, client)
	named := func(c *x509.Certificate) { c.Subject = lower.Cert.Subject }
	renewed := testcert.Intermediate(t, upper, named) // has another key
	nameless := *lower.Cert
	nameless.SubjectKeyId = nil
	unnamed := testcert.Sign(t, &testcert.Pair{Cert: &nameless, Key: lower.Key}, client.Key, clientFor) // has no key id of its issuer
	require.Empty(t, unnamed.Cert.AuthorityKeyId)
	crossed := testcert.Sign(t, testcert.Root(t), root.Key, testcert.Authority,
		func(c *x509.Certificate) { c.Subject = root.Cert.Subject })
	tests := map[string]struct {
		content []*testcert.Pair
		want    []*testcert.Pair
	}{
		"as it is":                       {[]*testcert.Pair{client, lower, upper, root}, []*testcert.Pair{client, lower, upper, root}},
		"from back to front":             {[]*testcert.Pair{root, upper, lower, client}, []*testcert.Pair{client, lower, upper, root}},
		"without a root":                 {[]*testcert.Pair{upper, client, lower}, []*testcert.Pair{client, lower, upper}},
		"up to a gap":                    {[]*testcert.Pair{client, upper, root}, []*testcert.Pair{client}},
		"without what is unrelated":      {[]*testcert.Pair{testcert.Root(t), client, testcert.Server(t, root), lower}, []*testcert.Pair{client, lower}},
		"each once":                      {[]*testcert.Pair{client, client, lower, lower}, []*testcert.Pair{client, lower}},
		"without namesakes":              {[]*testcert.Pair{renewed, client, lower, upper}, []*testcert.Pair{client, lower, upper}},
		"without namesakes without ids":  {[]*testcert.Pair{renewed, unnamed, lower, upper}, []*testcert.Pair{unnamed, lower, upper}},
		"no further than a root":         {[]*testcert.Pair{client, lower, upper, root, crossed}, []*testcert.Pair{client, lower, upper, root}},
		"no further than a cross-signed": {[]*testcert.Pair{client, lower, upper, crossed}, []*testcert.Pair{client, lower, upper, crossed}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cert, err := loadClient(t, testcert.PEM(test.content...), key, "")
			require.NoError(t, err)
			assert.Equal(t, rawOf(test.want), cert.Certificate)
		})
	}
}

func rawOf(pairs []*testcert.Pair) [][]byte {
	var all [][]byte
	for _, p := range pairs {
		all = append(all, p.Cert.Raw)
	}
	return all
}

// TestAnEndlessChainEnds has two authorities that signed each other.
func TestAnEndlessChainEnds(t *testing.T) {
	t.Parallel()
	a, b := testcert.Root(t), testcert.Root(t)
	as := func(p *testcert.Pair) testcert.Edit {
		return func(c *x509.Certificate) { testcert.Authority(c); c.Subject = p.Cert.Subject }
	}
	ab, ba := testcert.Sign(t, b, a.Key, as(a)), testcert.Sign(t, a, b.Key, as(b))
	client := testcert.Sign(t, a, testcert.NewKey(t), clientFor)
	cert, err := loadClient(t, testcert.PEM(client, ab, ba), testcert.KeyPEM(t, client), "")
	require.NoError(t, err)
	assert.Equal(t, rawOf([]*testcert.Pair{client, ab, ba}), cert.Certificate)
}

// TestAnIssuerByAWeakSignatureIsFound has a signature that Go does not check.
func TestAnIssuerByAWeakSignatureIsFound(t *testing.T) {
	t.Parallel()
	root := testcert.Root(t)
	renewed := testcert.Root(t, func(c *x509.Certificate) { c.Subject = root.Cert.Subject })
	client := testcert.Sign(t, root, testcert.NewKey(t), clientFor)
	// The algorithm stands in the certificate twice: ecdsa-with-SHA256 becomes ecdsa-with-SHA1.
	sha256, sha1 := []byte{6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2}, []byte{6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1, 2}
	require.Equal(t, 2, bytes.Count(client.Cert.Raw, sha256))
	raw := bytes.ReplaceAll(client.Cert.Raw, sha256, sha1)
	weak, err := x509.ParseCertificate(raw)
	require.NoError(t, err)
	cert, err := loadClient(t, testcert.PEM(renewed, root, &testcert.Pair{Cert: weak}), testcert.KeyPEM(t, client), "")
	require.NoError(t, err)
	assert.Equal(t, [][]byte{raw, root.Cert.Raw}, cert.Certificate)
}

// TestHostileChainsCostLittle has an authority whose RSA key would take minutes.
func TestHostileChainsCostLittle(t *testing.T) {
	t.Parallel()
	rsaKey, err := clientRSA()
	require.NoError(t, err)
	root := testcert.Sign(t, nil, rsaKey, testcert.Authority)
	client := testcert.Sign(t, root, testcert.NewKey(t), clientFor)
	huge := &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 1<<21, 1), E: 65537}
	der, err := x509.CreateCertificate(rand.Reader, root.Cert, root.Cert, huge, root.Key)
	require.NoError(t, err)
	text := joined(clientPEM("CERTIFICATE", der), clientPEM("CERTIFICATE", resigned(t, client.Cert.Raw, huge.Size())),
		testcert.KeyPEM(t, client))
	start := time.Now()
	cert, err := loadClient(t, text, nil, "")
	require.NoError(t, err)
	assert.Equal(t, 2, len(cert.Certificate), "what was not tried is taken by its name")
	assert.Less(t, time.Since(start), 5*time.Second)
}

// resigned is der with a signature of size bytes.
func resigned(t *testing.T, der []byte, size int) []byte {
	t.Helper()
	var signed struct {
		Body      asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}
	_, err := asn1.Unmarshal(der, &signed)
	require.NoError(t, err)
	signed.Signature = asn1.BitString{Bytes: append([]byte{0}, make([]byte, size-1)...), BitLength: 8 * size}
	der, err = asn1.Marshal(signed)
	require.NoError(t, err)
	return der
}
