package certs

import (
	"context"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/hawser/hawser"
)

const (
	certSuffix = "-cert-v01@openssh.com" // of the names of certificates' algorithms
	legacy     = "legacy"                // of hawser.SSHOptions.Algorithms
)

// HostKeyAlgorithms returns the algorithms by which the server at addr can
// present what is pinned for it: those of certificates first, if an authority
// is, and then those of the types of its keys. It returns nil if nothing is
// known.
//
// These are the preferred ones, not all: a driver puts them first and appends
// the others that it allows, so that a server that has lost the known key still
// gets to present another one, and the change is seen. Without the order, a
// server with more keys than are known presents an unknown one and looks
// changed (golang/go issue 49631). The algorithms of certificates that are not
// among these should not be offered at all, since a certificate of an unknown
// authority is refused where the plain key could be asked about.
func (v *Verifier) HostKeyAlgorithms(ctx context.Context, c hawser.Connection, addr string) ([]string, error) {
	a, err := parseAddress(addr)
	if err != nil {
		return nil, refused(ctx, err)
	}
	pins, err := v.store().Pins(ctx, a.String())
	if err != nil {
		return nil, refused(ctx, err)
	}
	names := ssh.SupportedAlgorithms().HostKeys
	if c.SSH.Algorithms == legacy {
		names = slices.Concat(names, ssh.InsecureAlgorithms().HostKeys)
	}
	return preferred(names, c.SSH.HostKeys, pins), nil
}

// preferred returns those of names that pins ask for. Where listed is not
// empty, it alone decides who is trusted, so it decides what counts as known.
func preferred(names, listed []string, pins []Pin) []string {
	var types []string
	hasCA := false
	for _, p := range pins {
		switch {
		case p.kind() != KindSSH, p.Revoked, isRevoked(p, pins):
		case p.CA:
			hasCA = hasCA || len(listed) == 0
		case len(listed) == 0 || slices.Contains(listed, p.Fingerprint):
			types = append(types, keyType(p.HostKey))
		}
	}
	var certs, plain []string
	for _, name := range bestFirst(names) {
		switch {
		// The type of an authority's key says nothing of the keys that it signs.
		case strings.HasSuffix(name, certSuffix):
			if hasCA {
				certs = append(certs, name)
			}
		case slices.Contains(types, typeOf(name)):
			plain = append(plain, name)
		}
	}
	return append(certs, plain...)
}

func isRevoked(p Pin, pins []Pin) bool {
	return slices.ContainsFunc(pins, func(o Pin) bool { return o.Revoked && o.plainFingerprint() == p.Fingerprint })
}

// bestFirst puts SHA-512 before SHA-256 with RSA, which package ssh has the
// other way round, and leaves the rest in its order.
func bestFirst(names []string) []string {
	names = slices.Clone(names)
	for _, suffix := range []string{"", certSuffix} {
		i := slices.Index(names, ssh.KeyAlgoRSASHA256+suffix)
		j := slices.Index(names, ssh.KeyAlgoRSASHA512+suffix)
		if i >= 0 && i < j {
			names[i], names[j] = names[j], names[i]
		}
	}
	return names
}

// typeOf returns the type of the keys that an algorithm signs with: an RSA key
// is of type ssh-rsa whatever the hash (RFC 8332, section 3).
func typeOf(algorithm string) string {
	switch algorithm {
	case ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSASHA512:
		return ssh.KeyAlgoRSA
	}
	return algorithm
}
