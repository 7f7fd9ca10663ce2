package hawser_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSecret(t *testing.T) {
	t.Parallel()
	literal, ref, none := hawser.NewSecret("hush"), hawser.SecretRef("env:BANK"), hawser.Secret{}

	t.Run("prints a literal as the mask, whatever the verb", func(t *testing.T) {
		t.Parallel()
		for _, format := range []string{"%v", "%s", "%d", "%x", "%+v", "%t", "%5.1f"} {
			assert.Equal(t, "***", fmt.Sprintf(format, literal), format)
		}
		assert.Equal(t, `"***"`, fmt.Sprintf("%q", literal))
		assert.Equal(t, `hawser.Secret("***")`, fmt.Sprintf("%#v", literal))
	})
	t.Run("prints a reference, which is not secret", func(t *testing.T) {
		t.Parallel()
		assert.Equal(t, "env:BANK", fmt.Sprint(ref))
	})
	t.Run("prints nothing where there is none", func(t *testing.T) {
		t.Parallel()
		assert.Empty(t, fmt.Sprint(none))
	})
	t.Run("is revealed by Reveal alone", func(t *testing.T) {
		t.Parallel()
		assert.Equal(t, "hush", literal.Reveal())
		assert.Empty(t, ref.Reveal())
		assert.Empty(t, none.Reveal())
	})
	t.Run("tells its reference by Ref", func(t *testing.T) {
		t.Parallel()
		assert.Equal(t, "env:BANK", ref.Ref())
		assert.Empty(t, literal.Ref())
		assert.Empty(t, none.Ref())
	})
	t.Run("is zero when it is empty", func(t *testing.T) {
		t.Parallel()
		assert.True(t, none.IsZero())
		assert.True(t, hawser.NewSecret("").IsZero())
		assert.True(t, hawser.SecretRef("").IsZero())
		assert.False(t, literal.IsZero())
		assert.False(t, ref.IsZero())
	})
	t.Run("equals the same literal or the same reference", func(t *testing.T) {
		t.Parallel()
		assert.True(t, literal.Equal(hawser.NewSecret("hush")))
		assert.True(t, ref.Equal(hawser.SecretRef("env:BANK")))
		assert.True(t, none.Equal(hawser.NewSecret("")))
		assert.False(t, literal.Equal(hawser.NewSecret("hush!")))
		assert.False(t, literal.Equal(hawser.SecretRef("hush")))
		assert.False(t, none.Equal(literal))
	})
}

func TestSecretJSON(t *testing.T) {
	t.Parallel()
	t.Run("writes a literal as the mask", func(t *testing.T) {
		t.Parallel()
		b, err := json.Marshal(hawser.NewSecret("hush"))
		require.NoError(t, err)
		require.JSONEq(t, `"***"`, string(b))
	})
	t.Run("writes and reads a reference", func(t *testing.T) {
		t.Parallel()
		b, err := json.Marshal(hawser.SecretRef("env:BANK"))
		require.NoError(t, err)
		require.JSONEq(t, `{"ref":"env:BANK"}`, string(b))
		var s hawser.Secret
		require.NoError(t, json.Unmarshal(b, &s))
		require.True(t, s.Equal(hawser.SecretRef("env:BANK")))
	})
	t.Run("reads a literal", func(t *testing.T) {
		t.Parallel()
		var s hawser.Secret
		require.NoError(t, json.Unmarshal([]byte(`"hush"`), &s))
		require.Equal(t, "hush", s.Reveal())
	})
	for name, text := range map[string]string{
		"the mask":              `"***"`,
		"null":                  `null`,
		"a number":              `4711`,
		"a list":                `["Hush4711"]`,
		"an unknown member":     `{"ref":"env:A","Hush4711":1}`,
		"a ref in other case":   `{"REF":"env:A"}`,
		"a ref that is no text": `{"ref":{"ref":"Hush4711"}}`,
		"an empty ref":          `{"ref":""}`,
		"a ref given twice":     `{"ref":"env:A","ref":"env:B"}`,
		"a null ref":            `{"ref":null}`,
	} {
		t.Run("refuses "+name, func(t *testing.T) {
			t.Parallel()
			s := hawser.NewSecret("before")
			err := json.Unmarshal([]byte(text), &s)
			require.Error(t, err)
			assert.NotContains(t, err.Error(), "4711")
			assert.Equal(t, "before", s.Reveal(), "an error must change nothing")
		})
	}
	t.Run("says what is wrong with the mask", func(t *testing.T) {
		t.Parallel()
		var s hawser.Secret
		require.ErrorContains(t, json.Unmarshal([]byte(`"***"`), &s), "the mask *** is not a secret")
	})
}

func TestSecretsIterator(t *testing.T) {
	t.Parallel()
	t.Run("yields every secret that is set, by its stored name", func(t *testing.T) {
		t.Parallel()
		var c hawser.Connection
		given := literals(&c)
		got := map[string]string{}
		for name, secret := range c.Secrets() {
			got[name] = secret.Reveal()
		}
		given["extra_secrets.ours.key"] = given["extra_secrets"]
		delete(given, "extra_secrets")
		require.Equal(t, given, got)
	})
	t.Run("yields none where none is set", func(t *testing.T) {
		t.Parallel()
		c := hawser.Connection{ExtraSecrets: map[string]hawser.Secret{"a.b": {}}}
		for name := range c.Secrets() {
			t.Errorf("yielded %s", name)
		}
	})
	t.Run("what is assigned is in the connection, and not in its copies", func(t *testing.T) {
		t.Parallel()
		var c hawser.Connection
		literals(&c)
		before := c
		for _, secret := range c.Secrets() {
			*secret = hawser.NewSecret("new")
		}
		for name, secret := range c.Secrets() {
			assert.Equal(t, "new", secret.Reveal(), name)
		}
		for name, secret := range before.Secrets() {
			assert.NotEqual(t, "new", secret.Reveal(), name)
		}
	})
	t.Run("ends where the loop ends", func(t *testing.T) {
		t.Parallel()
		var c hawser.Connection
		literals(&c)
		for stop := 1; stop < 10; stop++ {
			n := 0
			for range c.Secrets() {
				if n++; n == stop {
					break
				}
			}
			require.Equal(t, stop, n)
		}
	})
}

var errFake = errors.New("fake failure")
