package hawser

import (
	"maps"
	"slices"
	"strings"
)

// WithSecretsOf returns c, as an editor that shows no secrets gives it back, with
// the secrets of stored that were not touched there. It is for saving, and for
// testing before that: a test with the mask in place of the password would fail.
//
//   - A secret that c has is a new one and stays.
//   - One that c does not have, or has as the mask "***", was not touched, and is that of
//     stored. So is one of ExtraSecrets.
//   - One that is in removed by its stored name, such as "auth.password" or
//     "extra_secrets.vendor.key", is none in the result. Another name is a [FieldError].
//   - The content of a key or certificate is not kept where c now names a file for
//     it, which takes its place.
//
// Whoever may edit c can have the secrets sent to a server of his own, by another
// Host, Proxy or Via. Where an editor must not come to know them, give stored only
// if nothing of that was changed.
func (c Connection) WithSecretsOf(stored Connection, removed ...string) (Connection, error) {
	c = c.Clone()
	for _, name := range removed {
		if !isSecretName(name) {
			return Connection{}, &FieldError{Field: name, Problem: "is no secret" + suggest(name, secretNames())}
		}
	}
	for name, secret := range c.Secrets() {
		if slices.Contains(removed, name) || secret.isMask() {
			*secret = Secret{}
		}
	}
	maps.DeleteFunc(c.ExtraSecrets, func(_ string, s Secret) bool { return s.IsZero() })
	for name, secret := range stored.Secrets() {
		if !slices.Contains(removed, name) && !c.replaces(name) {
			c.keepSecret(name, *secret)
		}
	}
	return c, nil
}

// isMask reports whether s is what an editor shows in place of a secret.
func (s Secret) isMask() bool { return s.Reveal() == mask }

// replaces reports whether c has a file in place of the secret called name.
func (c Connection) replaces(name string) bool {
	return name == "auth.key.content" && c.Auth.Key.File != "" ||
		name == "tls.certificate.content" && c.TLS.Certificate.File != ""
}

// keepSecret sets the secret called name, if c has none. ExtraSecrets is c's own.
func (c *Connection) keepSecret(name string, s Secret) {
	if key, ok := strings.CutPrefix(name, extraSecretPrefix); ok {
		if c.ExtraSecrets == nil {
			c.ExtraSecrets = map[string]Secret{}
		}
		if c.ExtraSecrets[key].IsZero() {
			c.ExtraSecrets[key] = s
		}
		return
	}
	f, ok := c.field(name)
	if !ok {
		return
	}
	if mine, isSecret := f.value.Addr().Interface().(*Secret); isSecret && mine.IsZero() {
		*mine = s
	}
}

const extraSecretPrefix = "extra_secrets."

// isSecretName reports whether a secret can be stored under name.
func isSecretName(name string) bool {
	key, isExtra := strings.CutPrefix(name, extraSecretPrefix)
	return isExtra && key != "" || slices.Contains(secretNames(), name)
}

// secretNames are those of every secret but the extra ones.
func secretNames() []string {
	var c Connection
	var names []string
	for f := range c.fields() {
		if _, ok := f.value.Interface().(Secret); ok {
			names = append(names, f.name)
		}
	}
	return names
}
