package certs_test

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser/certs"
	"github.com/hawser/hawser/internal/testcert"
)

// mesh is n authorities of one name, each of which has a certificate by each.
func mesh(t testing.TB, n int) (keys, all []*testcert.Pair) {
	for range n {
		keys = append(keys, testcert.Root(t, withName("mesh")))
	}
	for _, issuer := range keys {
		for _, p := range keys {
			all = append(all, testcert.Sign(t, issuer, p.Key, testcert.Authority, withName("mesh")))
		}
	}
	return keys, all
}

// However many certificates a server sends, the work is bounded, and the result
// closed.
func TestInspectDoesABoundedAmountOfWork(t *testing.T) {
	t.Parallel()
	w := newAttackWorld(t)
	keys, meshed := mesh(t, 17)
	deep := []*testcert.Pair{w.other}
	for range 40 {
		deep = append(deep, testcert.Intermediate(t, deep[len(deep)-1]))
	}
	slices.Reverse(deep)
	namesakes, likeRoot := make([]*testcert.Pair, 300), make([]*testcert.Pair, 300)
	for i := range namesakes {
		likeRoot[i] = testcert.Root(t, withName("root"), func(c *x509.Certificate) { c.SubjectKeyId = w.root.Cert.SubjectKeyId })
		namesakes[i] = testcert.Intermediate(t, w.root, withName("inter"), func(c *x509.Certificate) { c.SubjectKeyId = w.inter.Cert.SubjectKeyId })
	}
	chain := func(server *testcert.Pair, more ...*testcert.Pair) []*testcert.Pair {
		return append([]*testcert.Pair{server}, more...)
	}
	expired := testcert.Server(t, w.inter, testcert.Expired)
	layer := make([]*testcert.Pair, 10) // of which each but the last has two certificates of the next
	for i := range layer {
		layer[i] = testcert.Root(t, withName(fmt.Sprint("layer ", i)))
	}
	layers := []*testcert.Pair{testcert.Server(t, layer[0])}
	for i, issuer := range layer[1:] {
		for range 2 {
			layers = append(layers, testcert.Sign(t, issuer, layer[i].Key, testcert.Authority, withName(fmt.Sprint("layer ", i))))
		}
	}
	for name, row := range map[string]struct {
		want  string
		sight sight
	}{
		"300 certificates of 17 that sign each other": {"expired@0 unknown-authority@1", w.shows(chain(testcert.Server(t, keys[0], testcert.Expired), meshed...)...)},
		"a chain of 42":                             {"unknown-authority@9", w.shows(chain(testcert.Server(t, deep[0]), deep...)...)},
		"9 layers, 512 ways":                        {"unknown-authority@17", w.shows(layers...)},
		"300 namesakes before the right one":        {"expired@0 unknown-authority@0", w.shows(chain(expired, append(slices.Clone(namesakes), w.inter)...)...)},
		"300 times the same":                        {"unknown-authority@1", w.shows(chain(testcert.Server(t, w.other), slices.Repeat([]*testcert.Pair{w.other}, 300)...)...)},
		"300 namesakes of a root that did not sign": {"unknown-authority@0", w.shows(chain(testcert.Server(t, impostor(t, w.root)), likeRoot...)...)},
		"300 namesakes, and the server's alone":     {"unknown-authority@0 weak-signature@0", w.shows(chain(testcert.Server(t, impostor(t, w.inter), withSHA1), namesakes...)...)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cs, found := row.sight.shake(t)
			wellFormed(t, cs, found)
			assert.Equal(t, row.want, report(found), "%q", details(found))
			start := time.Now()
			_, work, most := certs.InspectCounting(cs, "localhost", certs.InspectOptions{Roots: row.sight.roots})
			t.Logf("%-45s | %v of %v in %v | %s", name, work, most, time.Since(start).Round(time.Millisecond), report(found))
			for kind, n := range work {
				assert.LessOrEqual(t, n, most[kind], kind)
			}
			if name == "300 times the same" {
				assert.LessOrEqual(t, work["paths"], 2, "the same again is not another way")
			}
		})
	}
	t.Run("the right one first, then 300 namesakes", func(t *testing.T) {
		t.Parallel()
		s := w.shows(chain(expired, append([]*testcert.Pair{w.inter}, namesakes...)...)...)
		_, found := s.shake(t)
		assert.Equal(t, "expired@0", report(found))
	})
}

func TestInspectMayBeCalledConcurrently(t *testing.T) {
	t.Parallel()
	w := newDefectWorld(t)
	all := allDefects - 1 - oldProtocol
	s := w.sight(t, all)
	cs := s.state()
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			assert.Equal(t, all.report(), report(s.inspect(cs)))
			assert.Equal(t, all.report(), report(s.inspectOnPlatform(cs)))
		})
	}
	group.Wait()
}

// Nothing of what is inspected is changed, though copies are made of it.
func TestInspectLeavesCertificatesAsTheyAre(t *testing.T) {
	t.Parallel()
	w := newDefectWorld(t)
	s := w.sight(t, allDefects-1)
	cs := s.state()
	before := make([]string, len(cs.PeerCertificates))
	for i, c := range cs.PeerCertificates {
		before[i] = fmt.Sprintf("%+v", *c)
	}
	require.NotEmpty(t, s.inspect(cs))
	for i, c := range cs.PeerCertificates {
		assert.Equal(t, before[i], fmt.Sprintf("%+v", *c))
		again, err := x509.ParseCertificate(c.Raw)
		require.NoError(t, err)
		if key, ok := c.PublicKey.(*ecdsa.PublicKey); ok {
			assert.True(t, key.Equal(again.PublicKey))
		}
	}
}

// A state that no handshake made has no version, and is not taken for a good one.
func TestInspectTakesNoVersionForAWeakOne(t *testing.T) {
	t.Parallel()
	w := newKindWorld(t)
	s := w.under(w.inter)(t)
	cs := s.state()
	cs.Version = 0
	assert.Equal(t, "weak-protocol@-1", report(s.inspect(cs)))
	cs.Version = tls.VersionTLS12
	cs.CipherSuite = tls.TLS_ECDHE_RSA_WITH_RC4_128_SHA
	assert.Equal(t, "weak-protocol@-1", report(s.inspect(cs)))
}
