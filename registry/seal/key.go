package seal

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"filippo.io/age"

	"github.com/hawser/hawser"
)

// ErrKey is matched where a registry, or one secret of it, was sealed to
// another key than the one given.
var ErrKey = errors.New("wrong key")

// A Key says how a registry seals literal secrets. [KeyFile], [Passphrase] and
// [Identity] make one; nil and the zero Key are none at all, see [Key.Open]. It
// is safe for concurrent use, and formats without its secret.
type Key struct {
	load loader // nil: no key
}

// A loader returns the identity for a registry of header h, and the header
// that the registry has to have then.
type loader func(ctx context.Context, h Header) (identity, Header, error)

// An identity gives the private key. It is a func so that no reflection, and so
// no formatter, reaches the key.
type identity func() *age.X25519Identity

// A Header is what a registry stores beside its connections, so that the right
// key is told from a wrong one. It is not secret. The zero Header is that of a
// registry in which nothing was sealed yet.
type Header struct {
	Recipient string `json:"recipient,omitzero"` // "age1...", to which secrets are sealed
	// Wrapped is the private key of Recipient, encrypted by a passphrase, as an
	// armored age file. It is empty unless the key is a [Passphrase].
	Wrapped string `json:"wrapped,omitzero"`
}

// Identity returns the key of an age identity, "AGE-SECRET-KEY-1...". The text may
// also be that of a file as age-keygen writes it. Of several identities the one
// of the registry is used, or the first for a new registry.
func Identity(text hawser.Secret) *Key {
	return &Key{load: func(_ context.Context, h Header) (identity, Header, error) {
		if err := resolved("identity", text); err != nil {
			return nil, h, err
		}
		found, err := parseIdentities(text.Reveal())
		if err != nil {
			return nil, h, fmt.Errorf("age identity: %w", err)
		}
		return choose(found, h)
	}}
}

// Open returns a Sealer for a registry whose stored Header is h. The Header that
// it returns is to be stored, by compare-and-swap and before the first sealed
// secret, if it differs from h; whoever loses that race opens again with the
// Header that won. A key of another Recipient is an error that matches [ErrKey].
// An error of a ctx that ended is the context's own.
//
// Without a key, the Sealer refuses literal secrets and passes on sealed ones
// as references, so that connections can be listed, and edited in all else.
func (k *Key) Open(ctx context.Context, h Header) (*Sealer, Header, error) {
	if err := ctx.Err(); err != nil {
		return nil, h, err
	}
	if k == nil || k.load == nil {
		return &Sealer{}, h, nil
	}
	if h.Wrapped != "" && h.Recipient == "" {
		return nil, h, errors.New("the stored header has a wrapped key but no recipient; restore it from a backup")
	}
	own, now, err := k.load(ctx, h)
	if err != nil {
		return nil, h, err
	}
	return &Sealer{identity: own, recipient: now.Recipient}, now, nil
}

// choose returns the identity of found that belongs to h.
func choose(found []*age.X25519Identity, h Header) (identity, Header, error) {
	if h.Recipient == "" {
		h.Recipient = found[0].Recipient().String()
	}
	var recipients []string
	for _, own := range found {
		recipient := own.Recipient().String()
		if recipient == h.Recipient {
			return func() *age.X25519Identity { return own }, h, nil
		}
		recipients = append(recipients, recipient)
	}
	return nil, h, fmt.Errorf("%w: the registry is sealed to %s, and the key given is that of %s",
		ErrKey, hawser.Printable(h.Recipient), strings.Join(recipients, " and "))
}

// parseIdentities reads text in the form of age-keygen: one identity a line, or
// a comment. The errors of package age can quote the key, so they are not
// passed on.
func parseIdentities(text string) ([]*age.X25519Identity, error) {
	var found []*age.X25519Identity
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		own, err := age.ParseX25519Identity(line)
		if err != nil {
			return nil, fmt.Errorf("line %d is not an age X25519 identity, AGE-SECRET-KEY-1...; age-keygen makes one", n)
		}
		found = append(found, own)
	}
	if len(found) == 0 {
		return nil, errors.New("there is no identity, AGE-SECRET-KEY-1..., in it; age-keygen makes one")
	}
	return found, nil
}

// resolved refuses a secret that is missing, or known by its reference alone.
func resolved(what string, s hawser.Secret) error {
	switch {
	case s.IsZero():
		return fmt.Errorf("the %s is empty", what)
	case s.Ref() != "":
		return fmt.Errorf("the %s is the reference %s; resolve it first", what, hawser.Printable(s.Ref()))
	}
	return nil
}
