package certs_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/certs"
)

// strays reports whether found has a kind that says more than that an issuer is
// not fit: nobody that is trusted signed.
func strays(found []certs.Finding) bool {
	return slices.ContainsFunc(found, func(f certs.Finding) bool {
		return certs.DeniesAuthority(f.Anomaly) && f.Anomaly != hawser.BasicConstraints && f.Anomaly != hawser.NameConstraints
	})
}

// A tally counts worlds by their outcome, so that it is seen whether they were
// of all sorts.
type tally struct{ accepted, excusable, unfit, strays int }

func (n *tally) add(found []certs.Finding) {
	switch {
	case len(found) == 0:
		n.accepted++
	case !denied(found):
		n.excusable++
	case !strays(found):
		n.unfit++
	default:
		n.strays++
	}
}

// checkWorld compares Inspect with x509.Certificate.Verify in w, and in others
// where what Inspect found was mended:
//
//   - it finds nothing if and only if Verify accepts, and says that nobody
//     trusted signed only if Verify does not accept however much else is mended;
//   - Verify accepts as soon as all is mended that it found, so nothing was
//     missed, whatever hid it;
//   - and not before, so nothing was made up.
func checkWorld(t testing.TB, f *forge, w world) []certs.Finding {
	cs, o := f.show(t, w)
	found := certs.Inspect(cs, "localhost", o)
	found = slices.DeleteFunc(found, func(a certs.Finding) bool { return a.Anomaly == hawser.NameMismatch })
	wellFormed(t, cs, found)
	require.Equal(t, f.accepts(t, w), len(found) == 0, "%s of %+v", report(found), w)
	// What Verify does not tell of roots may be taken for worse than it is, and no
	// kind is for policies.
	sha1 := w.any(func(b blueprint) bool { return b.Hash > 0 })
	policy := w.any(func(b blueprint) bool { return b.Policy > 0 })
	unfit := slices.ContainsFunc(w.roots, func(b blueprint) bool { return b.Kind > 0 || b.KeyUsage == 2 || b.Critical > 0 })
	exact := !sha1 && !policy && !unfit
	if strays(found) {
		if exact {
			require.False(t, f.accepts(t, w.perfect()), "%s of %+v %q", report(found), w, details(found))
		}
		return found
	}
	require.True(t, f.accepts(t, f.mended(t, w, found)), "%s misses something of %+v", report(found), w)
	for i := range found {
		if exact && !denied(found) {
			rest := slices.Delete(slices.Clone(found), i, i+1)
			require.False(t, f.accepts(t, f.mended(t, w, rest)), "%s is too much of %+v", report(found), w)
		}
	}
	return found
}

// checkOnPlatform compares what is found there with found: it misses nothing.
func checkOnPlatform(t testing.TB, f *forge, w world, found []certs.Finding) []certs.Finding {
	cs, o := f.show(t, w)
	there := certs.InspectOnPlatform(cs, "localhost", certs.InspectOptions{Now: o.Now}, standIn(o.Roots))
	there = slices.DeleteFunc(there, func(a certs.Finding) bool { return a.Anomaly == hawser.NameMismatch })
	wellFormed(t, cs, there)
	require.Equal(t, len(found) == 0, len(there) == 0, "%s, and there %s of %+v", report(found), report(there), w)
	require.True(t, !denied(found) || denied(there), "%s, and there %s of %+v", report(found), report(there), w)
	if !strays(there) {
		require.True(t, f.accepts(t, f.mended(t, w, there)), "%s misses something of %+v", report(there), w)
	}
	return there
}

func TestInspectAgreesWithVerifyInRandomWorlds(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	worlds := 1200
	if testing.Short() {
		worlds = 300
	}
	var here, there tally
	for seed := range worlds {
		random := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
		text := make(script, 64)
		_, _ = random.Read(text)
		w := newWorld(&text)
		found := checkWorld(t, f, w)
		here.add(found)
		there.add(checkOnPlatform(t, f, w, found))
	}
	t.Logf("%d worlds: %+v; on a platform that verifies by itself: %+v", worlds, here, there)
	for _, n := range []int{here.accepted, here.excusable, here.unfit, here.strays} {
		assert.Greater(t, n, worlds/100, "there are too few of a sort")
	}
}
