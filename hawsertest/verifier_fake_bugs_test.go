package hawsertest

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"slices"
	"strings"
	"time"

	"github.com/hawser/hawser"
)

// mistake holds the bugs that take an intermediate for a better one.
func (in *inspection) mistake(c *x509.Certificate) {
	switch f := in.f; {
	case f.is("intermediates do not expire"):
		c.NotAfter = time.Now().Add(time.Hour)
	case f.is("any certificate may sign") && !c.IsCA:
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage, c.MaxPathLen = true, true, 0, -1
	case f.is("paths may be of any length"):
		c.MaxPathLen, c.MaxPathLenZero = -1, false
	case f.is("authorities are not constrained") && len(in.c.TLS.Allow) == 0:
		c.PermittedDNSDomains = nil
	case f.is("extensions of authorities are not critical"):
		c.UnhandledCriticalExtensions = nil
	}
}

// misjudge holds the bugs of judging a certificate by itself.
func (in *inspection) misjudge() {
	f, all := in.f, append([]*x509.Certificate{in.leaf}, in.rest...)
	if blind, ok := strings.CutPrefix(f.bug, "does not see "); ok && ordinary(in.c, in.p) {
		in.faults = slices.DeleteFunc(in.faults, func(a hawser.Anomaly) bool { return string(a) == blind })
	}
	if in.vouched() {
		in.faults = nil
	}
	if in.named() {
		in.faults = slices.DeleteFunc(in.faults, func(a hawser.Anomaly) bool { return a == hawser.NameMismatch })
	}
	in.misuseAllow()
	switch {
	case f.is("names are compared with case") && in.p.ServerName != strings.ToLower(in.p.ServerName),
		f.is("there are no wildcards") && strings.HasPrefix(strings.Join(in.leaf.DNSNames, ""), "*"):
		in.add(true, hawser.NameMismatch)
	case f.is("TLS 1.2 is refused"):
		in.add(in.p.TLS.Version == tls.VersionTLS12, hawser.WeakProtocol)
	case f.is("a root must not be sent"):
		in.add(slices.ContainsFunc(in.rest, in.isRoot), hawser.UnknownAuthority)
	case f.is("a chain must be in order"):
		for i, c := range in.rest {
			in.add(!bytes.Equal(all[i].RawIssuer, c.RawSubject), hawser.UnknownAuthority)
		}
	}
}

func (in *inspection) isRoot(c *x509.Certificate) bool { return slices.ContainsFunc(in.roots, c.Equal) }

// vouched holds the bugs in which something else than a root vouches for a
// certificate.
func (in *inspection) vouched() bool {
	f, n := in.f, len(in.rest)
	signsItself := in.has(hawser.SelfSigned)
	switch {
	case !ordinary(in.c, in.p):
		return false
	case f.is("SHA-1 is as good as any"):
		return in.has(hawser.WeakSignature)
	case f.is("an authority may sign itself"):
		return signsItself && in.leaf.IsCA
	case f.is("a root beside it vouches"):
		return signsItself && n == 1 && in.isRoot(in.rest[0])
	case f.is("a root at the end vouches"):
		return !signsItself && n == 2 && in.isRoot(in.rest[1]) && !bytes.Equal(in.rest[0].RawIssuer, in.rest[1].RawSubject)
	case f.is("a verified handshake vouches"):
		return len(in.p.TLS.VerifiedChains) > 0
	case f.is("no roots are all roots"):
		return in.roots == nil
	case f.is("what the server sends vouches"):
		return n == 1 && bytes.Equal(in.rest[0].RawIssuer, in.rest[0].RawSubject) && !signsItself && !in.isRoot(in.rest[0])
	case f.is("authorities are known by name"):
		return !in.has(hawser.BadSignature) && in.has(hawser.UnknownAuthority) && slices.ContainsFunc(in.roots, func(c *x509.Certificate) bool {
			return bytes.Equal(c.RawSubject, in.leaf.RawIssuer)
		})
	case f.is("signatures are not verified"):
		return in.has(hawser.BadSignature)
	}
	return false
}

// named holds the bugs in which a certificate is for another name than it says.
func (in *inspection) named() bool {
	f, name, names := in.f, in.p.ServerName, in.leaf.DNSNames
	ends := func(name, suffix string) bool { return suffix != "" && strings.HasSuffix(name, suffix) }
	switch {
	case f.is("the end of a name will do"):
		return slices.ContainsFunc(names, func(n string) bool { return ends(n, name) && n != name && n[0] != '*' })
	case f.is("the common name counts"):
		return in.leaf.Subject.CommonName == name
	case f.is("addresses are names"):
		return slices.Contains(names, name)
	case f.is("a wildcard stands for many labels"):
		return slices.ContainsFunc(names, func(n string) bool { return n[0] == '*' && ends(name, n[1:]) })
	case f.is("Host counts, too"):
		return in.leaf.VerifyHostname(in.c.Host) == nil
	case f.is("tls.server_name counts, too"):
		return in.leaf.VerifyHostname(in.c.TLS.ServerName) == nil && in.c.TLS.ServerName != ""
	case f.is("no name is any name"):
		return name == ""
	}
	return false
}

// misuseAllow holds the bugs of looking at a chain that Allow is about.
func (in *inspection) misuseAllow() {
	allow := in.c.TLS.Allow
	switch f := in.f; {
	case f.is("Allow is sorted"):
		slices.Sort(allow)
	case f.is("Allow is appended to"):
		_ = append(allow, hawser.UnknownAuthority)
	case f.is("dates are changed in place") && slices.Contains(allow, hawser.Expired):
		in.leaf.NotAfter = time.Now().Add(time.Hour)
	case f.is("an expired chain is not followed") && slices.Contains(allow, hawser.Expired) && in.has(hawser.Expired):
		in.faults = slices.DeleteFunc(in.faults, func(a hawser.Anomaly) bool { return slices.Contains(untrusted(), a) })
	}
}
