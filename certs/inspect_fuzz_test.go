package certs_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ocsp"

	"github.com/hawser/hawser/certs"
	"github.com/hawser/hawser/internal/testcert"
)

// spoil changes bytes of certificates: for each four of changes, one byte of
// one. What cannot be parsed then does not come out of a handshake.
func spoil(cs *tls.ConnectionState, changes []byte) {
	for ; len(changes) >= 4; changes = changes[4:] {
		i := int(changes[0]) % len(cs.PeerCertificates)
		der := bytes.Clone(cs.PeerCertificates[i].Raw)
		der[(int(changes[1])<<8|int(changes[2]))%len(der)] ^= changes[3]
		if c, err := x509.ParseCertificate(der); err == nil {
			cs.PeerCertificates[i] = c
		}
	}
}

// FuzzInspect looks at chains of every make: those of a world that the script
// tells, spoiled, with other certificates after them, a CRL, a stapled response,
// and any name. What Verify accepts is trusted, what it refuses is not nothing.
func FuzzInspect(f *testing.F) {
	forge := newForge(f)
	// Of the issuer of the server in each world.
	issuer := &testcert.Pair{Cert: forge.make(f, blueprint{Subject: 1, Key: 1, Issuer: 2, Signer: 2}), Key: forge.keys[1]}
	server := &testcert.Pair{Cert: forge.make(f, blueprint{Issuer: 1, Signer: 1, Kind: 1})}
	from, to := forge.epoch.Add(-time.Hour), forge.epoch.Add(time.Hour)
	staple := response(f, issuer, server, func(r *ocsp.Response) { r.ThisUpdate, r.NextUpdate = from, to })
	list := editedCRL(f, issuer, func(l *x509.RevocationList) { l.ThisUpdate, l.NextUpdate = from, to }, server).Raw
	good := testcert.Root(f)
	for seed := range byte(8) {
		text := make([]byte, 40)
		_, _ = rand.NewChaCha8([32]byte{seed}).Read(text)
		f.Add(text, []byte{}, []byte{}, list, staple, "localhost")
		f.Add(text, []byte{0, 0, 200, 1, 1, 1, 3, 128}, good.Cert.Raw, list[:len(list)/2], staple[:len(staple)/2], "example.com")
	}
	f.Fuzz(func(t *testing.T, text, changes, more, list, staple []byte, name string) {
		s := script(text)
		w := newWorld(&s)
		cs, o := forge.show(t, w)
		if len(changes) == 0 && len(more) == 0 {
			checkOnPlatform(t, forge, w, checkWorld(t, forge, w))
		}
		spoil(&cs, changes)
		if others, err := x509.ParseCertificates(more); err == nil {
			cs.PeerCertificates = append(cs.PeerCertificates, others...)
		}
		cs.OCSPResponse = staple
		if l, err := x509.ParseRevocationList(list); err == nil {
			o.CRLs = []*x509.RevocationList{l}
		}
		found := certs.Inspect(cs, name, o)
		wellFormed(t, cs, found)
		require.LessOrEqual(t, len(found), 16*(len(cs.PeerCertificates)+2))
		switch err := verified(cs, name, o); {
		case err != nil:
			require.NotEmpty(t, found, "Verify refuses it: %v", err)
		default:
			require.False(t, denied(found), "Verify accepts it, and %s", report(found))
		}
		there := certs.InspectOnPlatform(cs, name, certs.InspectOptions{Now: o.Now, CRLs: o.CRLs}, standIn(o.Roots))
		wellFormed(t, cs, there)
		require.True(t, !denied(found) || denied(there), "%s, and there %s", report(found), report(there))
	})
}
