package certs

import (
	"context"
	"iter"
	"time"
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
	// Addr and Fingerprint alone. The 100 latest questions are kept.
	Ask(ctx context.Context, q Question) (id string, err error)

	// Pending returns the ids and the questions that have no answer, oldest first.
	Pending(ctx context.Context) (iter.Seq2[string, Question], error)

	// Answer answers the question that has this id: AcceptAlways pins the key
	// in place of those of its type at the address; AcceptOnce is good for one
	// dial; Deny refuses the key at that address until another answer is given
	// for the same id. The error matches fs.ErrNotExist if there is no such
	// question.
	Answer(ctx context.Context, id string, a Answer) error

	// TakeAnswer returns the AcceptOnce or Deny that was given for the Addr and
	// Fingerprint of q; ok is false if there is none. AcceptOnce is used up by
	// that.
	TakeAnswer(ctx context.Context, q Question) (a Answer, ok bool, err error)
}

// KindSSH is the [Pin.Kind] of an SSH host key.
const KindSSH = "ssh"

// A Pin is an accepted identity, an authority for identities, or one that is
// refused for ever.
type Pin struct {
	// Addr is host:port, or what the first field of a known_hosts line can be
	// (sshd(8)): names and patterns such as "*.example.com,!old.example.com" or
	// "[example.com]:2222". A name without a port means port 22, a pattern with
	// a wildcard and no port means every port.
	Addr        string    `json:"addr"`
	Kind        string    `json:"kind"`              // "" in Add: KindSSH
	Fingerprint string    `json:"fingerprint"`       // "SHA256:..."; "" in Add: that of HostKey
	HostKey     []byte    `json:"host_key,omitzero"` // wire format; a File or Memory store can do without
	CA          bool      `json:"ca,omitzero"`       // signs host certificates, as @cert-authority
	Revoked     bool      `json:"revoked,omitzero"`  // is refused everywhere, as @revoked
	Accepted    time.Time `json:"accepted,omitzero"` // zero: not known
	Comment     string    `json:"comment,omitzero"`
}

// A Question is put to a person when policy does not decide.
type Question struct {
	Connection  string   `json:"connection"`  // its name; "" if it has none
	Addr        string   `json:"addr"`        // host:port
	Fingerprint string   `json:"fingerprint"` // "SHA256:..." of the key presented
	Known       []string `json:"known"`       // fingerprints accepted before, or listed in ssh.host_keys
	HostKey     []byte   `json:"host_key"`    // the key presented, in wire format; of a certificate the key that it certifies
	Reason      Reason   `json:"reason"`
}

// KeyType returns the type of the key presented, such as "ssh-ed25519".
func (q Question) KeyType() string { return keyType(q.HostKey) }

// A Reason says why a key is not trusted.
type Reason string

const (
	Unknown        Reason = "unknown"         // no key is known for the address
	Changed        Reason = "changed"         // other keys are known for the address
	RevokedKey     Reason = "revoked"         // the key, or the authority that signed it, is revoked
	NotListed      Reason = "not-listed"      // ssh.host_keys does not list it
	UnknownCA      Reason = "unknown-ca"      // no authority of the address signed the certificate
	BadCertificate Reason = "bad-certificate" // an authority of the address signed it, but it is not valid
	Unsupported    Reason = "unsupported"     // not an identity that this package can judge
)

// An Answer is what a person says to a [Question].
type Answer int

const (
	Deny         Answer = iota // refuse the server
	AcceptOnce                 // trust the key for this dial
	AcceptAlways               // trust the key and pin it
)

// String returns "deny", "accept-once" or "accept-always".
func (a Answer) String() string {
	switch a {
	case Deny:
		return "deny"
	case AcceptOnce:
		return "accept-once"
	case AcceptAlways:
		return "accept-always"
	}
	return "invalid answer"
}

// An Asker answers a [Question]. Dials that meet the same key of the same
// server at the same time ask once. An Asker returns soon after ctx ends, which
// it does when every dial that waits for the answer has been given up. What it
// returns besides a nil error is the answer; an error refuses the server.
type Asker func(ctx context.Context, q Question) (Answer, error)
