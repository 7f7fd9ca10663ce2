package seal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"filippo.io/age"
	"filippo.io/age/armor"

	"github.com/hawser/hawser"
)

const (
	// workFactor is the base-2 logarithm of the cost of scrypt: 128 MiB and
	// some tenths of a second for each guess.
	workFactor = 17
	// maxWorkFactor bounds the cost that a stored header can ask for; the age
	// tool writes 18.
	maxWorkFactor = 18
	// maxWrapped bounds the private key in a header, in bytes.
	maxWrapped = 1 << 12
)

// Passphrase returns the key that p protects: an identity made for the first
// registry that opens it, and kept in the registry's Header, encrypted by p
// (age's scrypt). Opening it takes 128 MiB for a moment, which ctx does not cut
// short; a second time with the same Header costs nothing.
func Passphrase(p hawser.Secret) *Key {
	return &Key{load: (&passphrase{text: p}).load}
}

type passphrase struct {
	text hawser.Secret

	mu  sync.Mutex // guards those below, and has one wait for the work of another
	of  Header     // which own belongs to
	own identity   // nil before the first time
}

func (p *passphrase) load(_ context.Context, h Header) (identity, Header, error) {
	if err := resolved("passphrase", p.text); err != nil {
		return nil, h, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if h.Recipient == "" {
		return p.create()
	}
	if h.Wrapped == "" {
		return nil, h, fmt.Errorf("%w: the registry is sealed to %s, which is a key file or an identity and not a passphrase",
			ErrKey, hawser.Printable(h.Recipient))
	}
	if p.own != nil && p.of == h {
		return p.own, h, nil
	}
	own, err := p.unwrap(h)
	if err != nil {
		return nil, h, err
	}
	p.own, p.of = own, h
	return own, h, nil
}

// create must be called with mu held.
func (p *passphrase) create() (identity, Header, error) {
	own, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, Header{}, err
	}
	wrapped, err := p.wrap(own)
	if err != nil {
		return nil, Header{}, err
	}
	p.own = func() *age.X25519Identity { return own }
	p.of = Header{Recipient: own.Recipient().String(), Wrapped: wrapped}
	return p.own, p.of, nil
}

func (p *passphrase) wrap(own *age.X25519Identity) (string, error) {
	recipient, err := age.NewScryptRecipient(p.text.Reveal())
	if err != nil {
		return "", err
	}
	recipient.SetWorkFactor(workFactor)
	var b bytes.Buffer
	armored := armor.NewWriter(&b)
	w, err := age.Encrypt(armored, recipient)
	if err != nil {
		return "", err
	}
	_, err = io.WriteString(w, own.String()+"\n")
	err = errors.Join(err, w.Close(), armored.Close())
	return b.String(), err
}

func (p *passphrase) unwrap(h Header) (identity, error) {
	by, err := age.NewScryptIdentity(p.text.Reveal())
	if err != nil {
		return nil, err
	}
	by.SetMaxWorkFactor(maxWorkFactor)
	r, err := age.Decrypt(armor.NewReader(strings.NewReader(h.Wrapped)), by)
	if noMatch := new(age.NoIdentityMatchError); errors.As(err, &noMatch) {
		return nil, fmt.Errorf("%w: the passphrase is not the one of %s, to which the registry is sealed", ErrKey, hawser.Printable(h.Recipient))
	}
	if err != nil {
		return nil, damaged(err)
	}
	text, err := io.ReadAll(io.LimitReader(r, maxWrapped))
	if err != nil {
		return nil, damaged(err)
	}
	found, err := parseIdentities(string(text))
	if err != nil {
		return nil, damaged(err)
	}
	own, _, err := choose(found, h)
	return own, err
}

func damaged(err error) error {
	return fmt.Errorf("the wrapped key in the stored header is damaged; restore it from a backup: %s", hawser.Printable(err.Error()))
}
