package certs_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"hash/fnv"
	"math/big"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/certs"
)

// A blueprint is what a certificate is made of. The zero value is that of an
// authority without a fault, which signs itself.
type blueprint struct {
	Subject, Key   uint8 // whose certificate it is
	Issuer, Signer uint8 // of whom it says it is, and whose key signed it
	Kind           uint8 // authority; server; says neither
	PathLen        uint8 // any; 0; 1
	KeyUsage       uint8 // for certificates and CRLs; none; for CRLs
	Time           uint8 // now; past; future; long past
	Usage          uint8 // none; servers; clients; any
	Permits        uint8 // all; localhost; something else
	Critical       uint8 // extensions: known; not
	Policy         uint8 // none; one; demands one of all below
	Hash           uint8 // SHA-256; SHA-1
	KeyID          uint8 // of the issuer: as is; none
	Twin           uint8 // those that were different stay so when they are mended
}

// choices are how many values there are for each part, in this order.
func (b *blueprint) parts() (parts []*uint8, choices []uint8) {
	return []*uint8{
			&b.Subject, &b.Key, &b.Issuer, &b.Signer, &b.Kind, &b.PathLen, &b.KeyUsage,
			&b.Time, &b.Usage, &b.Permits, &b.Critical, &b.Policy, &b.Hash, &b.KeyID,
		},
		[]uint8{names, names, names, names, 3, 3, 3, 4, 4, 3, 2, 3, 2, 2}
}

const names = 5 // and as many keys

// A forge makes certificates, each once, and the same ones in each process, so
// that what a fuzzer finds stays found.
type forge struct {
	epoch time.Time
	keys  [names]crypto.Signer

	mu   sync.Mutex
	made map[blueprint]*x509.Certificate
}

func newForge(t testing.TB) *forge {
	t.Helper()
	f := &forge{epoch: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), made: make(map[blueprint]*x509.Certificate)}
	for i := range f.keys {
		key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), bytes.Repeat([]byte{byte(i) + 1}, 32))
		require.NoError(t, err)
		f.keys[i] = key
	}
	return f
}

func (f *forge) make(t testing.TB, b blueprint) *x509.Certificate {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c := f.made[b]; c != nil {
		return c
	}
	template := f.template(b)
	parent := &x509.Certificate{Subject: nameOf(b.Issuer), PublicKey: f.keys[b.Signer].Public()}
	if b.KeyID == 0 {
		parent.SubjectKeyId = []byte{b.Signer}
	}
	der, err := x509.CreateCertificate(nil, template, parent, f.keys[b.Key].Public(), f.keys[b.Signer])
	require.NoError(t, err)
	c, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	f.made[b] = c
	return c
}

func nameOf(i uint8) pkix.Name { return pkix.Name{CommonName: string('A' + rune(i))} }

func (f *forge) template(b blueprint) *x509.Certificate {
	sum := fnv.New64a()
	_ = binary.Write(sum, binary.BigEndian, b)
	const hour = time.Hour
	times := [...][2]time.Duration{{-100 * hour, 100 * hour}, {-90 * hour, -10 * hour}, {10 * hour, 90 * hour}, {-300 * hour, -200 * hour}}
	c := &x509.Certificate{
		SerialNumber: new(big.Int).SetUint64(sum.Sum64() >> 1), Subject: nameOf(b.Subject),
		NotBefore: f.epoch.Add(times[b.Time][0]), NotAfter: f.epoch.Add(times[b.Time][1]),
		SubjectKeyId: []byte{b.Key}, KeyUsage: [...]x509.KeyUsage{x509.KeyUsageCertSign | x509.KeyUsageCRLSign, 0, x509.KeyUsageCRLSign}[b.KeyUsage],
		ExtKeyUsage:        [][]x509.ExtKeyUsage{nil, {x509.ExtKeyUsageServerAuth}, {x509.ExtKeyUsageClientAuth}, {x509.ExtKeyUsageAny}}[b.Usage],
		SignatureAlgorithm: [...]x509.SignatureAlgorithm{x509.ECDSAWithSHA256, x509.ECDSAWithSHA1}[b.Hash],
	}
	switch b.Kind {
	case 0:
		c.BasicConstraintsValid, c.IsCA = true, true
		c.MaxPathLen, c.MaxPathLenZero = [...]int{-1, 0, 1}[b.PathLen], b.PathLen == 1
		c.PermittedDNSDomains = [][]string{nil, {"localhost"}, {"example.com"}}[b.Permits]
	case 1:
		c.BasicConstraintsValid, c.DNSNames = true, []string{"localhost"}
	}
	if b.Critical > 0 {
		strangeExtension(c)
	}
	policy, _ := x509.OIDFromInts([]uint64{1, 3, 6, 1, 4, 1, 32473, 9})
	switch b.Policy {
	case 1:
		c.Policies = []x509.OID{policy}
	case 2:
		c.Policies = []x509.OID{policy}
		explicit := &x509.Certificate{}
		explicitPolicy(explicit)
		c.ExtraExtensions = append(c.ExtraExtensions, explicit.ExtraExtensions...)
	}
	return c
}

// A world is what a server presents, and who trusts whom.
type world struct {
	presented []blueprint
	roots     []blueprint
}

// A script is where decisions come from: random bytes, or a fuzzer's. Where it
// ends, nothing more is changed.
type script []byte

func (s *script) next(n int) int {
	if len(*s) == 0 || n == 0 {
		return 0
	}
	b := (*s)[0]
	*s = (*s)[1:]
	return int(b) % n
}

// newWorld makes a good chain and then does to it what the script says.
func newWorld(s *script) world {
	depth := uint8(s.next(names-1) + 1)
	w := world{roots: []blueprint{{Subject: depth, Key: depth, Issuer: depth, Signer: depth}}}
	w.presented = []blueprint{{Issuer: 1, Signer: 1, Kind: 1}}
	for i := uint8(1); i < depth; i++ {
		w.presented = append(w.presented, blueprint{Subject: i, Key: i, Issuer: i + 1, Signer: i + 1})
	}
	for range s.next(10) {
		switch s.next(8) {
		case 0: // another certificate that is nearly like one
			b := w.presented[s.next(len(w.presented))]
			w.presented = append(w.presented, change(b, s))
		case 1: // present a root, or nearly
			w.presented = append(w.presented, change(w.roots[s.next(len(w.roots))], s))
		case 2: // trust one that is presented, or nearly
			w.roots = append(w.roots, change(w.presented[s.next(len(w.presented))], s))
		case 3: // trust another one instead
			i := s.next(len(w.roots))
			w.roots[i] = change(w.roots[i], s)
		case 4: // leave one out
			if i := s.next(len(w.presented)); i > 0 {
				w.presented = slices.Delete(w.presented, i, i+1)
			}
		case 5: // another order
			i, j := s.next(len(w.presented)), s.next(len(w.presented))
			if i > 0 && j > 0 {
				w.presented[i], w.presented[j] = w.presented[j], w.presented[i]
			}
		default:
			i := s.next(len(w.presented))
			w.presented[i] = change(w.presented[i], s)
		}
	}
	return w
}

func change(b blueprint, s *script) blueprint {
	parts, choices := b.parts()
	i := s.next(len(parts) + 1)
	if i < len(parts) {
		*parts[i] = uint8(s.next(int(choices[i])))
	}
	return b
}

func (w world) any(has func(blueprint) bool) bool {
	return slices.ContainsFunc(w.presented, has) || slices.ContainsFunc(w.roots, has)
}

// each is w with another certificate in place of each.
func (w world) each(replace func(blueprint) blueprint) world {
	twins := make(map[blueprint]uint8)
	other := world{slices.Clone(w.presented), slices.Clone(w.roots)}
	for _, list := range [][]blueprint{other.presented, other.roots} {
		for i, b := range list {
			if _, known := twins[b]; !known {
				twins[b] = uint8(len(twins) + 1)
			}
			list[i] = replace(b)
			list[i].Twin = twins[b]
		}
	}
	return other
}

func (f *forge) show(t testing.TB, w world) (tls.ConnectionState, certs.InspectOptions) {
	cs := tls.ConnectionState{Version: tls.VersionTLS13}
	for _, b := range w.presented {
		cs.PeerCertificates = append(cs.PeerCertificates, f.make(t, b))
	}
	o := certs.InspectOptions{Roots: x509.NewCertPool(), Now: f.epoch}
	for _, b := range w.roots {
		o.Roots.AddCert(f.make(t, b))
	}
	return cs, o
}

// accepts reports whether x509 does, by the name of localhost or any.
func (f *forge) accepts(t testing.TB, w world) bool {
	cs, o := f.show(t, w)
	pool := x509.NewCertPool()
	for _, c := range cs.PeerCertificates {
		pool.AddCert(c)
	}
	_, err := cs.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: o.Roots, Intermediates: pool, CurrentTime: o.Now})
	return err == nil
}

// mended is w without what is found, and only that. Constraints of names are
// those of any issuer.
func (f *forge) mended(t testing.TB, w world, found []certs.Finding) world {
	return w.each(func(b blueprint) blueprint {
		c := f.make(t, b)
		for _, a := range found {
			if a.Anomaly == hawser.NameConstraints {
				b.Permits = 0
			}
			if a.Cert != nil && bytes.Equal(a.Cert.Raw, c.Raw) {
				b = mend(b, a.Anomaly)
			}
		}
		return b
	})
}

func mend(b blueprint, a hawser.Anomaly) blueprint {
	switch a {
	case hawser.Expired, hawser.NotYetValid:
		b.Time = 0
	case hawser.WrongUsage:
		b.Usage = 0
	case hawser.CriticalExtension:
		b.Critical = 0
	case hawser.WeakSignature:
		b.Hash = 0
	case hawser.BasicConstraints:
		if b.Kind > 0 {
			b.Permits = 0 // as it was: authorities alone have such
		}
		b.Kind, b.PathLen, b.KeyUsage = 0, 0, 0
	}
	return b
}

// perfect is w without any fault but of who signed whom.
func (w world) perfect() world {
	return w.each(func(b blueprint) blueprint {
		for _, a := range hawser.Anomalies() {
			b = mend(b, a)
		}
		b.Permits, b.Policy = 0, 0
		return b
	})
}
