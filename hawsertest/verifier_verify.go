package hawsertest

import (
	"bytes"
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"slices"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testcert"
	"github.com/stretchr/testify/assert"
	"golang.org/x/crypto/ssh"
)

// verifyRules are about each call of Verify, whatever the kind of peer.
func verifyRules() []rule[*verifier] {
	return []rule[*verifier]{
		{"a good server is accepted", "one that refuses everything keeps all other rules, and is of no use", judgesSome},
		{"a peer that presents nothing is refused", "the empty Peer is what a bug in a driver looks like", presentsNothing},
		{"an ended context trusts nobody", "nil is trust, also where there was no time to look; and whoever gave up does not wait", endedTrust},
		{"many goroutines may verify at once", "one Verifier serves all sessions of a program", verifyConcurrent},
		{"Verify leaves the connection and the peer as they are", "the driver goes on with them, and others read the same certificates", verifyLeaves},
		{"what is remembered of a host key is a copy", "the driver may use the bytes for the next packet", remembersCopy},
		{"a refusal shows no control characters of the peer", "a certificate's text could forge lines of a log and move a terminal's cursor", printableRefusal},
		{"a refusal names the address", "a log of twenty servers must tell which; by a proxy or a jump host there are two in one dial", refusalNames},
		{"Verify leaves no goroutine", "each dial of a program that runs for months would leave one more", verifyLeaks},
	}
}

func judgesSome(v *verifier) {
	var some bool
	for _, k := range kinds() {
		c, p := k.good(v)
		err := v.verify(c, p)
		some = some || err == nil
		if err != nil {
			v.Logf("a good %s is refused, so the rules that are about accepting one are skipped: %v", k.name, err)
		}
	}
	assert.True(v, some, "Verify refused a good certificate of tls.roots and a host key of ssh.host_keys")
}

func presentsNothing(v *verifier) {
	for _, k := range kinds() {
		c, p := k.good(v)
		p.TLS, p.HostKey = nil, nil
		v.refuses(c, p, "a peer without "+k.name)
		v.refuses(v.automatic(k), p, "a peer without "+k.name+", with AutoAccept")
	}
	v.refuses(hawser.Connection{}, hawser.Peer{}, "an empty peer of an empty connection")
}

func endedTrust(v *verifier) {
	for _, k := range kinds() {
		c, p := k.conn(v), k.stranger(v, "localhost:2121")
		err := within(v, prompt, "Verify with an ended context", func() error { return v.Verify(ended(v.Context()), c, p) })
		if !errors.Is(err, context.Canceled) {
			assert.NoError(v, refusal(err), "Verify of an unknown %s with an ended context", k.name)
		}
	}
}

func verifyConcurrent(v *verifier) {
	type attempt struct {
		c    hawser.Connection
		p    hawser.Peer
		good bool
	}
	var attempts []attempt
	for _, k := range kinds() {
		if c, p := k.good(v); v.judged[k.name] {
			attempts = append(attempts, attempt{c, p, true})
		}
		c, p := k.good(v)
		stranger := k.stranger(v, p.Addr)
		attempts = append(attempts, attempt{c, stranger, false}, attempt{k.conn(v), stranger, false})
	}
	err := within(v, patience, "Verify of many at once", func() error {
		return each(concurrency, 20*concurrency, func(i int) error {
			try := attempts[i%len(attempts)]
			err := v.Verify(v.Context(), try.c, try.p)
			if try.good && err != nil {
				return fmt.Errorf("a good peer was refused: %w", err)
			}
			if bad := refusal(err); !try.good && bad != nil {
				return fmt.Errorf("an unknown peer: %w", bad)
			}
			return nil
		})
	})
	assert.NoError(v, err, "Verify by %d goroutines", concurrency)
}

// verifyLeaves has an Allow with room behind it, into which an append would
// write, and a fault, because of which the chain may be looked at in ways that
// need other dates in the certificates.
func verifyLeaves(v *verifier) {
	allow := append(make([]hawser.Anomaly, 0, 4), hawser.NameMismatch, hawser.Expired)
	c := v.overTLS()
	c.TLS.Allow = allow
	middle := testcert.Intermediate(v, v.root)
	p := v.presents(testcert.Server(v, middle, testcert.Expired), middle)
	sent := slices.Clone(p.TLS.PeerCertificates)
	_ = v.verify(c, p)
	assert.Equal(v, []hawser.Anomaly{hawser.NameMismatch, hawser.Expired, "", ""}, allow[:4], "tls.allow, and behind it, after Verify")
	assert.Equal(v, sent, p.TLS.PeerCertificates, "the chain after Verify")
	for i, cert := range sent {
		assert.Equal(v, must(x509.ParseCertificate(cert.Raw))(v, "parse"), cert, "certificate %d after Verify", i)
	}

	key, other := newHostKey(v), newHostKey(v)
	c = v.overSSH(other, key)
	listed := slices.Clone(c.SSH.HostKeys)
	p = keyed(key)
	_ = v.verify(c, p)
	assert.Equal(v, listed, c.SSH.HostKeys, "ssh.host_keys after Verify")
	assert.Equal(v, key.Marshal(), p.HostKey, "the host key after Verify")
}

func remembersCopy(v *verifier) {
	c, p := v.first(hostKeys(), "localhost:2121")
	key := bytes.Clone(p.HostKey)
	clear(p.HostKey)
	p.HostKey = key
	v.accepts(c, p, "the first host key, after the driver has used its bytes")
}

// hostile is text that a server chose. The first of its bytes begins a colour,
// U+009B does so in one character, and U+202E turns the rest of the line round.
const hostile = "evil\x1b[31m\u009b\u202e\r\nforged: line"

func printableRefusal(v *verifier) {
	subject := func(c *x509.Certificate) { c.Subject = pkix.Name{CommonName: hostile, Organization: []string{hostile}} }
	other := testcert.Root(v, subject)
	// A DNS name is in ASCII, but may be any such.
	name := testcert.For("evil\x1b[31m\r\nforged: line")
	unknownType := ssh.Marshal(struct{ Type, Key string }{hostile, "key"})
	for _, p := range []hawser.Peer{
		v.presents(testcert.Server(v, nil, subject)),
		v.presents(testcert.Server(v, v.root, name)),
		v.presents(testcert.Server(v, v.root, subject, testcert.Expired)),
		v.presents(testcert.Server(v, other, subject), other),
		{Addr: "localhost:22", HostKey: certified(v, newHostKey(v), hostile)},
		{Addr: "localhost:22", HostKey: unknownType},
	} {
		c := v.overTLS()
		if p.TLS == nil {
			c = v.overSSH()
		}
		err := v.verify(c, p)
		if !assert.Error(v, err, "Verify of a peer with hostile text") {
			continue
		}
		for _, bad := range []string{"\x1b", "\u009b", "\u202e", "\r", "\nforged"} {
			assert.NotContains(v, err.Error(), bad, "the refusal %q", err)
		}
	}
}

func refusalNames(v *verifier) {
	for _, k := range kinds() {
		err := v.verify(k.conn(v), k.stranger(v, "files.example.net:2121"))
		assert.ErrorContains(v, err, "files.example.net:2121", "the refusal of an unknown %s", k.name)
	}
}

func verifyLeaks(v *verifier) {
	check := leaks(v)
	for _, k := range kinds() {
		c, p := k.good(v)
		_ = v.verify(c, p)
		v.refuses(k.conn(v), k.stranger(v, "localhost:2121"), "an unknown "+k.name)
		_ = v.verifyUntil(ended(v.Context()), k.conn(v), k.stranger(v, "localhost:2121"))
	}
	check()
}
