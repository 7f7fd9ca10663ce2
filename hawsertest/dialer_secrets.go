package hawsertest

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func secretRules() []rule[*dialer] {
	return []rule[*dialer]{
		{"no error holds a secret", "errors go to logs, tickets and mail", errorsHoldNoSecret},
		{"no message of the wire log holds a secret", "logs are kept for years; base64 is no mask", wireHoldsNoSecret},
	}
}

func errorsHoldNoSecret(d *dialer) {
	_, err := d.Dialer.Dial(d.ctx, d.Denied)
	require.Error(d, err, "Dial with a wrong password")
	noSecret(d, "the error of a wrong password", describe(err), d.Good, d.Denied)
	_, err = d.Dialer.Dial(ended(d.ctx), d.Good)
	require.Error(d, err, "Dial with an ended context")
	noSecret(d, "the error of an ended context", describe(err), d.Good)
	s := d.login(d.ctx, d.Good)
	noSecret(d, "the session", fmt.Sprintf("%v %s", s, s), d.Good)
	require.NoError(d, s.Close(), "Close")
	noSecret(d, "the error of Ping after Close", describe(s.Ping(d.ctx)), d.Good)
}

func wireHoldsNoSecret(d *dialer) {
	w := &wire{}
	ctx := hawser.WithTrace(d.ctx, w.trace())
	s := d.login(ctx, d.Good)
	require.NoError(d, s.Ping(ctx), "Ping")
	assert.NoError(d, s.Close(), "Close")
	_, err := d.Dialer.Dial(ctx, d.Denied)
	require.Error(d, err, "Dial with a wrong password")
	noSecret(d, "the wire log", w.text(), d.Good, d.Denied)
}

// describe writes err and each error in it in all ways that a log might.
func describe(err error) string {
	text := fmt.Sprintf("%v\n%+v\n%#v\n", err, err, err)
	if j, jsonErr := json.Marshal(err); jsonErr == nil {
		text += string(j) + "\n"
	}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			text += describe(inner)
		}
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			text += describe(inner)
		}
	}
	return text
}

// noSecret fails t if text holds a secret of conns, as it is or in a form in
// which protocols send it.
func noSecret(t testing.TB, what, text string, conns ...hawser.Connection) {
	t.Helper()
	for _, c := range conns {
		for name, secret := range c.Secrets() {
			for form, needle := range forms(secret.Reveal()) {
				if strings.Contains(text, needle) {
					t.Errorf("%s holds %s, as %s", what, name, form) // and is not shown, for the same reason
				}
			}
		}
	}
}

// forms are the texts that give literal away.
func forms(literal string) map[string]string {
	found := map[string]string{
		"it is":            literal,
		"hexadecimal":      hex.EncodeToString([]byte(literal)),
		"a Go string":      strings.Trim(fmt.Sprintf("%q", literal), `"`),
		"a slice of bytes": strings.Trim(fmt.Sprint([]byte(literal)), "[]"),
	}
	// Base64 depends on how many bytes came before, modulo 3: AUTH PLAIN sends
	// the user first. The characters at either end mix with what is beside.
	for shift := range 3 {
		encoded := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("\x00", shift) + literal))
		from, to := 0, len(encoded)
		if shift > 0 {
			from = shift + 1
		}
		if (shift+len(literal))%3 != 0 {
			to--
		}
		middle := encoded[from:to]
		found[fmt.Sprintf("base64, shifted by %d", shift)] = middle
		found[fmt.Sprintf("base64 for URLs, shifted by %d", shift)] = strings.NewReplacer("+", "-", "/", "_").Replace(middle)
	}
	return found
}
