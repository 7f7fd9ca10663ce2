package certs

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"errors"
	"slices"

	"github.com/hawser/hawser"
)

// What a server may make Inspect do. Real chains are of two to five
// certificates; x509 itself verifies at most a hundred signatures.
const (
	maxDepth  = 10 // certificates of a path
	maxPaths  = 32 // beginnings of paths
	maxLinks  = 64 // signatures verified
	maxChains = 16 // chains judged
)

// A search is for the chains among the presented certificates, and keeps what
// was found out on the way.
type search struct {
	named  map[string][]*x509.Certificate // the presented ones by subject, each once
	links  map[[2]*x509.Certificate]link  // of a certificate and an issuer
	keys   []ed25519.PrivateKey
	paths  int
	checks int // signatures verified
	gaveUp bool

	found []chain               // that end in a trusted root
	tops  [][]*x509.Certificate // paths that cannot be followed further
}

// candidates returns the chains that may be the one that the server means: those
// that end in a trusted root or, if there are none, as far as they lead. It
// returns at least one.
func (in *inspection) candidates() []chain {
	in.named, in.links = make(map[string][]*x509.Certificate), make(map[[2]*x509.Certificate]link)
	seen := make(map[string]bool, len(in.presented))
	for _, c := range in.presented {
		if !seen[string(c.Raw)] {
			seen[string(c.Raw)] = true
			in.named[string(c.RawSubject)] = append(in.named[string(c.RawSubject)], c)
		}
	}
	in.follow(in.presented[:1:1])
	if in.backend.opaque && len(in.found) == 0 {
		in.askPlatform()
	}
	if len(in.found) > 0 {
		return in.found[:min(maxChains, len(in.found))]
	}
	if len(in.tops) == 0 {
		in.tops = append(in.tops, in.presented[:1])
	}
	var dangling []chain
	for _, path := range in.tops[:min(maxChains, len(in.tops))] {
		dangling = append(dangling, chain{inspection: in, certs: path})
	}
	return dangling
}

// follow looks for roots of path, and for longer paths.
func (in *inspection) follow(path []*x509.Certificate) {
	if in.paths == maxPaths {
		in.gaveUp = true
		return
	}
	in.paths++
	in.anchor(path)
	issuers := in.issuers(path)
	for _, issuer := range issuers {
		in.follow(append(slices.Clip(path), issuer))
	}
	if len(issuers) == 0 {
		in.tops = append(in.tops, path)
	}
}

// issuers returns those of the presented certificates that may come after path:
// each that verifiably signed its last one. If there are none, then each whose
// signature cannot be verified, or else one of those that deny it, so that it is
// known which one the server means.
func (in *inspection) issuers(path []*x509.Certificate) []*x509.Certificate {
	last := path[len(path)-1]
	if bytes.Equal(last.RawIssuer, last.RawSubject) && in.link(last, last) == linkVerified {
		return nil // a root: what else has its name and key says nothing more of it
	}
	byLink := make(map[link][]*x509.Certificate)
	for _, c := range likelyFirst(in.named[string(last.RawIssuer)], last) {
		if !slices.ContainsFunc(path, func(p *x509.Certificate) bool { return sameHolder(p, c) }) {
			l := in.link(last, c)
			byLink[l] = append(byLink[l], c)
		}
	}
	found := byLink[linkVerified]
	if len(found) == 0 {
		found = byLink[linkUnverifiable]
	}
	if len(found) == 0 && len(byLink[linkUnchecked]) == 0 {
		found = slices.DeleteFunc(byLink[linkRefuted], func(c *x509.Certificate) bool { return !mayHaveSigned(c, last) })
		found = found[:min(1, len(found))]
	}
	if len(found) > 0 && len(path) >= maxDepth {
		in.gaveUp = true
		return nil
	}
	return found
}

// likelyFirst puts those first whose key id is the one that c names, as x509
// does, so that other certificates of the name do not use up what is bounded.
func likelyFirst(issuers []*x509.Certificate, c *x509.Certificate) []*x509.Certificate {
	var likely, others []*x509.Certificate
	for _, i := range issuers {
		if len(c.AuthorityKeyId) > 0 && bytes.Equal(i.SubjectKeyId, c.AuthorityKeyId) {
			likely = append(likely, i)
		} else {
			others = append(others, i)
		}
	}
	return append(likely, others...)
}

// mayHaveSigned reports whether issuer is the one that c means, by the ids of
// keys, where both have one. An authority that got a new key keeps its name.
func mayHaveSigned(issuer, c *x509.Certificate) bool {
	return len(issuer.SubjectKeyId) == 0 || len(c.AuthorityKeyId) == 0 || bytes.Equal(issuer.SubjectKeyId, c.AuthorityKeyId)
}

// sameHolder reports whether a and b are of one name and key, as those of
// authorities that sign each other are. A path has each such once, else there
// are loops; x509 has the same rule.
func sameHolder(a, b *x509.Certificate) bool {
	return bytes.Equal(a.RawSubject, b.RawSubject) && bytes.Equal(a.RawSubjectPublicKeyInfo, b.RawSubjectPublicKeyInfo)
}

// A link is what the key of one certificate says of the signature of another.
type link int

const (
	linkRefuted link = iota
	linkVerified
	linkUnverifiable // by the algorithm, or the key
	linkUnchecked    // because too many were
)

// link verifies the signature of c alone: not whether issuer may sign.
func (in *inspection) link(c, issuer *x509.Certificate) link {
	pair := [2]*x509.Certificate{c, issuer}
	l, known := in.links[pair]
	if known {
		return l
	}
	if in.checks == maxLinks {
		in.gaveUp = true
		return linkUnchecked
	}
	in.checks++
	l = verifyLink(c, issuer)
	in.links[pair] = l
	return l
}

func verifyLink(c, issuer *x509.Certificate) link {
	err := checkSignature(issuer, c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature)
	var insecure x509.InsecureAlgorithmError
	switch {
	case err == nil:
		return linkVerified
	case errors.As(err, &insecure), errors.Is(err, x509.ErrUnsupportedAlgorithm):
		return linkUnverifiable
	}
	return linkRefuted
}

// weaknesses returns what x509 has no objection to, or, of signatures, does not
// get to see.
func (ch chain) weaknesses() []Finding {
	var found []Finding
	for i, c := range ch.certs {
		// A root is trusted for being one, whatever it or somebody else says of it.
		if weakAlgorithm(c.SignatureAlgorithm) && !(ch.anchored && i == ch.top()) {
			found = append(found, ch.finding(hawser.WeakSignature, i, "%s is signed with %s", called(c), c.SignatureAlgorithm))
		}
		if key := weakKey(c.PublicKey); key != "" {
			found = append(found, ch.finding(hawser.WeakKey, i, "%s has a key of %s", called(c), key))
		}
	}
	return append(found, ch.revocation()...)
}
