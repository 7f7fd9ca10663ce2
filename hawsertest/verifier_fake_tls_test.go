package hawsertest

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/hawser/hawser"
	"golang.org/x/crypto/ocsp"
)

// ordinary reports whether neither Allow nor AutoAccept nor a proxy is in play.
// Bugs that are of certificates alone are seen there, and leave the other rules
// alone.
func ordinary(c hawser.Connection, p hawser.Peer) bool {
	return len(c.TLS.Allow) == 0 && !c.TLS.AutoAccept && !p.Proxy
}

func (f *fakeVerifier) lookAtCertificate(c hawser.Connection, p hawser.Peer) (sight, error) {
	s := sight{kind: "certificate", auto: c.TLS.AutoAccept && (!p.Proxy || f.is("AutoAccept applies to a proxy"))}
	s.auto = s.auto || s.is(f, "one AutoAccept for both") && c.SSH.AutoAccept
	s.key = f.place(s, c, p)
	if len(p.TLS.PeerCertificates) == 0 {
		s.good = f.is("no certificate, no complaint")
		s.never, s.why = !s.good, "it presented no certificate"
		return s, nil
	}
	roots, err := f.readRoots(c.TLS.Roots)
	if err != nil {
		s.good = f.is("roots that cannot be read are all roots")
		s.never, s.why = !s.good, "tls.roots: "+err.Error()
		return s, nil
	}
	leaf := p.TLS.PeerCertificates[0]
	s.print = fmt.Sprintf("%x", sha256.Sum256(leaf.Raw))
	in := &inspection{f: f, c: c, p: p, leaf: leaf, rest: p.TLS.PeerCertificates[1:], roots: roots}
	in.inspect()
	in.misjudge()
	excused := c.TLS.Allow
	if p.Proxy && !f.is("Allow applies to a proxy") {
		excused = nil
	}
	left := slices.DeleteFunc(in.faults, func(a hawser.Anomaly) bool { return f.excuses(excused, a) })
	s.good, s.why = len(left) == 0, fmt.Sprintf("%v: %v", left, in.detail)
	s.never = slices.ContainsFunc(left, fatal) || s.auto && f.is("AutoAccept takes self-signed ones") && !slices.Contains(left, hawser.SelfSigned) && !s.good
	return s, nil
}

func fatal(a hawser.Anomaly) bool { return a == hawser.BadSignature || a == hawser.Revoked }

func (f *fakeVerifier) excuses(allow []hawser.Anomaly, a hawser.Anomaly) bool {
	switch {
	case f.is("Allow is not heeded"):
		return false
	case f.is("Allow is for dates") && a != hawser.Expired && a != hawser.NotYetValid:
		return false
	case f.is("Allow excuses forged ones"):
		return slices.Contains(allow, a)
	case f.is("a name constraint is a name") && a == hawser.NameConstraints:
		return slices.Contains(allow, hawser.NameMismatch)
	}
	return slices.Contains(allow, a) && !fatal(a)
}

// readRoots returns nil for the system's.
func (f *fakeVerifier) readRoots(path string) ([]*x509.Certificate, error) {
	if path == "" {
		return nil, nil
	}
	if f.is("roots are read once") {
		f.locked(func() {
			if f.roots == "" {
				f.roots = path
			}
			path = f.roots
		})
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	roots := certificatesOf(text)
	if len(roots) == 0 {
		return nil, errors.New("no certificates")
	}
	if f.is("the first root counts alone") {
		roots = roots[:1]
	}
	return roots, nil
}

func certificatesOf(text []byte) []*x509.Certificate {
	var found []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if cert, err := x509.ParseCertificate(block.Bytes); err == nil && block.Type == "CERTIFICATE" {
			found = append(found, cert)
		}
	}
	return found
}

// An inspection finds what is wrong with a certificate.
type inspection struct {
	f      *fakeVerifier
	c      hawser.Connection
	p      hawser.Peer
	leaf   *x509.Certificate
	rest   []*x509.Certificate // what the server sends with it
	roots  []*x509.Certificate // nil: the system's
	faults []hawser.Anomaly
	detail error
}

func (in *inspection) add(found bool, a hawser.Anomaly) {
	if found {
		in.faults = append(in.faults, a)
	}
}

func (in *inspection) has(a hawser.Anomaly) bool { return slices.Contains(in.faults, a) }

func (in *inspection) inspect() {
	leaf, now := in.leaf, time.Now()
	in.detail = leaf.VerifyHostname(in.p.ServerName)
	in.add(in.p.ServerName == "" || in.detail != nil, hawser.NameMismatch)
	in.add(now.After(leaf.NotAfter), hawser.Expired)
	in.add(now.Before(leaf.NotBefore), hawser.NotYetValid)
	in.add(!slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageServerAuth), hawser.WrongUsage)
	in.add(leaf.SignatureAlgorithm == x509.ECDSAWithSHA1, hawser.WeakSignature)
	in.add(len(leaf.UnhandledCriticalExtensions) > 0, hawser.CriticalExtension)
	key, isRSA := leaf.PublicKey.(*rsa.PublicKey)
	in.add(isRSA && key.N.BitLen() < 2048, hawser.WeakKey)
	in.add(in.forged(), hawser.BadSignature)
	in.add(in.revoked(), hawser.Revoked)
	if err := in.follow(); err != nil {
		in.detail = errors.Join(in.detail, err)
		var invalid x509.CertificateInvalidError
		if errors.As(err, &invalid) && invalid.Reason == x509.CANotAuthorizedForThisName {
			in.add(true, hawser.NameConstraints)
		} else if bytes.Equal(leaf.RawIssuer, leaf.RawSubject) {
			in.add(true, hawser.SelfSigned)
		} else {
			in.add(true, hawser.UnknownAuthority)
		}
	}
}

// issuers are the certificates that claim to be the one that signed the leaf.
func (in *inspection) issuers() []*x509.Certificate {
	return slices.DeleteFunc(slices.Concat(in.rest, in.roots), func(c *x509.Certificate) bool {
		return !bytes.Equal(c.RawSubject, in.leaf.RawIssuer) || !bytes.Equal(c.SubjectKeyId, in.leaf.AuthorityKeyId)
	})
}

func (in *inspection) forged() bool {
	issuers := in.issuers()
	return len(issuers) > 0 && !in.has(hawser.WeakSignature) && !slices.ContainsFunc(issuers, func(c *x509.Certificate) bool {
		return c.CheckSignature(in.leaf.SignatureAlgorithm, in.leaf.RawTBSCertificate, in.leaf.Signature) == nil
	})
}

func (in *inspection) revoked() bool {
	return slices.ContainsFunc(in.issuers(), func(issuer *x509.Certificate) bool {
		answer, err := ocsp.ParseResponseForCert(in.p.TLS.OCSPResponse, in.leaf, issuer)
		return err == nil && (answer.Status == ocsp.Revoked || in.f.is("an OCSP answer is trouble"))
	})
}

// follow leads from a copy of the leaf that has no faults of its own to a root.
func (in *inspection) follow() error {
	leaf := *in.leaf
	leaf.NotBefore, leaf.NotAfter, leaf.UnhandledCriticalExtensions = time.Time{}, time.Now().Add(time.Hour), nil
	o := x509.VerifyOptions{Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}
	if in.roots != nil {
		o.Roots = x509.NewCertPool()
	}
	for _, c := range in.roots {
		o.Roots.AddCert(c)
	}
	for _, c := range in.rest {
		copied := *c
		in.mistake(&copied)
		o.Intermediates.AddCert(&copied)
	}
	_, err := leaf.Verify(o)
	return err
}
