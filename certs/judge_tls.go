package certs

import (
	"crypto/tls"
	"crypto/x509"
	"slices"

	"github.com/hawser/hawser"
)

// A certificate is the chain that a TLS server presented. That it holds the key
// is shown after the Verifier has agreed, so a pin can be of a certificate whose
// owner was never met: it lets in that owner alone.
type certificate struct {
	addr     address
	state    tls.ConnectionState
	proxy    bool      // of the https proxy: no option of the connection applies
	findings []Finding // everything wrong
}

func (id certificate) chain() Chain { return id.state.PeerCertificates }

func (id certificate) fingerprint() string { return Fingerprint(id.chain()[0]) }

func (id certificate) question() Question {
	return Question{Addr: id.addr.String(), Kind: KindTLS, Fingerprint: id.fingerprint(), Chain: id.chain()}
}

func (id certificate) judge(c hawser.Connection, pins []Pin) verdict {
	pins = ofKind(KindTLS, pins)
	q := id.question()
	q.Connection, q.Known, q.Findings = c.Name, knownOf(KindTLS, pins), id.refused(c)
	refuse := func(r Reason, detail string) verdict {
		q.Reason = r
		return verdict{final: true, question: q, detail: detail}
	}
	first := len(q.Known) == 0 && c.TLS.AutoAccept && !id.proxy
	pinned := slices.IndexFunc(pins, func(p Pin) bool { return p.accepts(KindTLS) && p.Fingerprint == q.Fingerprint })
	switch {
	case id.isRefusedBy(pins):
		return refuse(RevokedKey, "a pin revokes it, or one that it came with")
	case pinned >= 0 && !id.revokedSince(pins[pinned]):
		return verdict{trusted: true, question: q}
	case id.has(hawser.Revoked):
		return refuse(RevokedKey, "")
	case id.has(hawser.BadSignature):
		return refuse(Forged, "")
	case len(q.Findings) == 0:
		return verdict{trusted: true, pin: first, question: q}
	case len(q.Known) > 0:
		q.Reason = Changed
	default:
		q.Reason = Unknown
	}
	return verdict{pin: first, question: q}
}

// isRefusedBy reports whether a pin revokes a certificate of the chain.
func (id certificate) isRefusedBy(pins []Pin) bool {
	var revoked []string
	for _, p := range pins {
		if p.Revoked {
			revoked = append(revoked, p.Fingerprint)
		}
	}
	return len(revoked) > 0 && slices.ContainsFunc(id.chain(), func(cert *x509.Certificate) bool {
		return slices.Contains(revoked, Fingerprint(cert))
	})
}

// revokedSince reports whether the certificate was revoked after p was made.
func (id certificate) revokedSince(p Pin) bool {
	return id.has(hawser.Revoked) && !slices.Contains(p.Anomalies, hawser.Revoked)
}

func (id certificate) has(a hawser.Anomaly) bool {
	return slices.ContainsFunc(id.findings, func(f Finding) bool { return f.Anomaly == a })
}

// refused returns the findings that c does not allow.
func (id certificate) refused(c hawser.Connection) []Finding {
	if id.proxy {
		return id.findings
	}
	return slices.DeleteFunc(slices.Clone(id.findings), func(f Finding) bool {
		switch f.Anomaly {
		case hawser.Revoked, hawser.BadSignature:
			return false
		case hawser.WeakProtocol:
			return slices.Contains(c.TLS.Allow, f.Anomaly) || id.isNegotiated(c.TLS)
		}
		return slices.Contains(c.TLS.Allow, f.Anomaly)
	})
}

// isNegotiated reports whether o asks for the protocol that came about: an old
// version by its name, the old cipher suites by Legacy.
func (id certificate) isNegotiated(o hawser.TLSOptions) bool {
	versions := map[string]uint16{"1.0": tls.VersionTLS10, "1.1": tls.VersionTLS11}
	oldest, named := versions[o.MinVersion]
	version := id.state.Version >= tls.VersionTLS12 || named && id.state.Version >= oldest
	old := slices.ContainsFunc(tls.InsecureCipherSuites(), func(s *tls.CipherSuite) bool { return s.ID == id.state.CipherSuite })
	return version && (!old || o.Legacy)
}

// ofKind returns the pins of this kind.
func ofKind(kind string, pins []Pin) []Pin {
	return slices.DeleteFunc(slices.Clone(pins), func(p Pin) bool { return p.kind() != kind })
}
