package seal

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/hawser/hawser"
)

// A Sealer seals the literal secrets of connections and unseals them. The zero
// Sealer has no key, see [Key.Open]. It is safe for concurrent use, and formats
// without its key.
type Sealer struct {
	identity  identity // nil: no key
	recipient string
}

// Recipient returns what secrets are sealed to, "age1...", and "" without a key.
func (s *Sealer) Recipient() string { return s.recipient }

// Marshal returns the stored form of c, JSON, with every literal secret sealed.
// oldStored is what was stored before, or nil: a secret that did not change
// keeps its sealed text, which would be another each time. What c brings sealed
// has to be sealed to this key, else the error matches [ErrKey].
func (s *Sealer) Marshal(c hawser.Connection, oldStored []byte) ([]byte, error) {
	var old hawser.Connection
	if len(oldStored) > 0 && json.Unmarshal(oldStored, &old) != nil {
		old = hawser.Connection{} // there is nothing to keep then
	}
	c = c.Clone()
	if err := s.Seal(&c, old); err != nil {
		return nil, err
	}
	return json.Marshal(c)
}

// Unmarshal reads what [Sealer.Marshal] wrote, and unseals it. A literal in the
// clear is a [hawser.FieldError]; a secret that was sealed to another key is an
// error that matches [ErrKey]. Without a key, sealed secrets stay references.
func (s *Sealer) Unmarshal(b []byte) (hawser.Connection, error) {
	var c hawser.Connection
	if err := json.Unmarshal(b, &c); err != nil {
		return hawser.Connection{}, err
	}
	if err := s.Unseal(&c); err != nil {
		return hawser.Connection{}, err
	}
	return c, nil
}

// Seal replaces each literal secret of c by a sealed one, and keeps the sealed
// text of old, which is c as it was stored before, where the secret did not
// change. All problems are reported at once, and c is to be thrown away then.
func (s *Sealer) Seal(c *hawser.Connection, old hawser.Connection) error {
	stored := map[string]hawser.Secret{}
	old = old.Clone()
	for field, secret := range old.Secrets() {
		stored[field] = *secret
	}
	var problems []error
	for field, secret := range c.Secrets() {
		sealed, err := s.seal(field, *secret, stored[field])
		if err != nil {
			problems = append(problems, err)
			continue
		}
		*secret = sealed
	}
	return errors.Join(problems...)
}

// Unseal replaces each sealed secret of c by its literal, and refuses literals.
// All problems are reported at once, and c is to be thrown away then. Without a
// key, sealed secrets stay references.
func (s *Sealer) Unseal(c *hawser.Connection) error {
	var problems []error
	for field, secret := range c.Secrets() {
		if secret.Ref() == "" {
			problems = append(problems, inTheClear(field))
			continue
		}
		if s.identity == nil || !IsSealed(*secret) {
			continue
		}
		literal, err := s.open(*secret)
		if err != nil {
			problems = append(problems, s.unreadable(field, err))
			continue
		}
		*secret = literal
	}
	return errors.Join(problems...)
}

// seal returns what is stored for secret, of which old was stored before.
func (s *Sealer) seal(field string, secret, old hawser.Secret) (hawser.Secret, error) {
	switch {
	case IsSealed(secret):
		if s.identity == nil || secret.Equal(old) {
			return secret, nil
		}
		if _, err := s.open(secret); err != nil {
			return hawser.Secret{}, s.unreadable(field, err)
		}
		return secret, nil
	case secret.Ref() != "":
		return secret, nil
	case s.identity == nil:
		return hawser.Secret{}, &hawser.FieldError{Field: field, Problem: "is a literal secret, and this registry has no key to seal it with; " +
			`give a reference such as {"ref": "env:NAME"}, or open the registry with a key`}
	case len(secret.Reveal()) > maxSecret:
		return hawser.Secret{}, &hawser.FieldError{Field: field, Problem: fmt.Sprintf("is longer than %d bytes", maxSecret)}
	}
	if IsSealed(old) {
		if before, err := s.open(old); err == nil && before.Equal(secret) {
			return old, nil
		}
	}
	return s.encrypt(secret)
}

func inTheClear(field string) error {
	return &hawser.FieldError{Field: field, Problem: `is a secret in the clear; write a reference such as {"ref": "env:NAME"}, or have it sealed`}
}

// unreadable says which secret could not be unsealed. What package age says is
// of the sealed text alone.
func (s *Sealer) unreadable(field string, err error) error {
	return fmt.Errorf("%s: %w: it cannot be unsealed by the key of %s: %s",
		hawser.Printable(field), ErrKey, s.recipient, hawser.Printable(err.Error()))
}
