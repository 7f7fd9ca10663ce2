package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/hawser/hawser"
)

// InspectOptions says what [Inspect] compares with. The zero value is the
// system's roots, now, and no demand for revocation.
type InspectOptions struct {
	// Roots are the trusted ones; nil means the system's. A root may be of any
	// kind, as for x509.Certificate.Verify: also the server's own certificate.
	//
	// A function given to [x509.CertPool.AddCertWithConstraint] is heeded, but for
	// a root that the server presented and that signed with SHA-1, where x509 has
	// no way to call it.
	Roots *x509.CertPool

	Now time.Time // zero: time.Now()

	// CRLs are looked at for each certificate whose issuer signed one. They need
	// not be fresh to tell that a certificate is revoked. Nothing is fetched.
	CRLs []*x509.RevocationList

	// Revocation demands a fresh answer, of a CRL or of the stapled OCSP response,
	// for each certificate below the root that says where one is to be had.
	Revocation bool
}

// Inspect returns everything that is wrong with a server's certificate, its
// chain and its TLS version, where x509.Certificate.Verify returns the first
// thing alone: by Index, then in the order of [hawser.Anomalies], each anomaly
// of a certificate once. Nothing is wrong if it returns none, and then Verify
// accepts the certificate too. It may be called concurrently, fetches nothing
// itself (a platform's verifier may), and does a bounded amount of work whatever
// cs holds.
//
// It is meant for the VerifyConnection of a tls.Config with InsecureSkipVerify.
// Name is a DNS name or an IP address; no certificate is for "". What
// crypto/tls refuses by itself never comes here: certificates that cannot be
// parsed, RSA keys that are too short or too long for it.
//
// It fails closed. If no chain to a trusted root was verified, then at least
// one finding is unknown-authority, self-signed, missing-intermediate,
// bad-signature, basic-constraints or name-constraints, whatever else is found;
// missing-intermediate never comes without another of them. So whoever allows
// other kinds alone lets no certificate in that an authority did not sign. Where
// there are several chains the best one counts, so what the server sends beside
// it, and in which order, does not matter.
//
// The kinds, beside their text in package hawser:
//   - expired, not-yet-valid: of any certificate of the chain, also of the root.
//   - self-signed: the certificate vouches for itself, and is not among the
//     roots. Unknown-authority is not reported too.
//   - unknown-authority: of the last certificate that leads nowhere, or of a
//     root that is not trusted. Also where a chain does not keep to policies, and
//     where a root that was not presented is at fault itself, but for its time
//     and usages: a pool does not tell why it refuses.
//   - missing-intermediate: as well as unknown-authority, where the server sent
//     its own certificate alone, or the last one tells where to get its issuer.
//   - bad-signature: each certificate that could be the issuer, among those
//     presented and the roots, denies the signature. Of roots that are the
//     platform's own (Windows, macOS) this is not told: unknown-authority.
//   - name-constraints: of the server's own certificate, whichever issuer
//     constrains whichever name.
//   - basic-constraints: of the issuer that is no authority, may not sign
//     certificates, or has more authorities below it than it may.
//   - wrong-usage: of each certificate of the chain whose extended key usages
//     lack TLS servers.
//   - weak-signature: MD2, MD5 or SHA-1, but for what a trusted root says of
//     itself. Of these SHA-1 alone can be verified, and only by a presented
//     issuer since a pool does not give out its roots: else unknown-authority
//     is reported too.
//   - weak-key: DSA, RSA below 2048 bits, elliptic curves below 224.
//   - weak-protocol: TLS below 1.2, or one of tls.InsecureCipherSuites.
//   - revoked: by any CRL, or by the stapled response.
//   - revocation-unknown: there is a stapled response or a CRL of the issuer and
//     none gives a fresh answer, or one is demanded, by InspectOptions or by the
//     certificate itself (RFC 7633), and there is none.
//
// The classic verification flags, as X509VerificationFlags of .NET has them,
// correspond to these kinds:
//
//	flag                                   value  allows
//	IgnoreNotTimeValid                         1  expired, not-yet-valid
//	IgnoreCtlNotTimeValid                      2  nothing: there are no trust lists
//	IgnoreNotTimeNested                        4  nothing: validity need not nest
//	IgnoreInvalidBasicConstraints              8  basic-constraints
//	AllowUnknownCertificateAuthority          16  unknown-authority, self-signed, missing-intermediate
//	IgnoreWrongUsage                          32  wrong-usage
//	IgnoreInvalidName                         64  name-constraints
//	IgnoreInvalidPolicy                      128  nothing: such a chain is unknown-authority
//	IgnoreEndRevocationUnknown               256  revocation-unknown, Index 0
//	IgnoreCtlSignerRevocationUnknown         512  nothing: there are no trust lists
//	IgnoreCertificateAuthorityRevocationUnknown
//	                                        1024  revocation-unknown, other Index
//	IgnoreRootRevocationUnknown             2048  nothing: a root is not asked about
//
// No flag is for name-mismatch (.NET tells it apart from chains, as an
// SslPolicyErrors), weak-signature, weak-key, critical-extension and
// weak-protocol; and none, as no name here, allows bad-signature or revoked.
func Inspect(cs tls.ConnectionState, name string, o InspectOptions) []Finding {
	return inspect(cs, name, o, nativeBackend())
}

func inspect(cs tls.ConnectionState, name string, o InspectOptions, b backend) []Finding {
	return newInspection(cs, o, b).run(name)
}

// An inspection is one call of Inspect. It is not safe for concurrent use.
type inspection struct {
	InspectOptions

	state     tls.ConnectionState
	presented []*x509.Certificate
	matched   string // the name to verify; "" if it does not match
	backend   backend
	refusal   error // of Verify

	search
	crlSigned map[crlSigner]bool
}

func newInspection(cs tls.ConnectionState, o InspectOptions, b backend) *inspection {
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	isNil := func(c *x509.Certificate) bool { return c == nil }
	return &inspection{
		InspectOptions: o, state: cs, backend: b,
		presented: slices.DeleteFunc(slices.Clone(cs.PeerCertificates), isNil),
	}
}

func (in *inspection) run(name string) []Finding {
	found := in.protocol()
	if len(in.presented) == 0 {
		return settle(append(found, noCertificateFindings()...))
	}
	if in.leaf().VerifyHostname(name) == nil {
		in.matched = name
	} else {
		found = append(found, in.mismatch(name))
	}
	return settle(append(found, in.chains()...))
}

func (in *inspection) leaf() *x509.Certificate { return in.presented[0] }

// protocol also takes no version at all, as of a state that no handshake made,
// for a weak one.
func (in *inspection) protocol() []Finding {
	s := in.state
	if s.Version < tls.VersionTLS12 {
		return []Finding{{Anomaly: hawser.WeakProtocol, Index: noCertificate, Detail: tls.VersionName(s.Version) + " is older than TLS 1.2"}}
	}
	for _, suite := range tls.InsecureCipherSuites() {
		if suite.ID == s.CipherSuite {
			return []Finding{{Anomaly: hawser.WeakProtocol, Index: noCertificate, Detail: suite.Name + " is not secure"}}
		}
	}
	return nil
}

// noCertificateFindings are some that cannot all be allowed.
func noCertificateFindings() []Finding {
	const detail = "the server presented no certificate"
	return []Finding{
		{Anomaly: hawser.UnknownAuthority, Index: noCertificate, Detail: detail},
		{Anomaly: hawser.NameMismatch, Index: noCertificate, Detail: detail},
		{Anomaly: hawser.BadSignature, Index: noCertificate, Detail: detail},
	}
}

func (in *inspection) mismatch(name string) Finding {
	c := in.leaf()
	detail := fmt.Sprintf("it is for %s, not for %q", namesOf(c), clipped(name))
	switch {
	case name == "":
		detail = "there is no name to compare it with"
	case onlyCommonName(c, name):
		detail += ": only the common name matches, which is not looked at since RFC 6125/9525"
	}
	return in.leafFinding(hawser.NameMismatch, "%s", detail)
}

func onlyCommonName(c *x509.Certificate, name string) bool {
	cn := c.Subject.CommonName
	as := &x509.Certificate{DNSNames: []string{cn}}
	if ip := net.ParseIP(cn); ip != nil {
		as = &x509.Certificate{IPAddresses: []net.IP{ip}}
	}
	return cn != "" && as.VerifyHostname(name) == nil
}

// namesOf lists the first names that c is for.
func namesOf(c *x509.Certificate) string {
	const most = 3
	var names []string
	for _, n := range c.DNSNames[:min(most, len(c.DNSNames))] {
		names = append(names, fmt.Sprintf("%q", clipped(n)))
	}
	for _, ip := range c.IPAddresses[:min(most, len(c.IPAddresses))] {
		names = append(names, ip.String())
	}
	switch all := len(c.DNSNames) + len(c.IPAddresses); {
	case all == 0:
		return "no name or address"
	case all > len(names):
		names = append(names, fmt.Sprintf("%d more", all-len(names)))
	}
	return strings.Join(names, ", ")
}

// chains returns what is wrong with the best chain. As long as x509 accepts one,
// that costs little more than Verify does.
func (in *inspection) chains() []Finding {
	chains, err := in.backend.verify(in.presented, x509.VerifyOptions{DNSName: in.matched, Roots: in.Roots, CurrentTime: in.Now})
	chains = slices.DeleteFunc(chains, func(certs []*x509.Certificate) bool { return len(certs) == 0 || !certs[0].Equal(in.leaf()) })
	if err != nil || len(chains) == 0 {
		in.refusal = err
		return in.explain()
	}
	var best []Finding
	for i, certs := range chains {
		found := chain{inspection: in, certs: certs, anchored: true}.weaknesses()
		if i == 0 || rankOf(found).better(rankOf(best)) {
			best = found
		}
		if len(best) == 0 {
			return nil
		}
	}
	return best
}

// explain finds out why x509 refuses every chain.
func (in *inspection) explain() []Finding {
	var best []Finding
	for i, c := range in.candidates() {
		found := c.judge()
		if i == 0 || rankOf(found).better(rankOf(best)) {
			best = found
		}
	}
	if !slices.ContainsFunc(best, func(f Finding) bool { return explainsRefusal(f.Anomaly) }) {
		// Nothing known gets here, but what is not known must not let anybody in.
		best = append(best, in.leafFinding(hawser.UnknownAuthority, "no chain of it was verified%s", in.because()))
	}
	return best
}

// because is what x509 had to say of an authority, as the end of a Detail.
func (in *inspection) because() string {
	var unknown x509.UnknownAuthorityError
	var noRoots x509.SystemRootsError
	if errors.As(in.refusal, &unknown) || errors.As(in.refusal, &noRoots) {
		return " (" + in.refusal.Error() + ")"
	}
	return ""
}

// leafFinding is one of the server's own certificate.
func (in *inspection) leafFinding(a hawser.Anomaly, format string, args ...any) Finding {
	return Finding{Anomaly: a, Index: 0, Cert: in.leaf(), Detail: quoted(fmt.Sprintf(format, args...))}
}

// poolOf never returns the nil that would mean the system's roots.
func poolOf(certs []*x509.Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, c := range certs {
		pool.AddCert(c)
	}
	return pool
}
