package ssh

import (
	"slices"
	"strings"

	xssh "golang.org/x/crypto/ssh"
)

// A profile is what a client offers in its KEXINIT (RFC 4253, section 7.1),
// best first.
type profile struct {
	kex, ciphers, macs, hostKeys []string
	// signatures are what an RSA key of the user may sign with.
	signatures []string
}

// profileOf returns the profile that Connection.SSH.Algorithms names.
func profileOf(name string) profile {
	safe := xssh.SupportedAlgorithms()
	p := profile{
		kex:        without(safe.KeyExchanges, "sha1"),
		ciphers:    without(safe.Ciphers, "cbc"),
		macs:       without(safe.MACs, "sha1"),
		hostKeys:   safe.HostKeys,
		signatures: []string{xssh.KeyAlgoRSASHA256, xssh.KeyAlgoRSASHA512},
	}
	switch name {
	case "modern":
		p.kex = without(p.kex, "diffie-hellman")
		p.ciphers = without(p.ciphers, "ctr") // leaves AES-GCM and ChaCha20-Poly1305
		p.macs = slices.DeleteFunc(p.macs, func(mac string) bool { return !strings.HasSuffix(mac, "-etm@openssh.com") })
	case "legacy":
		old := xssh.InsecureAlgorithms()
		p.kex = join(safe.KeyExchanges, old.KeyExchanges)
		p.ciphers = join(safe.Ciphers, old.Ciphers)
		p.macs = join(safe.MACs, old.MACs)
		p.hostKeys = join(safe.HostKeys, old.HostKeys)
		p.signatures = append(p.signatures, xssh.KeyAlgoRSA)
	}
	return p
}

// preferring puts the algorithms of first that p has in front of its others,
// because the server is known by a key of such a kind (golang/go #49631).
func preferring(hostKeys, first []string) []string {
	known := slices.DeleteFunc(slices.Clone(first), func(name string) bool { return !slices.Contains(hostKeys, name) })
	return join(known, hostKeys)
}

// join returns a and then what only b has.
func join(a, b []string) []string {
	all := slices.Clone(a)
	for _, name := range b {
		if !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}

// without returns the names that do not contain part.
func without(names []string, part string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return strings.Contains(name, part) })
}
