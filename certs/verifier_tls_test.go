package certs_test

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/certs"
	"github.com/hawser/hawser/internal/testcert"
)

// unasked fails the test if somebody is asked.
func unasked(t *testing.T) certs.Asker {
	return func(_ context.Context, q certs.Question) (certs.Answer, error) {
		t.Errorf("asked about %s", q.Fingerprint)
		return certs.Answer{Decision: certs.AcceptOnce}, nil
	}
}

func allPins(t *testing.T, store certs.Store) []certs.Pin {
	t.Helper()
	pins, err := store.Pins(t.Context(), "")
	require.NoError(t, err)
	return pins
}

func TestValidCertificateIsTrustedSilently(t *testing.T) {
	t.Parallel()
	root := testcert.Root(t)
	middle := testcert.Intermediate(t, root)
	v := &certs.Verifier{Store: certs.Memory(), Ask: unasked(t)}
	require.NoError(t, meet(t, v, trusting(t, root), testcert.Server(t, middle).TLS(middle)))
	assert.Empty(t, allPins(t, v.Store))
}

func TestAllowedAnomaliesAreAcceptedByName(t *testing.T) {
	t.Parallel()
	root := testcert.Root(t)
	expired := testcert.Server(t, root, testcert.Expired, testcert.For("a.test"))
	t.Run("all of them", func(t *testing.T) {
		t.Parallel()
		v, c := &certs.Verifier{Store: certs.Memory(), Ask: unasked(t)}, trusting(t, root)
		c.TLS.Allow = []hawser.Anomaly{hawser.Expired, hawser.NameMismatch}
		require.NoError(t, meet(t, v, c, expired.TLS()))
		assert.Empty(t, allPins(t, v.Store), "what is allowed is not pinned")
	})
	t.Run("one is not enough, and the other is named alone", func(t *testing.T) {
		t.Parallel()
		v, c := &certs.Verifier{}, trusting(t, root)
		c.TLS.Allow = []hawser.Anomaly{hawser.Expired}
		err := refused(t, meet(t, v, c, expired.TLS()))
		assert.Equal(t, []hawser.Anomaly{hawser.NameMismatch}, anomalies(err.Question.Findings))
		assert.NotContains(t, err.Error(), "expired")
	})
	t.Run("to allow expired ones trusts no unknown authority", func(t *testing.T) {
		t.Parallel()
		v, c := &certs.Verifier{}, trusting(t, testcert.Root(t))
		c.TLS.Allow = []hawser.Anomaly{hawser.Expired, hawser.NameMismatch}
		err := refused(t, meet(t, v, c, expired.TLS(root)))
		assert.Contains(t, anomalies(err.Question.Findings), hawser.UnknownAuthority)
	})
}

// revocations is a list of issuer that revokes these.
func revocations(t *testing.T, issuer *testcert.Pair, revoked ...*testcert.Pair) *x509.RevocationList {
	t.Helper()
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now().Add(-time.Hour), NextUpdate: time.Now().Add(time.Hour)}
	for _, p := range revoked {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: p.Cert.SerialNumber, RevocationTime: time.Now()})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, issuer.Cert, issuer.Key)
	require.NoError(t, err)
	list, err = x509.ParseRevocationList(der)
	require.NoError(t, err)
	return list
}

func TestRevokedCertificateIsRefusedWhateverIsAllowed(t *testing.T) {
	t.Parallel()
	root := testcert.Root(t)
	server := testcert.Server(t, root)
	crls := func(context.Context) ([]*x509.RevocationList, error) {
		return []*x509.RevocationList{revocations(t, root, server)}, nil
	}
	c := trusting(t, root)
	c.TLS.Allow, c.TLS.AutoAccept = hawser.Anomalies(), true

	v := &certs.Verifier{Store: certs.Memory(), Ask: unasked(t), CRLs: crls}
	err := refused(t, meet(t, v, c, server.TLS()))
	assert.Equal(t, certs.RevokedKey, err.Question.Reason)
	assert.ErrorContains(t, err, "revoked")
	assert.Empty(t, allPins(t, v.Store))

	pin := certs.Pin{Addr: tlsAddr, Kind: certs.KindTLS, Fingerprint: printOf(server)}
	require.NoError(t, v.Store.Add(t.Context(), pin))
	refused(t, meet(t, v, c, server.TLS()))

	require.NoError(t, v.Store.Remove(t.Context(), pin))
	pin.Anomalies = []hawser.Anomaly{hawser.Revoked}
	require.NoError(t, v.Store.Add(t.Context(), pin))
	require.NoError(t, meet(t, v, c, server.TLS()), "a pin that says so")

	v.CRLs = func(context.Context) ([]*x509.RevocationList, error) { return nil, errors.New("the disk is gone") }
	require.ErrorIs(t, meet(t, v, c, server.TLS()), hawser.ErrUntrusted)
}

func TestForgedCertificateIsAcceptedByNoFlagAndNobodyIsAsked(t *testing.T) {
	t.Parallel()
	root := testcert.Root(t)
	same := func(c *x509.Certificate) { c.Subject, c.SubjectKeyId = root.Cert.Subject, root.Cert.SubjectKeyId }
	forger := testcert.Root(t, same)
	server := testcert.Server(t, forger)
	c := trusting(t, root)
	c.TLS.Allow, c.TLS.AutoAccept = hawser.Anomalies(), true
	v := &certs.Verifier{Store: certs.Memory(), Ask: unasked(t)}
	err := refused(t, meet(t, v, c, server.TLS(root)))
	assert.Equal(t, certs.Forged, err.Question.Reason)
	assert.Contains(t, anomalies(err.Question.Findings), hawser.BadSignature)
	assert.Empty(t, allPins(t, v.Store))

	require.NoError(t, v.Store.Add(t.Context(), certs.Pin{Addr: tlsAddr, Kind: certs.KindTLS, Fingerprint: printOf(server)}))
	require.NoError(t, meet(t, v, c, server.TLS(root)), "a pin is of this certificate, whoever signed it")
}

func TestAutoAcceptPinsTheFirstCertificate(t *testing.T) {
	t.Parallel()
	root := testcert.Root(t)
	selfSigned := func() *testcert.Pair { return testcert.Server(t, nil) }
	for name, first := range map[string]*testcert.Pair{"not valid by itself": selfSigned(), "valid": testcert.Server(t, root)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachTLSStore(t, func(t *testing.T, open func() certs.Store) {
				c := trusting(t, root)
				c.TLS.AutoAccept = true
				verifier := func() *certs.Verifier { return &certs.Verifier{Store: open()} }
				require.NoError(t, meet(t, verifier(), c, first.TLS()))
				require.NoError(t, meet(t, verifier(), c, first.TLS()))
				pins := allPins(t, open())
				require.Len(t, pins, 1)
				assert.Equal(t, printOf(first), pins[0].Fingerprint)
				assert.Equal(t, "tls.auto_accept", pins[0].By)

				err := refused(t, meet(t, verifier(), c, selfSigned().TLS()))
				assert.Equal(t, certs.Changed, err.Question.Reason)
				assert.ErrorContains(t, err, printOf(first))
				require.NoError(t, meet(t, verifier(), c, testcert.Server(t, root).TLS()), "one that is valid by itself")
				assert.Len(t, allPins(t, open()), 1)
			})
		})
	}
}

// Neither tls.allow, tls.auto_accept nor tls.roots are about the proxy.
func TestProxyIsJudgedByItsOwnPinsAlone(t *testing.T) {
	t.Parallel()
	root := testcert.Root(t)
	server := testcert.Server(t, root)
	c := trusting(t, root)
	c.TLS.Allow, c.TLS.AutoAccept = hawser.Anomalies(), true
	v := &certs.Verifier{Store: certs.Memory()}
	proxy := hawser.Peer{Addr: "proxy.example.com:3128", ServerName: "localhost", Proxy: true}
	meetProxy := func() error {
		return meetAs(t, v, c, proxy, &tls.Config{Certificates: []tls.Certificate{server.TLS()}})
	}
	require.NoError(t, meet(t, v, c, server.TLS()), "the server itself, which is pinned by that")
	err := refused(t, meetProxy())
	assert.Equal(t, "proxy.example.com:3128", err.Question.Addr)
	assert.NotEmpty(t, err.Question.Findings)
	require.NoError(t, v.Store.Answer(t.Context(), err.Pending, certs.Answer{Decision: certs.AcceptAlways}))
	require.NoError(t, meetProxy())
}

func TestOldProtocolIsRefusedUnlessTheConnectionNamesIt(t *testing.T) {
	t.Parallel()
	root := testcert.Root(t)
	old := &tls.Config{Certificates: []tls.Certificate{testcert.Server(t, root).TLS()}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	peer := hawser.Peer{Addr: tlsAddr, ServerName: "localhost"}
	for name, row := range map[string]struct {
		options hawser.TLSOptions
		trusted bool
	}{
		"not named":                            {hawser.TLSOptions{}, false},
		"min_version 1.0, which is met by 1.1": {hawser.TLSOptions{MinVersion: "1.0"}, true},
		"min_version 1.1":                      {hawser.TLSOptions{MinVersion: "1.1"}, true},
		"min_version 1.2":                      {hawser.TLSOptions{MinVersion: "1.2"}, false},
		"allowed":                              {hawser.TLSOptions{Allow: []hawser.Anomaly{hawser.WeakProtocol}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := trusting(t, root)
			row.options.Roots, row.options.Mode = c.TLS.Roots, c.TLS.Mode
			c.TLS = row.options
			err := meetAs(t, &certs.Verifier{}, c, peer, old)
			if row.trusted {
				require.NoError(t, err)
				return
			}
			assert.Equal(t, []hawser.Anomaly{hawser.WeakProtocol}, anomalies(refused(t, err).Question.Findings))
		})
	}
}

func TestTwentyDialsAskOnceAboutACertificate(t *testing.T) {
	t.Parallel()
	cert := testcert.Server(t, nil)
	for _, decision := range []certs.Decision{certs.Deny, certs.AcceptOnce, certs.AcceptAlways} {
		t.Run(decision.String(), func(t *testing.T) {
			t.Parallel()
			const dials = 20
			var asked, waiting atomic.Int32
			all := make(chan struct{})
			v := &certs.Verifier{Ask: func(_ context.Context, q certs.Question) (certs.Answer, error) {
				asked.Add(1)
				<-all
				return certs.Answer{Decision: decision, By: "alice"}, nil
			}}
			// Each has shaken hands before the first answer comes.
			judge := verifierFunc(func(ctx context.Context, c hawser.Connection, p hawser.Peer) error {
				if waiting.Add(1) == dials {
					time.AfterFunc(50*time.Millisecond, func() { close(all) }) // so that all are waiting
				}
				return v.Verify(ctx, c, p)
			})
			var wg sync.WaitGroup
			for i := range dials {
				wg.Go(func() {
					c := trusting(t)
					c.Name = strconv.Itoa(i)
					err := meet(t, judge, c, cert.TLS())
					if decision != certs.Deny {
						assert.NoError(t, err)
						return
					}
					denied := refused(t, err)
					assert.Equal(t, c.Name, denied.Question.Connection)
					assert.ErrorContains(t, denied, "which alice denied")
				})
			}
			wg.Wait()
			assert.EqualValues(t, 1, asked.Load())
		})
	}
}

type verifierFunc func(context.Context, hawser.Connection, hawser.Peer) error

func (f verifierFunc) Verify(ctx context.Context, c hawser.Connection, p hawser.Peer) error {
	return f(ctx, c, p)
}

func TestSeveralCertificatesOfOneAddress(t *testing.T) {
	t.Parallel()
	eachTLSStore(t, func(t *testing.T, open func() certs.Store) {
		one, two, c := testcert.Server(t, nil), testcert.Server(t, nil), trusting(t)
		for _, cert := range []*testcert.Pair{one, two} {
			v := &certs.Verifier{Store: open(), Ask: answering(certs.AcceptAlways)}
			require.NoError(t, meet(t, v, c, cert.TLS()))
		}
		for _, cert := range []*testcert.Pair{one, two, one} {
			require.NoError(t, meet(t, &certs.Verifier{Store: open()}, c, cert.TLS()), "servers behind one address")
		}
		third := refused(t, meet(t, &certs.Verifier{Store: open()}, c, testcert.Server(t, nil).TLS()))
		assert.Equal(t, []string{printOf(one), printOf(two)}, third.Question.Known)
	})
}

func TestPinThatRevokes(t *testing.T) {
	t.Parallel()
	root := testcert.Root(t)
	middle := testcert.Intermediate(t, root)
	server := testcert.Server(t, middle)
	for name, revoked := range map[string]*testcert.Pair{"the certificate": server, "its issuer": middle} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := &certs.Verifier{Store: certs.Memory(), Ask: unasked(t)}
			for _, p := range []certs.Pin{
				{Addr: "elsewhere:1", Kind: certs.KindTLS, Fingerprint: printOf(revoked), Revoked: true},
				{Addr: tlsAddr, Kind: certs.KindTLS, Fingerprint: printOf(server)},
			} {
				require.NoError(t, v.Store.Add(t.Context(), p))
			}
			err := refused(t, meet(t, v, trusting(t, root), server.TLS(middle)))
			assert.Equal(t, certs.RevokedKey, err.Question.Reason)
			assert.ErrorContains(t, err, "remove the revocation")
		})
	}
}

func TestPinOfACertificateAsPeopleWriteIt(t *testing.T) {
	t.Parallel()
	server := testcert.Server(t, nil)
	print := printOf(server)
	plain := strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(print, "SHA256:"), ":", ""))
	for name, text := range map[string]string{"as printed": print, "lower case without colons": "SHA256:" + plain} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := certs.Memory()
			pin := certs.Pin{Addr: "FILES.example.com:990", Kind: certs.KindTLS, Fingerprint: text}
			require.NoError(t, store.Add(t.Context(), pin))
			require.NoError(t, meet(t, &certs.Verifier{Store: store}, trusting(t), server.TLS()))
			require.NoError(t, store.Remove(t.Context(), pin))
			assert.Empty(t, allPins(t, store))
		})
	}
	for name, pin := range map[string]certs.Pin{
		"no fingerprint": {}, "of SHA-1": {Fingerprint: "SHA1:" + plain[:40]}, "too short": {Fingerprint: "SHA256:AB:CD"},
		"of an SSH key": {Fingerprint: "SHA256:UU20jPdSi9XTTA5Fs7Or66xD29IaqMHn2VRWsAYhYUs"},
		"an authority":  {Fingerprint: print, CA: true}, "a host key": {Fingerprint: print, HostKey: wire(newEd25519(t))},
	} {
		t.Run(name+" is refused", func(t *testing.T) {
			t.Parallel()
			pin.Addr, pin.Kind = tlsAddr, certs.KindTLS
			require.ErrorContains(t, certs.Memory().Add(t.Context(), pin), "pin: ")
		})
	}
	require.ErrorContains(t, certs.Memory().Add(t.Context(), certs.Pin{Addr: tlsAddr, Kind: "tsl", Fingerprint: print}), `unknown kind "tsl"`)
}

func TestKnownHostsKeepsNoCertificates(t *testing.T) {
	t.Parallel()
	store, err := certs.KnownHosts(t.TempDir() + "/known_hosts")
	require.NoError(t, err)
	root := testcert.Root(t)
	server, v := testcert.Server(t, nil), &certs.Verifier{Store: store}
	c := trusting(t, root)
	require.NoError(t, meet(t, v, c, testcert.Server(t, root).TLS()), "valid by itself")

	asked := refused(t, meet(t, v, c, server.TLS()))
	require.ErrorContains(t, store.Answer(t.Context(), asked.Pending, certs.Answer{Decision: certs.AcceptAlways}), "known_hosts keeps SSH keys alone")
	require.NoError(t, store.Answer(t.Context(), asked.Pending, certs.Answer{Decision: certs.AcceptOnce}))
	require.NoError(t, meet(t, v, c, server.TLS()))

	c.TLS.AutoAccept = true
	err = meet(t, v, c, server.TLS())
	require.ErrorIs(t, err, hawser.ErrUntrusted)
	require.ErrorContains(t, err, "tls.auto_accept")
	require.ErrorContains(t, err, "use File")
}

func TestRootsThatCannotBeReadRefuse(t *testing.T) {
	t.Parallel()
	c := trusting(t)
	c.TLS.Roots = t.TempDir() + "/missing.pem"
	c.TLS.AutoAccept = true
	err := meet(t, &certs.Verifier{Ask: answering(certs.AcceptAlways)}, c, testcert.Server(t, nil).TLS())
	require.ErrorIs(t, err, hawser.ErrUntrusted)
	require.ErrorContains(t, err, "tls.roots")
}
