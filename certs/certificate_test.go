package certs_test

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/certs"
)

// certify returns a host certificate for bank.example.com, changed by change
// before ca signs it.
func certify(t testing.TB, ca, key ssh.Signer, change func(*ssh.Certificate)) hawser.Peer {
	t.Helper()
	cert := &ssh.Certificate{
		Key: key.PublicKey(), CertType: ssh.HostCert, KeyId: "bank", ValidPrincipals: []string{"bank.example.com"},
		ValidAfter:  uint64(time.Now().Add(-time.Hour).Unix()),
		ValidBefore: uint64(time.Now().Add(time.Hour).Unix()),
	}
	if change != nil {
		change(cert)
	}
	require.NoError(t, cert.SignCert(rand.Reader, ca))
	return hawser.Peer{Addr: addr, HostKey: cert.Marshal()}
}

func storeWithCA(t testing.TB, ca ssh.Signer) certs.Store {
	t.Helper()
	store := certs.Memory()
	require.NoError(t, store.Add(t.Context(), certs.Pin{Addr: "*.example.com", HostKey: wire(ca), CA: true}))
	return store
}

func TestHostCertificateOfAPinnedAuthorityIsTrusted(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, store certs.Store, open func() certs.Store) {
		ca, key := newEd25519(t), newECDSA(t)
		require.NoError(t, store.Add(t.Context(), certs.Pin{Addr: "*.example.com", HostKey: wire(ca), CA: true}))
		v := &certs.Verifier{Store: open()}
		require.NoError(t, verify(t, v, certify(t, ca, key, nil)))

		elsewhere := certify(t, ca, key, nil)
		elsewhere.Addr = "BANK.example.com:2222"
		require.NoError(t, verify(t, v, elsewhere), "the pattern has no port, and names no case")
		elsewhere.Addr = "bank.example.org:22"
		assert.Equal(t, certs.UnknownCA, refused(t, verify(t, v, elsewhere)).Question.Reason)
	})
}

func TestBadHostCertificateIsRefusedAndNobodyIsAsked(t *testing.T) {
	t.Parallel()
	ca, key := newEd25519(t), newEd25519(t)
	hour := func(n int) uint64 { return uint64(time.Now().Add(time.Duration(n) * time.Hour).Unix()) }
	rules := map[string]struct {
		change func(*ssh.Certificate)
		text   string
	}{
		"expired":           {func(c *ssh.Certificate) { c.ValidAfter, c.ValidBefore = hour(-2), hour(-1) }, "expired"},
		"not yet valid":     {func(c *ssh.Certificate) { c.ValidAfter, c.ValidBefore = hour(1), hour(2) }, "not yet valid"},
		"of another host":   {func(c *ssh.Certificate) { c.ValidPrincipals = []string{"x\x1b.example.com"} }, "principal"},
		"of a user":         {func(c *ssh.Certificate) { c.CertType = ssh.UserCert }, "type 1"},
		"a critical option": {func(c *ssh.Certificate) { c.CriticalOptions = map[string]string{"force-command": ""} }, "critical option"},
	}
	for name, rule := range rules {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := bank()
			c.SSH.AutoAccept = true
			v := &certs.Verifier{Store: storeWithCA(t, ca), Ask: answering(certs.AcceptAlways)}
			err := refused(t, v.Verify(t.Context(), c, certify(t, ca, key, rule.change)))
			assert.Equal(t, certs.BadCertificate, err.Question.Reason)
			assert.Contains(t, err.Error(), rule.text)
			assert.Contains(t, err.Error(), print(ca))
			assert.NotContains(t, err.Error(), "\x1b")
		})
	}
}

func TestCertificateWithABrokenSignatureIsRefused(t *testing.T) {
	t.Parallel()
	ca := newEd25519(t)
	p := certify(t, ca, newEd25519(t), nil)
	p.HostKey[len(p.HostKey)-1] ^= 1
	err := refused(t, verify(t, &certs.Verifier{Store: storeWithCA(t, ca)}, p))
	assert.Equal(t, certs.BadCertificate, err.Question.Reason)
	assert.Contains(t, err.Error(), "signature")
}

// sha1Signer signs as ssh-keygen did before OpenSSH 8.2.
type sha1Signer struct{ ssh.MultiAlgorithmSigner }

func (sha1Signer) Algorithms() []string { return []string{ssh.KeyAlgoRSA} }

func TestCertificateSignedWithSHA1NeedsLegacy(t *testing.T) {
	t.Parallel()
	ca := newRSA(t)
	p := certify(t, sha1Signer{ca.(ssh.MultiAlgorithmSigner)}, newEd25519(t), nil)
	v := &certs.Verifier{Store: storeWithCA(t, ca)}
	err := refused(t, verify(t, v, p))
	assert.Equal(t, certs.BadCertificate, err.Question.Reason)
	assert.Contains(t, err.Error(), "legacy")
	c := bank()
	c.SSH.Algorithms = "legacy"
	require.NoError(t, v.Verify(t.Context(), c, p))
}

func TestCertificateOfAnUnknownAuthorityIsRefusedUnlessItsKeyIsKnown(t *testing.T) {
	t.Parallel()
	ca, key := newEd25519(t), newEd25519(t)
	store := certs.Memory()
	v := &certs.Verifier{Store: store, Ask: answering(certs.AcceptAlways)}
	p := certify(t, ca, key, nil)
	err := refused(t, verify(t, v, p))
	assert.Equal(t, certs.UnknownCA, err.Question.Reason)
	assert.Contains(t, err.Error(), print(ca))
	assert.Contains(t, err.Error(), print(key))
	assert.Empty(t, pending(t, store))

	c := bank()
	c.SSH.HostKeys = []string{print(key)}
	require.NoError(t, v.Verify(t.Context(), c, p))
	require.NoError(t, store.Add(t.Context(), certs.Pin{Addr: addr, HostKey: wire(key)}))
	require.NoError(t, verify(t, v, p))
}

func TestRevokedAuthorityOrCertifiedKeyIsRefused(t *testing.T) {
	t.Parallel()
	ca, key := newEd25519(t), newEd25519(t)
	p := certify(t, ca, key, nil)
	for name, revoked := range map[string][]byte{"authority": wire(ca), "key": wire(key), "certificate": p.HostKey} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := storeWithCA(t, ca)
			require.NoError(t, store.Add(t.Context(), certs.Pin{Addr: "*", HostKey: revoked, Revoked: true}))
			err := refused(t, verify(t, &certs.Verifier{Store: store}, p))
			assert.Equal(t, certs.RevokedKey, err.Question.Reason)
			assert.Contains(t, err.Error(), print(ca))
		})
	}
}
