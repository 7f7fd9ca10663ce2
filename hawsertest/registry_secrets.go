package hawsertest

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func registrySecretRules() []rule[*registry] {
	return []rule[*registry]{
		{"a literal secret is kept or refused, never lost", "a mask stored in its place locks everybody out, and nobody notices until then", putLiteral},
		{"a literal secret is kept to the byte or refused", "a key without its last line end, or a password without its space, is another one", secretExact},
		{"a reference stays a reference", "a registry does not know what resolvers do, and a value stored in its place is in the clear", secretReference},
		{"a secret may be changed, replaced and removed", "a secret that was given up must not be used for ever", secretChanged},
		{"no error shows a secret", "errors go to logs, tickets and screens", secretErrors},
		{"a registry shows no secret when it is printed", "programs log what they are made of", secretPrinted},
	}
}

// literals are secrets of one line that a store might take for something else.
func literals() []string {
	return []string{
		"correct horse battery staple", "  spaces before and behind  ", "\ttabs\t", "pässwörd 銀行 🏦 e\u0301", "Latin-1 \xe4\xff\xfe",
		"env:BANK_PASSWORD", "sealed:YWdlLWVuY3J5cHRpb24ub3Jn", `{"ref":"env:BANK_PASSWORD"}`, "***", "null", "~", "true", "007",
		"x", `"'\`, "${HOME}", "# no comment", strings.Repeat("64 KiB of secret", 4096),
	}
}

// withSecret is a connection in which secrets of several kinds are s.
func withSecret(name string, s hawser.Secret) hawser.Connection {
	return hawser.Connection{
		Name: name, Protocol: hawser.SFTP, Host: "sftp.example.com",
		Auth:         hawser.Auth{User: "u", Password: s, Key: hawser.Key{Content: s, Passphrase: s}},
		ExtraSecrets: map[string]hawser.Secret{"ours.pin": s, "ours.other": hawser.SecretRef("env:OTHER")},
	}
}

func putLiteral(r *registry) {
	const literal = "correct horse battery staple"
	reg, w := r.writer()
	c := sample("bank")
	c.Auth.Password = hawser.NewSecret(literal)
	if _, err := w.Put(r.Context(), c); err != nil {
		assert.NotContains(r, err.Error(), literal, "the refusal shows the secret")
		_, err := reg.Lookup(r.Context(), "bank")
		assert.ErrorIs(r, err, hawser.ErrNotFound, "Lookup after a refused Put")
		return
	}
	got := r.lookup(reg, "bank").Auth.Password
	assert.True(r, got.Equal(c.Auth.Password), "Put took a literal secret and Lookup gave another")
}

func secretExact(r *registry) {
	reg, w := r.writer()
	var kept []hawser.Connection
	try := func(c hawser.Connection, literal string) {
		if err := r.keptOrRefused(reg, w, c); err != nil {
			r.discreet(err, literal)
			return
		}
		kept = append(kept, c)
	}
	for i, literal := range literals() {
		try(withSecret(fmt.Sprint("line ", i), hawser.NewSecret(literal)), literal)
	}
	key := "-----BEGIN OPENSSH PRIVATE KEY-----\n" + strings.Repeat("b3BlbnNzaC1rZXktdjEA\n", 20) + "-----END OPENSSH PRIVATE KEY-----\n"
	for i, literal := range []string{key, strings.TrimSpace(key), strings.ReplaceAll(key, "\n", "\r\n"), "\n\n\n", "NUL \x00\x01\x1b"} {
		c := withSecret(fmt.Sprint("lines ", i), hawser.NewSecret(literal))
		c.Auth.Password, c.Auth.Key.Passphrase = hawser.Secret{}, hawser.Secret{}
		try(c, literal)
	}
	r.held(reg, kept...) // also after all the others were stored
}

// discreet checks that text of an error, by any verb, does not hold literal. A
// short one is part of many words.
func (r *registry) discreet(err error, literal string) {
	r.Helper()
	for _, verb := range []string{"%v", "%+v", "%#v"} {
		if len(literal) >= 8 && strings.Contains(fmt.Sprintf(verb, err), literal) {
			r.Errorf("an error shows the secret by %s", verb) // and must not be repeated here
		}
	}
}

func secretReference(r *registry) {
	var conns []hawser.Connection
	for i, ref := range []string{"env:BANK_PASSWORD", "file:/run/secrets/a b", "vault:kv/data/bank#password", "ours:ä 銀行", "env:", "no scheme", `x:"'\`, "***"} {
		conns = append(conns, withSecret(fmt.Sprint("reference ", i), hawser.SecretRef(ref)))
	}
	r.keeps(conns...)
}

func secretChanged(r *registry) {
	reg, w := r.writer()
	c := r.put(w, withSecret("bank", hawser.SecretRef("env:FIRST")))
	steps := []hawser.Secret{hawser.SecretRef("env:SECOND"), {}, hawser.SecretRef("env:THIRD")}
	probe := withSecret("probe", hawser.NewSecret("literal"))
	if _, err := w.Put(r.Context(), probe); err == nil {
		literal := hawser.NewSecret("correct horse")
		steps = append(steps, literal, hawser.NewSecret("battery staple"), literal, hawser.SecretRef("env:FOURTH"), literal, hawser.Secret{})
	}
	for i, secret := range steps {
		next := withSecret("bank", secret)
		next.Auth.Agent, next.Revision = true, c.Revision // a login is left without any
		if secret.IsZero() {
			next.Auth.Key, next.ExtraSecrets = hawser.Key{}, nil
		}
		c = r.put(w, next)
		assert.NotEqual(r, next.Revision, c.Revision, "the revision after only secrets changed, step %d", i)
		sameConnection(r, next, r.lookup(reg, "bank"))
	}
}

// wrong are connections that hold literal, and each is refused by Put of a
// registry that holds "bank".
func wrong(literal string) map[string]hawser.Connection {
	good := withSecret("bank", hawser.NewSecret(literal))
	bad := map[string]hawser.Connection{"a name that is taken": good}
	for what, change := range map[string]func(c *hawser.Connection){
		"an old revision":             func(c *hawser.Connection) { c.Revision = "0-none" },
		"a revision of a new name":    func(c *hawser.Connection) { c.Name, c.Revision = "new", "0-none" },
		"no name":                     func(c *hawser.Connection) { c.Name = "" },
		"a timeout that is negative":  func(c *hawser.Connection) { c.Name, c.Timeout = "new", -1 },
		"a protocol that lacks a key": func(c *hawser.Connection) { c.Name, c.Protocol = "new", hawser.FTP },
		"a password of two lines":     func(c *hawser.Connection) { c.Name, c.Auth.Password = "new", hawser.NewSecret(literal+"\nx") },
		"a key of Extra that is none": func(c *hawser.Connection) {
			c.Name, c.ExtraSecrets = "new", map[string]hawser.Secret{"pin": hawser.NewSecret(literal)}
		},
	} {
		c := good.Clone()
		change(&c)
		bad[what] = c
	}
	return bad
}

func secretErrors(r *registry) {
	const literal = "correct horse battery staple"
	_, w := r.writer("bank")
	for what, c := range wrong(literal) {
		_, err := w.Put(r.Context(), c)
		assert.Error(r, err, "Put with %s", what)
		r.discreet(err, literal)
		_, err = w.Put(ended(r.Context()), c)
		assert.Error(r, err, "Put with %s and an ended context", what)
		r.discreet(err, literal)
	}
}

func secretPrinted(r *registry) {
	const literal = "correct horse battery staple"
	reg, w := r.writer()
	if err := r.keptOrRefused(reg, w, withSecret("bank", hawser.NewSecret(literal))); err != nil {
		r.Skipf("skipped: %T keeps no literal secret: %v", reg, err)
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	if watcher, ok := reg.(hawser.Watcher); ok {
		_, err := watcher.Watch(ctx)
		require.True(r, err == nil || unsupported(r, "Watch", err), "Watch: %v", err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d"} {
		text := fmt.Sprintf(verb, reg)
		decimal := strings.Trim(fmt.Sprint([]byte(literal)), "[]")
		for _, form := range []string{literal, decimal, hex.EncodeToString([]byte(literal))} {
			assert.False(r, strings.Contains(text, form), "the registry shows a secret by %s", verb) // which is not repeated here
		}
	}
	assert.False(r, strings.Contains(fmt.Sprintf("%x", reg), hex.EncodeToString([]byte(literal))), "the registry shows a secret by %%x")
}
