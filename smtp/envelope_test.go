package smtp

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
)

func TestAddresses(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"a@example.com":           "a@example.com",
		"a.b+c@example.com":       "a.b+c@example.com",
		"a..b.@docomo.example":    "a..b.@docomo.example",
		"postmaster":              "postmaster",
		`"a b"@example.com`:       `"a b"@example.com`,
		`"a\"@b"@example.com`:     `"a\"@b"@example.com`,
		"a@[192.0.2.1]":           "a@[192.0.2.1]",
		"a@[IPv6:2001:db8::1]":    "a@[IPv6:2001:db8::1]",
		"a@bücher.example":        "a@xn--bcher-kva.example",
		"grüße@bücher.example":    "grüße@bücher.example",
		"a%b@example.com":         "a%b@example.com",
		"'o.hara'@example.com":    "'o.hara'@example.com",
		"user@sub.EXAMPLE.com":    "user@sub.EXAMPLE.com",
		"a=b/c?d{e}@example.com":  "a=b/c?d{e}@example.com",
		"!#$&*-_`|~^@example.com": "!#$&*-_`|~^@example.com",
	} {
		got, err := pathOf(address)
		require.NoError(t, err, address)
		assert.Equal(t, want, got)
	}
	for _, address := range []string{
		"", " ", "a b@example.com", "<a@example.com>", "a@example.com>", "A <a@example.com>", "a@b@example.com", "@example.com", "a@",
		"a@example.com\r\nRCPT TO:<b@example.com>", "a@exa\nmple.com", "a\x00@example.com", "a@example.com\x7f", "a@exam ple.com",
		`"a@example.com`, `"a"b@example.com`, `a"b@example.com`, "a@[192.0.2.1", "a@192.0.2.1]", "a@[]", "a@[x>y]", "a,b@example.com", "a@b,c@d", "\xff@example.com", "a@-\u00fc-.example",
	} {
		_, err := pathOf(address)
		require.Error(t, err, "%q", address)
		assert.NotContains(t, err.Error(), "\n")
	}
}

func TestEnvelopes(t *testing.T) {
	t.Parallel()
	e, err := newEnvelope(hawser.Envelope{To: []string{"a@b", "c@d", "a@b"}})
	require.NoError(t, err)
	assert.Len(t, e.to, 2, "each gets it once")
	assert.Equal(t, "MAIL FROM:<>", e.mail(features{}, 7, false))

	_, err = newEnvelope(hawser.Envelope{
		From: "x y", To: []string{"a@b", "c\r\n@d"}, Notify: []string{"NEVER", "delay"}, Return: "ALL", ID: "ü",
	})
	require.ErrorIs(t, err, hawser.ErrInvalid)
	for _, field := range []string{"from: ", "to[1]: ", "notify[1]: ", "notify: ", "return: ", "id: "} {
		assert.ErrorContains(t, err, field)
	}
	_, err = newEnvelope(hawser.Envelope{From: "a@b"})
	require.ErrorContains(t, err, "to: is empty")
}

func FuzzAddresses(f *testing.F) {
	for _, seed := range []string{"a@example.com", `"a b"@c`, "ü@ü", "a@[1.2.3.4]", "<a@b>", "a\r\nb@c"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, address string) {
		path, err := pathOf(address)
		if err != nil {
			return
		}
		if path == "" || strings.ContainsAny(path, "\r\n\x00") || strings.ContainsAny(path, "<> ") && !strings.HasPrefix(path, `"`) {
			t.Errorf("%q became %q", address, path)
		}
	})
}
