package seal

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"

	"github.com/hawser/hawser"
)

// scheme begins the reference that a sealed secret is stored as.
const scheme = "sealed:"

// maxSecret bounds a literal, in bytes: the longest are key files.
const maxSecret = 1 << 20

// IsSealed reports whether s is a sealed secret, as a connection holds it that
// was read without a key.
func IsSealed(s hawser.Secret) bool { return strings.HasPrefix(s.Ref(), scheme) }

func (s *Sealer) encrypt(secret hawser.Secret) (hawser.Secret, error) {
	var b bytes.Buffer
	text := base64.NewEncoder(base64.StdEncoding, &b)
	w, err := age.Encrypt(text, s.identity().Recipient())
	if err != nil {
		return hawser.Secret{}, fmt.Errorf("seal: %w", err)
	}
	_, err = io.WriteString(w, secret.Reveal())
	if err := errors.Join(err, w.Close(), text.Close()); err != nil {
		return hawser.Secret{}, fmt.Errorf("seal: %w", err)
	}
	return hawser.SecretRef(scheme + b.String()), nil
}

func (s *Sealer) open(sealed hawser.Secret) (hawser.Secret, error) {
	text := strings.NewReader(strings.TrimPrefix(sealed.Ref(), scheme))
	r, err := age.Decrypt(base64.NewDecoder(base64.StdEncoding.Strict(), text), s.identity())
	if noMatch := new(age.NoIdentityMatchError); errors.As(err, &noMatch) {
		return hawser.Secret{}, errors.New("it was sealed to another key")
	}
	if err != nil {
		return hawser.Secret{}, err
	}
	literal, err := io.ReadAll(io.LimitReader(r, maxSecret+1))
	switch {
	case err != nil:
		return hawser.Secret{}, err
	case len(literal) == 0:
		return hawser.Secret{}, errors.New("it is empty")
	case len(literal) > maxSecret:
		return hawser.Secret{}, fmt.Errorf("it is longer than %d bytes", maxSecret)
	}
	return hawser.NewSecret(string(literal)), nil
}
