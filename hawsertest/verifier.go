package hawsertest

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"slices"
	"testing"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testcert"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
)

// TestVerifier checks a [hawser.Verifier]: that it trusts nobody but the server
// that the connection names. It refuses each way in which a certificate can be
// wrong, a wrong host key, and whatever has changed since AutoAccept accepted
// it; Allow excuses what it names alone, and neither lets in a proxy. Every
// refusal matches [hawser.ErrUntrusted] and is fit for a log. The Verifier is
// safe for concurrent use and leaves what it is given as it was.
//
// Peers are real: certificates come out of handshakes, and the connection's
// TLS.Roots names a file of their authority; SSH.HostKeys lists fingerprints.
// A Verifier may judge certificates alone, or host keys alone: if it refuses
// the good one of a kind, what it should accept of that kind is skipped, and so
// it is where Allow or AutoAccept is not heeded, for refusing is never unsafe.
// What it should refuse is skipped only if it comes after something accepted.
// A Verifier that accepts neither kind fails.
//
// open returns a Verifier that has accepted nothing before, remembers for itself
// and asks nobody; it is called for each rule, and once before them.
func TestVerifier(t *testing.T, open func(t *testing.T) hawser.Verifier) {
	t.Helper()
	testVerifier(t, verifierRules(), open)
}

func testVerifier(t *testing.T, rules []rule[*verifier], open func(t *testing.T) hawser.Verifier) {
	t.Helper()
	root, short := testcert.Root(t), must(rsa.GenerateKey(rand.Reader, 1024))(t, "a short key")
	roots := testcert.File(t, "roots.pem", testcert.PEM(root))
	judged := map[string]bool{}
	subject := func(t *testing.T) *verifier {
		t.Helper()
		v := &verifier{T: t, Verifier: open(t), judged: judged, root: root, roots: roots, short: short}
		require.NotNil(t, v.Verifier, "open returned no Verifier")
		return v
	}
	v := subject(t)
	for _, k := range kinds() {
		c, p := k.good(v)
		judged[k.name] = v.verify(c, p) == nil
	}
	run(t, rules, subject)
}

func verifierRules() []rule[*verifier] { return slices.Concat(verifierGroups()...) }

func verifierGroups() [][]rule[*verifier] {
	return [][]rule[*verifier]{
		verifyRules(), certificateRules(), chainRules(), allowRules(),
		pinRules(certificates()), pinRules(hostKeys()), certificatePinRules(), hostKeyRules(),
	}
}

// verifier is the subject of the rules.
type verifier struct {
	*testing.T
	hawser.Verifier
	judged map[string]bool // by the name of a kind: it accepts a good one
	root   *testcert.Pair  // which the file roots holds
	roots  string
	short  crypto.Signer // a key that is too short; it takes long to find
}

// A kind is one of the two ways in which servers prove who they are.
type kind struct {
	name string
	// conn returns a connection by which no peer is trusted but a certificate
	// of v.root, and auto sets its AutoAccept.
	conn func(v *verifier) hawser.Connection
	auto func(c *hawser.Connection)
	// good returns a peer that the connection trusts.
	good func(v *verifier) (hawser.Connection, hawser.Peer)
	// stranger returns a peer that nobody knows, another one each time.
	stranger func(v *verifier, addr string) hawser.Peer
}

func kinds() []kind { return []kind{certificates(), hostKeys()} }

func certificates() kind {
	return kind{
		name: "certificate",
		conn: (*verifier).overTLS,
		auto: func(c *hawser.Connection) { c.TLS.AutoAccept = true },
		good: func(v *verifier) (hawser.Connection, hawser.Peer) {
			return v.overTLS(), v.presents(testcert.Server(v, v.root))
		},
		stranger: func(v *verifier, addr string) hawser.Peer {
			p := v.presents(testcert.Server(v, nil))
			p.Addr = addr
			return p
		},
	}
}

func hostKeys() kind {
	return kind{
		name: "host key",
		conn: func(v *verifier) hawser.Connection { return v.overSSH() },
		auto: func(c *hawser.Connection) { c.SSH.AutoAccept = true },
		good: func(v *verifier) (hawser.Connection, hawser.Peer) {
			key := newHostKey(v)
			return v.overSSH(key), keyed(key)
		},
		stranger: func(v *verifier, addr string) hawser.Peer {
			return hawser.Peer{Addr: addr, ServerName: "localhost", HostKey: newHostKey(v).Marshal()}
		},
	}
}

// overTLS is a connection whose server has a certificate of v.root.
func (v *verifier) overTLS() hawser.Connection {
	return hawser.Connection{
		Name: "bank", Protocol: hawser.FTP, Host: "localhost", Port: 990,
		Auth: hawser.Auth{User: "jobs", Password: hawser.SecretRef("env:BANK_PASSWORD")},
		TLS:  hawser.TLSOptions{Mode: hawser.TLSImplicit, Roots: v.roots},
	}
}

// overSSH is a connection that lists the fingerprints of keys.
func (v *verifier) overSSH(keys ...ssh.PublicKey) hawser.Connection {
	c := hawser.Connection{
		Name: "bank", Protocol: hawser.SFTP, Host: "localhost", Port: 22,
		Auth: hawser.Auth{User: "jobs", Password: hawser.SecretRef("env:BANK_PASSWORD")},
	}
	for _, key := range keys {
		c.SSH.HostKeys = append(c.SSH.HostKeys, ssh.FingerprintSHA256(key))
	}
	return c
}

// needs skips the rest of a rule, which is about accepting, unless k is judged.
func (v *verifier) needs(k kind) {
	v.Helper()
	if !v.judged[k.name] {
		v.Skipf("skipped: the Verifier refuses a good %s, so it does not claim to judge one", k.name)
	}
}

// verify fails the rule when the Verifier does not come to a verdict.
func (v *verifier) verify(c hawser.Connection, p hawser.Peer) error {
	v.Helper()
	return v.verifyUntil(v.Context(), c, p)
}

func (v *verifier) verifyUntil(ctx context.Context, c hawser.Connection, p hawser.Peer) error {
	v.Helper()
	return within(v, patience, "Verify", func() error { return v.Verify(ctx, c, p) })
}

func (v *verifier) accepts(c hawser.Connection, p hawser.Peer, what string) {
	v.Helper()
	assert.NoError(v, v.verify(c, p), "Verify refused %s", what)
}

func (v *verifier) refuses(c hawser.Connection, p hawser.Peer, what string) {
	v.Helper()
	assert.NoError(v, refusal(v.verify(c, p)), "Verify of %s", what)
}

// refusal returns what is wrong with err as one.
func refusal(err error) error {
	switch {
	case err == nil:
		return errors.New("it was accepted")
	case !errors.Is(err, hawser.ErrUntrusted):
		return errors.New("it was refused by an error that does not match ErrUntrusted: " + err.Error())
	}
	return nil
}
