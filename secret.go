package hawser

import (
	"bytes"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// mask is what stands wherever a literal secret would. A stored form that
// holds it has lost its secret, so reading it back is refused.
const mask = "***"

// A Secret is a literal or a reference such as "env:BANK_PASSWORD" or
// "file:/run/secrets/bank", which a [SecretResolver] turns into its value just
// before dialing. The zero Secret is none at all.
//
// A Secret formats, logs and marshals as a mask, by every verb and inside
// unexported fields of other types; [Secret.Reveal] is the only way to a
// literal, so its uses are easy to audit. It is compared by [Secret.Equal],
// never by == or by a test library's deep comparison. It may be copied and
// used concurrently.
type Secret struct {
	// open gives one of the two. It is a func so that no reflection, and so
	// no formatter or deep printer, reaches the text.
	open func() (literal, ref string)
}

// NewSecret returns the secret literal. An empty one is the zero Secret.
func NewSecret(literal string) Secret {
	if literal == "" {
		return Secret{}
	}
	return Secret{open: func() (string, string) { return literal, "" }}
}

// SecretRef returns a reference, "scheme:rest". An empty one is the zero Secret.
func SecretRef(ref string) Secret {
	if ref == "" {
		return Secret{}
	}
	return Secret{open: func() (string, string) { return "", ref }}
}

// Reveal returns the literal. It is empty for the zero Secret and for a
// reference that was not resolved.
func (s Secret) Reveal() string {
	literal, _ := s.parts()
	return literal
}

// Ref returns the reference, which is not secret itself. It is empty for a
// literal and for the zero Secret.
func (s Secret) Ref() string {
	_, ref := s.parts()
	return ref
}

// IsZero reports whether s is neither a literal nor a reference.
func (s Secret) IsZero() bool { return s.open == nil }

// Equal reports whether s and t are the same literal or the same reference. It
// takes the same time wherever two literals of one length differ.
func (s Secret) Equal(t Secret) bool {
	sLiteral, sRef := s.parts()
	tLiteral, tRef := t.parts()
	return subtle.ConstantTimeCompare([]byte(sLiteral), []byte(tLiteral)) == 1 && sRef == tRef
}

// Format writes the mask for a literal and the text of a reference, for every
// verb.
func (s Secret) Format(f fmt.State, verb rune) {
	text := s.masked()
	switch {
	case verb == 'v' && f.Flag('#'):
		text = fmt.Sprintf("hawser.Secret(%q)", text)
	case verb == 'q':
		text = fmt.Sprintf("%q", text)
	}
	_, _ = io.WriteString(f, text)
}

// LogValue is what slog writes for s: the mask or the reference.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.masked()) }

// MarshalJSON writes {"ref": "env:NAME"} for a reference and the mask for a
// literal, which [Secret.UnmarshalJSON] refuses: only a store that seals
// secrets keeps literals.
func (s Secret) MarshalJSON() ([]byte, error) {
	if ref := s.Ref(); ref != "" {
		return json.Marshal(secretRef{Ref: ref})
	}
	return json.Marshal(s.masked())
}

// UnmarshalJSON reads {"ref": "env:NAME"} or a literal string. It refuses the
// mask, because whoever stored that has lost the secret.
func (s *Secret) UnmarshalJSON(b []byte) error {
	var literal *string // nil after a null
	if json.Unmarshal(b, &literal) == nil && literal != nil {
		if *literal == mask {
			return errors.New("the mask *** is not a secret; give the secret again or a reference")
		}
		*s = NewSecret(*literal)
		return nil
	}
	ref, ok := decodeRef(b)
	if !ok {
		// The decoder's own error may quote the secret, so it is not passed on.
		return errors.New(`want a string or {"ref": "env:NAME"}`)
	}
	*s = SecretRef(ref)
	return nil
}

// decodeRef reads {"ref": "env:NAME"} token by token, because package json
// takes "REF" for "ref", and the last of two.
func decodeRef(b []byte) (ref string, ok bool) {
	d := json.NewDecoder(bytes.NewReader(b))
	var tokens []json.Token
	for range 4 { // brace, name, value, brace
		token, err := d.Token()
		if err != nil {
			return "", false
		}
		tokens = append(tokens, token)
	}
	ref, ok = tokens[2].(string)
	_, err := d.Token()
	ok = ok && ref != "" && err == io.EOF
	return ref, ok && tokens[0] == json.Delim('{') && tokens[1] == "ref" && tokens[3] == json.Delim('}')
}

type secretRef struct {
	Ref string `json:"ref"`
}

func (s Secret) parts() (literal, ref string) {
	if s.open == nil {
		return "", ""
	}
	return s.open()
}

func (s Secret) masked() string {
	literal, ref := s.parts()
	if literal != "" {
		return mask
	}
	return ref
}
