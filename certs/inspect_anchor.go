package certs

import (
	"crypto/x509"
	"errors"
	"runtime"
	"slices"
	"time"
)

// A backend is what package x509 verifies with.
//
// Where the roots are the system's, Windows, macOS and iOS verify by themselves,
// and differ from Go's verifier in three ways that matter here. They read the
// bytes of a certificate, so that a copy with other fields is to them the
// original. Their errors are coarse: one thing, often "unknown authority" for
// whatever it is. And they refuse more, such as SHA-1 or a validity of years.
//
// So the platform is only asked what nobody else knows, whether a chain leads to
// one of its roots: with the originals, for any usage, and if need be at another
// time, when all that the server presented for the chain was valid. What it
// accepts is then judged by Go like any other chain, at the real time, and what
// is wrong with it is found there. What it refuses is of unknown authority,
// whatever the reason: if the time was not to blame then nothing else is known,
// and to guess would be to trust. The price is that on these systems a chain
// with, say, an unknown critical extension or a SHA-1 signature may be reported
// as of unknown authority too, and a forged one as that alone.
type backend struct {
	verify verifyFunc
	opaque bool // verify may be the platform's
}

// A verifyFunc verifies the first of path, of which the others are
// intermediates, by options without any.
type verifyFunc func(path []*x509.Certificate, o x509.VerifyOptions) ([][]*x509.Certificate, error)

func nativeBackend() backend {
	b := backend{verify: verifyNatively}
	switch runtime.GOOS {
	case "windows", "darwin", "ios":
		b.opaque = true
	}
	return b
}

func verifyNatively(path []*x509.Certificate, o x509.VerifyOptions) ([][]*x509.Certificate, error) {
	o.Intermediates = poolOf(path[1:])
	return path[0].Verify(o)
}

// anchor keeps the chains that path and one root make. The roots are asked even
// if the backend is opaque: those of a file are verified by Go there too, and of
// others a copy is taken for its original, which proves no less.
func (in *inspection) anchor(path []*x509.Certificate) {
	if in.backend.opaque && in.Roots == nil {
		return
	}
	for _, certs := range in.rootsOf(path) {
		in.found = append(in.found, chain{inspection: in, certs: certs, anchored: true})
	}
	// Where x509 does not follow the signature by a root, it is enough that the
	// root itself was presented.
	top := len(path) - 1
	if top == 0 || verifiable(path[top-1].SignatureAlgorithm) && in.link(path[top-1], path[top]) == linkVerified {
		return
	}
	if in.isRoot(path[top]) {
		in.found = append(in.found, chain{inspection: in, certs: path, anchored: true})
	}
}

// rootsOf returns the chains of path and a root that signed its last
// certificate, or of path itself if it is one certificate that is a root.
//
// A pool does not give out its certificates; one comes to light only as the end
// of a chain that Verify accepts, or in its error. So Verify gets copies of path
// without any flaw. The last one keeps its signature, which x509 verifies with
// the root's key.
func (in *inspection) rootsOf(path []*x509.Certificate) [][]*x509.Certificate {
	copies := in.copies(path, slices.Repeat([]flaw{anyFlaw}, len(path)), false)
	chains, root, reason := in.ask(copies, in.Now)
	if root != nil && reason == x509.Expired {
		chains, root, reason = in.ask(copies, nearest(in.Now, root.NotBefore, root.NotAfter))
	}
	if root != nil && reason == x509.TooManyIntermediates {
		chains = [][]*x509.Certificate{append(slices.Clone(copies), root)}
	}
	return in.withRoots(path, copies, chains)
}

// ask returns the chains of path and a root, or else a root that signed its last
// one and what it has against it.
func (in *inspection) ask(path []*x509.Certificate, at time.Time) (chains [][]*x509.Certificate, root *x509.Certificate, reason x509.InvalidReason) {
	chains, err := in.backend.verify(path, in.forAnyUsage(at))
	var invalid x509.CertificateInvalidError
	if errors.As(err, &invalid) && !slices.Contains(path, invalid.Cert) {
		return nil, invalid.Cert, invalid.Reason
	}
	return chains, nil, 0
}

func (in *inspection) forAnyUsage(at time.Time) x509.VerifyOptions {
	return x509.VerifyOptions{Roots: in.Roots, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}
}

// withRoots returns path with the root of each of chains, which are of copies.
// A chain that is not what was asked for is none: a platform may return such.
func (in *inspection) withRoots(path, copies []*x509.Certificate, chains [][]*x509.Certificate) [][]*x509.Certificate {
	var found [][]*x509.Certificate
	for _, certs := range chains {
		switch {
		case len(certs) == 1 && len(path) == 1 && certs[0] == copies[0]:
			found = append(found, path)
		case len(certs) == len(path)+1 && slices.Equal(certs[:len(path)], copies):
			root := certs[len(path)]
			in.links[[2]*x509.Certificate{path[len(path)-1], root}] = linkVerified
			found = append(found, append(slices.Clip(path), root))
		}
	}
	return found
}

// isRoot reports whether c itself is one of the roots. A copy that is verified
// alone is in the pool, or else the chain is longer.
func (in *inspection) isRoot(c *x509.Certificate) bool {
	path := []*x509.Certificate{c}
	return slices.ContainsFunc(in.rootsOf(path), func(certs []*x509.Certificate) bool { return len(certs) == 1 })
}

// A claim is what the roots of the name of a certificate's issuer say of its
// signature.
type claim int

const (
	claimUnknown claim = iota // there is no such root, or none that can be asked
	claimSigned               // one signed it, and is not trusted for it all the same
	claimMute                 // none can verify it, by the algorithm or its own fitness
	claimDenied               // one could verify it, and did not sign it
)

// claimOf asks the roots about c. Verify tells of one that refuses by a hint in
// its error, which cannot be read, but makes it another error than one without a
// hint; and a hint that is the same for whatever algorithm is not about the
// signature. It is asked about a time before all roots, so that one that did
// sign c has another error.
func (in *inspection) claimOf(c *x509.Certificate) claim {
	if in.backend.opaque && in.Roots == nil {
		return claimUnknown
	}
	copies := in.copies([]*x509.Certificate{c}, []flaw{anyFlaw}, false)
	ask := func(a x509.SignatureAlgorithm) (unknown x509.UnknownAuthorityError, err error) {
		copies[0].SignatureAlgorithm = a
		_, err = in.backend.verify(copies, in.forAnyUsage(time.Time{}.Add(time.Hour)))
		errors.As(err, &unknown)
		return unknown, err
	}
	hint, err := ask(c.SignatureAlgorithm)
	var invalid x509.CertificateInvalidError
	var extension x509.UnhandledCriticalExtension
	switch {
	case errors.As(err, &invalid), errors.As(err, &extension):
		return claimSigned
	case hint == x509.UnknownAuthorityError{Cert: hint.Cert}:
		return claimUnknown
	case !verifiable(c.SignatureAlgorithm):
		return claimMute
	}
	if other, _ := ask(x509.MD5WithRSA); other == hint {
		return claimMute
	}
	return claimDenied
}

// askPlatform looks for the paths that lead to a root of the platform's. That
// may take it a while, so it is asked about a few alone.
func (in *inspection) askPlatform() {
	const most = 4
	for _, path := range in.tops[:min(most, len(in.tops))] {
		at, ok := commonTime(in.Now, path)
		if !ok {
			continue
		}
		o := in.forAnyUsage(at)
		o.DNSName = in.matched
		chains, _ := in.backend.verify(path, o)
		for _, certs := range chains {
			if len(certs) > 0 && certs[0].Equal(path[0]) {
				in.found = append(in.found, chain{inspection: in, certs: certs, anchored: true})
			}
		}
	}
}

// commonTime returns when all of certs are valid, as near to now as can be.
func commonTime(now time.Time, certs []*x509.Certificate) (at time.Time, ok bool) {
	from, to := certs[0].NotBefore, certs[0].NotAfter
	for _, c := range certs {
		if c.NotBefore.After(from) {
			from = c.NotBefore
		}
		if c.NotAfter.Before(to) {
			to = c.NotAfter
		}
	}
	return nearest(now, from, to), !from.After(to)
}

// nearest returns the time of a period that is nearest to now.
func nearest(now, from, to time.Time) time.Time {
	switch {
	case now.After(to):
		return to
	case now.Before(from):
		return from
	}
	return now
}
