package seal_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/leak"
	"github.com/hawser/hawser/registry/seal"
)

const literal = "correct horse battery staple"

func TestMarshalSealsEachLiteralAndUnmarshalUnsealsIt(t *testing.T) {
	t.Parallel()
	s, _ := opened(t, newKey(t), seal.Header{})
	b, err := s.Marshal(bank(), nil)
	require.NoError(t, err)
	for _, clear := range leak.Forms(literal) {
		assert.NotContains(t, string(b), clear)
	}
	c, err := s.Unmarshal(b)
	require.NoError(t, err)
	for field, want := range secretsOf(bank()) {
		assert.True(t, want.Equal(secretsOf(c)[field]), field)
	}
	assert.Equal(t, bank().Host, c.Host)
}

func TestMarshalLeavesItsArgumentAlone(t *testing.T) {
	t.Parallel()
	s, _ := opened(t, newKey(t), seal.Header{})
	c := bank()
	_, err := s.Marshal(c, nil)
	require.NoError(t, err)
	for field, want := range secretsOf(bank()) {
		assert.True(t, want.Equal(secretsOf(c)[field]), field)
	}
}

func TestASealedSecretIsWhatTheAgeToolReads(t *testing.T) {
	t.Parallel()
	own := newIdentity(t)
	s, _ := opened(t, seal.Identity(hawser.NewSecret(own.String())), seal.Header{})
	c := sealed(t, s, bank())
	text := strings.TrimPrefix(c.Auth.Password.Ref(), "sealed:")
	r, err := age.Decrypt(base64.NewDecoder(base64.StdEncoding, strings.NewReader(text)), own)
	require.NoError(t, err)
	got := make([]byte, len(literal))
	_, err = r.Read(got)
	require.NoError(t, err)
	assert.True(t, string(got) == literal)
}

func TestAnUnchangedSecretKeepsItsSealedText(t *testing.T) {
	t.Parallel()
	s, _ := opened(t, newKey(t), seal.Header{})
	first, err := s.Marshal(bank(), nil)
	require.NoError(t, err)
	same, err := s.Marshal(bank(), first)
	require.NoError(t, err)
	assert.Equal(t, string(first), string(same))

	changed := bank()
	changed.Auth.Password = hawser.NewSecret("another")
	second, err := s.Marshal(changed, first)
	require.NoError(t, err)
	before, after := stored(t, first), stored(t, second)
	assert.NotEqual(t, before.Auth.Password.Ref(), after.Auth.Password.Ref())
	assert.Equal(t, before.ExtraSecrets["bank.pin"].Ref(), after.ExtraSecrets["bank.pin"].Ref())
}

func TestReferencesStayAsTheyAre(t *testing.T) {
	t.Parallel()
	s, _ := opened(t, newKey(t), seal.Header{})
	c := bank()
	c.Auth.Password = hawser.SecretRef("env:BANK")
	b, err := s.Marshal(c, nil)
	require.NoError(t, err)
	assert.Contains(t, string(b), `{"ref":"env:BANK"}`)
	c, err = s.Unmarshal(b)
	require.NoError(t, err)
	assert.Equal(t, "env:BANK", c.Auth.Password.Ref())
}

func TestWithoutAKey(t *testing.T) {
	t.Parallel()
	withKey, header := opened(t, newKey(t), seal.Header{})
	b, err := withKey.Marshal(bank(), nil)
	require.NoError(t, err)
	for name, key := range map[string]*seal.Key{"nil": nil, "zero": {}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, same := opened(t, key, header)
			assert.Equal(t, header, same)
			assert.Empty(t, s.Recipient())
			_, err := s.Marshal(bank(), nil)
			require.ErrorIs(t, err, hawser.ErrInvalid)
			require.ErrorContains(t, err, `auth.password: is a literal secret, and this registry has no key to seal it with; give a reference such as {"ref": "env:NAME"}, or open the registry with a key`)
			require.ErrorContains(t, err, "extra_secrets.bank.pin: ", "all problems are told at once")

			c, err := s.Unmarshal(b)
			require.NoError(t, err, "sealed secrets pass as references")
			assert.True(t, seal.IsSealed(c.Auth.Password))
			c.Host = "new.example.com"
			again, err := s.Marshal(c, b)
			require.NoError(t, err, "an operator without the key edits all else")
			c, err = withKey.Unmarshal(again)
			require.NoError(t, err)
			assert.True(t, c.Auth.Password.Equal(hawser.NewSecret(literal)))
		})
	}
}

func TestASecretInTheClearIsNotRead(t *testing.T) {
	t.Parallel()
	keyed, _ := opened(t, newKey(t), seal.Header{})
	keyless, _ := opened(t, nil, seal.Header{})
	for _, s := range []*seal.Sealer{keyed, keyless} {
		_, err := s.Unmarshal([]byte(`{"name":"a","auth":{"password":"correct horse battery staple"},"extra_secrets":{"a.b":"correct horse battery staple"}}`))
		require.ErrorIs(t, err, hawser.ErrInvalid)
		require.ErrorContains(t, err, "auth.password: is a secret in the clear; ")
		require.ErrorContains(t, err, "extra_secrets.a.b: is a secret in the clear; ")
		assert.NotContains(t, err.Error(), literal)
	}
}

func TestASecretOfAnotherKeyIsRefused(t *testing.T) {
	t.Parallel()
	s, _ := opened(t, newKey(t), seal.Header{})
	other, _ := opened(t, newKey(t), seal.Header{})
	foreign := sealed(t, other, bank())
	cut := foreign.Auth.Password.Ref()
	for name, ref := range map[string]string{
		"sealed to another key": cut,
		"cut short":             cut[:len(cut)-10],
		"not base64":            "sealed:!!!",
		"empty":                 "sealed:",
		"control characters":    "sealed:\x1b[31m",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := bank()
			c.Auth.Password = hawser.SecretRef(ref)
			_, err := s.Marshal(c, nil)
			require.ErrorIs(t, err, seal.ErrKey, "Marshal")
			b, err := json.Marshal(c)
			require.NoError(t, err)
			b = []byte(strings.Replace(string(b), `"***"`, `{"ref":"env:PIN"}`, 1))
			_, err = s.Unmarshal(b)
			require.ErrorIs(t, err, seal.ErrKey, "Unmarshal")
			assert.Contains(t, err.Error(), "auth.password: wrong key: ")
			assert.NotContains(t, err.Error(), "\x1b")
		})
	}
}

func TestASecretThatIsTooLongIsRefused(t *testing.T) {
	t.Parallel()
	s, _ := opened(t, newKey(t), seal.Header{})
	c := bank()
	c.ExtraSecrets["bank.long"] = hawser.NewSecret(strings.Repeat("x", 1<<20))
	b, err := s.Marshal(c, nil)
	require.NoError(t, err)
	_, err = s.Unmarshal(b)
	require.NoError(t, err)
	c.ExtraSecrets["bank.long"] = hawser.NewSecret(strings.Repeat("x", 1<<20+1))
	_, err = s.Marshal(c, nil)
	require.ErrorContains(t, err, "extra_secrets.bank.long: is longer than 1048576 bytes")
}

func TestNothingPrintsAKey(t *testing.T) {
	t.Parallel()
	own := newIdentity(t)
	key := seal.Identity(hawser.NewSecret(own.String()))
	s, _ := opened(t, key, seal.Header{})
	bytes := fmt.Sprintf("%d", own)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, v := range []any{key, *key, s, *s} {
			text := fmt.Sprintf(verb, v)
			assert.NotContains(t, text, own.String(), verb)
			assert.NotContains(t, text, bytes[3:40], verb)
		}
	}
}

func bank() hawser.Connection {
	return hawser.Connection{
		Name: "bank", Protocol: hawser.SFTP, Host: "sftp.example.com",
		Auth:         hawser.Auth{User: "bank", Password: hawser.NewSecret(literal)},
		ExtraSecrets: map[string]hawser.Secret{"bank.pin": hawser.NewSecret(literal)},
	}
}

func newIdentity(t *testing.T) *age.X25519Identity {
	t.Helper()
	own, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	return own
}

func newKey(t *testing.T) *seal.Key {
	t.Helper()
	return seal.Identity(hawser.NewSecret(newIdentity(t).String()))
}

func opened(t *testing.T, key *seal.Key, h seal.Header) (*seal.Sealer, seal.Header) {
	t.Helper()
	s, header, err := key.Open(t.Context(), h)
	require.NoError(t, err)
	return s, header
}

func sealed(t *testing.T, s *seal.Sealer, c hawser.Connection) hawser.Connection {
	t.Helper()
	c = c.Clone()
	require.NoError(t, s.Seal(&c, hawser.Connection{}))
	return c
}

// stored reads b without unsealing.
func stored(t *testing.T, b []byte) hawser.Connection {
	t.Helper()
	var c hawser.Connection
	require.NoError(t, json.Unmarshal(b, &c))
	return c
}

func secretsOf(c hawser.Connection) map[string]hawser.Secret {
	found := map[string]hawser.Secret{}
	for field, secret := range c.Secrets() {
		found[field] = *secret
	}
	return found
}
