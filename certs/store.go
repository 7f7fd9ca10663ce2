package certs

import (
	"context"
	"iter"
	"time"

	"github.com/hawser/hawser"
)

// A Store keeps accepted identities and open questions. [Memory], [File] and
// [KnownHosts] return the ones of this package.
//
// All methods may be called concurrently; an error is the context's own if ctx
// ended. Addresses are host:port; upper and lower case are the same.
type Store interface {
	// Pins returns the pins that apply to addr, in the order in which they are
	// kept, and every one that is Revoked, since a revoked key is refused
	// everywhere. With addr "" it returns all.
	Pins(ctx context.Context, addr string) ([]Pin, error)

	// Add keeps p and, in the same step, removes the pins of instead, as Remove
	// does. A pin that is there already is not kept twice. Open questions about
	// another key of that type at p.Addr are dropped: they were asked when
	// something else was known.
	Add(ctx context.Context, p Pin, instead ...Pin) error

	// Remove removes what has the Kind, Fingerprint, CA and Revoked of p for
	// p.Addr. A pin of several hosts goes on applying to the others. It is no
	// error if there is no such pin.
	Remove(ctx context.Context, p Pin) error

	// Ask keeps q until it is answered and returns its id, which depends on
	// Addr and Fingerprint alone. The 100 latest questions are kept, each with
	// the first 32 KiB of its Chain.
	Ask(ctx context.Context, q Question) (id string, err error)

	// Pending returns the ids and the questions that have no answer, oldest first.
	Pending(ctx context.Context) (iter.Seq2[string, Question], error)

	// Answer answers the question that has this id. AcceptAlways pins what was
	// presented: a host key in place of those of its type at the address, a
	// certificate beside others, for servers behind one address may each have
	// their own. AcceptOnce is good for one dial; Deny refuses what was
	// presented at that address until another answer is given for the same id.
	// The error matches fs.ErrNotExist if there is no such question.
	Answer(ctx context.Context, id string, a Answer) error

	// TakeAnswer returns the AcceptOnce or Deny that was given for the Addr and
	// Fingerprint of q; ok is false if there is none. AcceptOnce is used up by
	// that.
	TakeAnswer(ctx context.Context, q Question) (a Answer, ok bool, err error)
}

// The kinds of identities.
const (
	KindSSH = "ssh" // a host key
	KindTLS = "tls" // a certificate
)

// A Pin is an accepted identity, an authority for identities, or one that is
// refused for ever.
type Pin struct {
	// Addr is host:port, or what the first field of a known_hosts line can be
	// (sshd(8)): names and patterns such as "*.example.com,!old.example.com" or
	// "[example.com]:2222". A name without a port means port 22, a pattern with
	// a wildcard and no port means every port.
	Addr string `json:"addr"`
	Kind string `json:"kind"` // "" in Add: KindSSH

	// Fingerprint is "SHA256:..."; "" in Add: that of HostKey. Of a certificate
	// it is what [Fingerprint] returns; Add also takes it in lower case and
	// without colons.
	Fingerprint string `json:"fingerprint"`

	HostKey  []byte    `json:"host_key,omitzero"`  // ssh: wire format; a File or Memory store can do without
	CA       bool      `json:"ca,omitzero"`        // ssh: signs host certificates, as @cert-authority
	Revoked  bool      `json:"revoked,omitzero"`   // is refused everywhere, as @revoked; tls: also as an issuer that is presented
	Subject  string    `json:"subject,omitzero"`   // tls: of the certificate
	NotAfter time.Time `json:"not_after,omitzero"` // tls: of the certificate
	Accepted time.Time `json:"accepted,omitzero"`  // zero: not known
	By       string    `json:"by,omitzero"`        // who accepted it; "tls.auto_accept" and "ssh.auto_accept" are nobody
	Comment  string    `json:"comment,omitzero"`
	// Anomalies are what was wrong with the certificate when it was accepted.
	// It goes on being trusted whatever else becomes wrong with it, but for
	// Revoked, unless that is among these.
	Anomalies []hawser.Anomaly `json:"anomalies,omitempty"`
}

// A Question is put to a person when policy does not decide.
type Question struct {
	Connection  string    `json:"connection"`         // its name; "" if it has none
	Addr        string    `json:"addr"`               // host:port
	Kind        string    `json:"kind"`               // KindSSH or KindTLS
	Fingerprint string    `json:"fingerprint"`        // "SHA256:..." of the key or the certificate presented
	Known       []string  `json:"known"`              // fingerprints accepted before, or listed in ssh.host_keys
	HostKey     []byte    `json:"host_key,omitempty"` // ssh: the key presented, in wire format; of a certificate the key that it certifies
	Chain       Chain     `json:"chain,omitempty"`    // tls: the certificates presented, the server's own first
	Findings    []Finding `json:"findings,omitempty"` // tls: everything wrong that tls.allow does not list
	Reason      Reason    `json:"reason"`
}

// KeyType returns the type of the host key presented, such as "ssh-ed25519";
// "" of a certificate.
func (q Question) KeyType() string { return keyType(q.HostKey) }

// A Reason says why a server is not trusted.
type Reason string

const (
	Unknown        Reason = "unknown"         // nothing is known for the address, and a certificate is not valid by itself
	Changed        Reason = "changed"         // others are known for the address, and a certificate is not valid by itself
	RevokedKey     Reason = "revoked"         // what was presented, or an authority that signed it, is revoked
	NotListed      Reason = "not-listed"      // ssh.host_keys does not list it
	UnknownCA      Reason = "unknown-ca"      // ssh: no authority of the address signed the certificate
	BadCertificate Reason = "bad-certificate" // ssh: an authority of the address signed it, but it is not valid
	Forged         Reason = "forged"          // tls: who is named as issuer did not sign it
	Unsupported    Reason = "unsupported"     // not an identity that this package can judge
)

// A Decision is what a person decides about a [Question].
type Decision int

const (
	Deny         Decision = iota // refuse the server
	AcceptOnce                   // trust what was presented for this dial
	AcceptAlways                 // trust what was presented and pin it
)

// String returns "deny", "accept-once" or "accept-always".
func (d Decision) String() string {
	switch d {
	case Deny:
		return "deny"
	case AcceptOnce:
		return "accept-once"
	case AcceptAlways:
		return "accept-always"
	}
	return "invalid decision"
}

// An Answer is what a person says to a [Question]. The zero Answer denies.
type Answer struct {
	Decision Decision
	By       string // who says so; kept, and shown with a Deny
	Comment  string // kept with the pin
}

// An Asker answers a [Question]. Dials that meet the same key of the same
// server at the same time ask once. An Asker returns soon after ctx ends, which
// it does when every dial that waits for the answer has been given up. What it
// returns besides a nil error is the answer; an error refuses the server.
type Asker func(ctx context.Context, q Question) (Answer, error)
