package hawser

import (
	"context"
	"crypto/tls"
)

// A Verifier decides whether a peer is the server that c names. A nil Verifier
// in a driver means strict: system roots and host name for TLS, and for SSH a
// refusal that says how to configure one. See package certs.
//
// Implementations are safe for concurrent use. A nil error is trust; any other
// refuses the server and matches ErrUntrusted, unless ctx ended.
type Verifier interface {
	Verify(ctx context.Context, c Connection, p Peer) error
}

// A Peer is the identity that a server presented: TLS or HostKey. A data
// connection of ftp must present its control connection's certificate; the
// Verifier is not called for it.
type Peer struct {
	Addr       string               // host:port dialed
	ServerName string               // the name that the certificate must be for
	Proxy      bool                 // the peer is the https proxy, so TLSOptions.Allow and AutoAccept do not apply
	TLS        *tls.ConnectionState // set for ftp, smtp and https proxies
	HostKey    []byte               // set for ssh: wire format (RFC 4253, section 6.6)
}

// A HostKeyOrderer is a Verifier that knows which host key algorithms to prefer
// with a server, because it holds keys of those kinds.
type HostKeyOrderer interface {
	// HostKeyAlgorithms returns names of RFC 4253, section 6.6, best first;
	// none means no preference.
	HostKeyAlgorithms(ctx context.Context, c Connection, addr string) ([]string, error)
}

// An Anomaly is a way in which a server certificate can be wrong. Package certs
// finds them; TLSOptions.Allow accepts them by name.
type Anomaly string

const (
	Expired             Anomaly = "expired"
	NotYetValid         Anomaly = "not-yet-valid"
	UnknownAuthority    Anomaly = "unknown-authority"
	SelfSigned          Anomaly = "self-signed"
	MissingIntermediate Anomaly = "missing-intermediate"
	NameMismatch        Anomaly = "name-mismatch"
	WrongUsage          Anomaly = "wrong-usage"
	BasicConstraints    Anomaly = "basic-constraints"
	NameConstraints     Anomaly = "name-constraints"
	WeakSignature       Anomaly = "weak-signature"
	WeakKey             Anomaly = "weak-key"
	BadSignature        Anomaly = "bad-signature" // never allowed
	Revoked             Anomaly = "revoked"       // never allowed
	RevocationUnknown   Anomaly = "revocation-unknown"
	CriticalExtension   Anomaly = "critical-extension"
	WeakProtocol        Anomaly = "weak-protocol"
)

// Anomalies returns every Anomaly that there is, in a fixed order.
func Anomalies() []Anomaly {
	return []Anomaly{
		Expired, NotYetValid, UnknownAuthority, SelfSigned, MissingIntermediate,
		NameMismatch, WrongUsage, BasicConstraints, NameConstraints,
		WeakSignature, WeakKey, BadSignature, Revoked, RevocationUnknown,
		CriticalExtension, WeakProtocol,
	}
}
