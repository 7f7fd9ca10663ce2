package certs

import (
	"crypto/tls"
	"crypto/x509"
)

// InspectOnPlatform is Inspect where verify stands for the platform's verifier.
func InspectOnPlatform(
	cs tls.ConnectionState, name string, o InspectOptions,
	verify func(path []*x509.Certificate, o x509.VerifyOptions) ([][]*x509.Certificate, error),
) []Finding {
	return inspect(cs, name, o, backend{verify: verify, opaque: true})
}

// DeniesAuthority is for tests of what must never be missing.
var DeniesAuthority = deniesAuthority

// InspectCounting also returns how much work Inspect did, and may do.
func InspectCounting(cs tls.ConnectionState, name string, o InspectOptions) (found []Finding, work, most map[string]int) {
	b := nativeBackend()
	verify, verifies := b.verify, 0
	b.verify = func(path []*x509.Certificate, o x509.VerifyOptions) ([][]*x509.Certificate, error) {
		verifies++
		return verify(path, o)
	}
	in := newInspection(cs, o, b)
	found = in.run(name)
	work = map[string]int{"verifies": verifies, "signatures": in.checks, "paths": in.paths, "longest": len(in.keys)}
	// Of each path, Verify is asked for its roots, for those of another time, and
	// whether its last one is a root; of each judged one, why it has none.
	most = map[string]int{"verifies": 1 + 4*maxPaths + maxChains, "signatures": maxLinks, "paths": maxPaths, "longest": maxDepth + 2}
	return found, work, most
}
