package hawser_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestConnectionJSONRoundTrip(t *testing.T) {
	t.Parallel()
	roundTrip := func(t *testing.T, c hawser.Connection) string {
		t.Helper()
		b, err := json.Marshal(c)
		require.NoError(t, err)
		got := hawser.Connection{Name: "before", Revision: "before", Extra: map[string]string{"a.b": "before"}}
		require.NoError(t, json.Unmarshal(b, &got), "%s", b)
		requireSame(t, c, got)
		require.Empty(t, got.Revision)
		return string(b)
	}
	t.Run("with every field set", func(t *testing.T) {
		t.Parallel()
		text := roundTrip(t, full())
		for _, l := range leaves() {
			last := l.name[strings.LastIndexByte(l.name, '.')+1:]
			assert.Contains(t, text, `"`+last+`":`)
		}
	})
	t.Run("with no field set", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, `{"name":"","protocol":"","host":""}`, roundTrip(t, hawser.Connection{}))
	})
	for _, l := range leaves() {
		t.Run("with "+l.name+" alone", func(t *testing.T) {
			t.Parallel()
			var c hawser.Connection
			l.fill(&c)
			roundTrip(t, c)
		})
	}
}

func TestConnectionMarshalJSON(t *testing.T) {
	t.Parallel()
	t.Run("writes what is set, in the order of its definition", func(t *testing.T) {
		t.Parallel()
		c := valid(ftp)
		c.Timeout, c.Limits.Idle = 45*time.Second, 90*time.Minute
		b, err := json.Marshal(c)
		require.NoError(t, err)
		require.Equal(t, `{"name":"bank","protocol":"ftp","host":"bank.example.com","timeout":"45s",`+
			`"auth":{"user":"jobs","password":"***"},"limits":{"idle":"1h30m0s"}}`, string(b))
	})
	t.Run("writes neither Hops nor Revision", func(t *testing.T) {
		t.Parallel()
		b, err := json.Marshal(hawser.Connection{Hops: []hawser.Connection{full()}, Revision: "7"})
		require.NoError(t, err)
		require.Equal(t, `{"name":"","protocol":"","host":""}`, string(b))
	})
	t.Run("masks a literal of every secret field, and reading refuses each mask", func(t *testing.T) {
		t.Parallel()
		for name := range literalsByName() {
			var c hawser.Connection
			literals(&c)
			for n, secret := range c.Secrets() {
				if n != name {
					*secret = hawser.SecretRef("env:X")
				}
			}
			b, err := json.Marshal(c)
			require.NoError(t, err)
			require.Equal(t, 1, strings.Count(string(b), `"***"`), "%s: %s", name, b)
			requireFieldError(t, json.Unmarshal(b, new(hawser.Connection)), name, "the mask *** is not a secret")
		}
	})
}

// literalsByName is what literals gives, by the names that Secrets yields.
func literalsByName() map[string]string {
	var c hawser.Connection
	literals(&c)
	found := map[string]string{}
	for name, secret := range c.Secrets() {
		found[name] = secret.Reveal()
	}
	return found
}

func TestConnectionUnmarshalJSONRefuses(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, text, field, problem string }{
		{"what is no object", `[]`, "", "want an object"},
		{"null", `null`, "", "want an object"},
		{"a field that is misspelt", `{"hots":"x"}`, "hots", `unknown field; did you mean "host"?`},
		{"a field in another case", `{"Host":"x"}`, "Host", `did you mean "host"?`},
		{"a group that is misspelt", `{"tsl":{}}`, "tsl", `did you mean "tls"?`},
		{"a field of a group that is misspelt", `{"tls":{"mod":"none"}}`, "tls.mod", `did you mean "tls.mode"?`},
		{"a field of a group within a group that is misspelt", `{"auth":{"key":{"flie":"x"}}}`, "auth.key.flie", `did you mean "auth.key.file"?`},
		{"a group within a group that is misspelt", `{"auth":{"kye":{}}}`, "auth.kye", `did you mean "auth.key"?`},
		{"a field that is like none", `{"hush4711":"x"}`, "hush4711", "unknown field"},
		{"Hops, which are never stored", `{"hops":[]}`, "hops", "unknown field"},
		{"Revision, which is never stored", `{"revision":"7"}`, "revision", "unknown field"},
		{"the name of a field that is not stored", `{"-":"7"}`, "-", "unknown field"},
		{"an empty name", `{"":"7"}`, "", "unknown field"},
		{"a field given twice", `{"host":"a","host":"b"}`, "host", "given twice"},
		{"a group given twice", `{"auth":{},"auth":{}}`, "auth", "given twice"},
		{"a field of a group given twice", `{"auth":{"user":"a","user":"b"}}`, "auth.user", "given twice"},
		{"an extra key given twice", `{"extra":{"a.b":"x","a.b":"y"}}`, "extra.a.b", "given twice"},
		{"an extra secret given twice", `{"extra_secrets":{"a.b":"4711","a.b":"4711"}}`, "extra_secrets.a.b", "given twice"},
		{"null for a text", `{"host":null}`, "host", "null is not a value; leave the field out"},
		{"null for a group", `{"auth":null}`, "auth", "want an object"},
		{"null for a secret", `{"auth":{"password":null}}`, "auth.password", "null is not a value"},
		{"null for a list", `{"tls":{"allow":null}}`, "tls.allow", "null is not a value"},
		{"null in a list", `{"tls":{"allow":["expired",null]}}`, "tls.allow[1]", "null is not a value"},
		{"null for an extra value", `{"extra":{"a.b":null}}`, "extra.a.b", "null is not a value"},
		{"null for an extra secret", `{"extra_secrets":{"a.b":null}}`, "extra_secrets.a.b", "null is not a value"},
		{"a number for a text", `{"host":4711}`, "host", "want text in quotes"},
		{"a text for a group", `{"auth":"hush4711"}`, "auth", "want an object"},
		{"a list for a group", `{"auth":["hush4711"]}`, "auth", "want an object"},
		{"a text for a port", `{"port":"22"}`, "port", "want a port number, 1 to 65535"},
		{"a port that is too high", `{"port":65536}`, "port", "want a port number, 1 to 65535"},
		{"a negative port", `{"port":-1}`, "port", "want a port number, 1 to 65535"},
		{"a fraction for a whole number", `{"limits":{"sessions":1.5}}`, "limits.sessions", "want a whole number"},
		{"a text for true", `{"auth":{"agent":"true"}}`, "auth.agent", "want true or false"},
		{"a text for a list", `{"tls":{"allow":"expired"}}`, "tls.allow", "want a list of texts"},
		{"a number in a list", `{"tls":{"allow":[4711]}}`, "tls.allow[0]", "want text in quotes"},
		{"a list in a list", `{"ssh":{"host_keys":[["x"]]}}`, "ssh.host_keys[0]", "want text in quotes"},
		{"a list for extra", `{"extra":["a"]}`, "extra", "want an object of texts"},
		{"a number for an extra value", `{"extra":{"a.b":1}}`, "extra.a.b", "want text in quotes"},
		{"an object for an extra value", `{"extra":{"a":{"b":"1"}}}`, "extra.a", "want text in quotes"},
		{"a text for extra secrets", `{"extra_secrets":"hush4711"}`, "extra_secrets", "want an object of secrets"},
		{"a number for an extra secret", `{"extra_secrets":{"a.b":4711}}`, "extra_secrets.a.b", `want a string or {"ref": "env:NAME"}`},
		{"a number for a secret", `{"auth":{"password":4711}}`, "auth.password", `want a string or {"ref": "env:NAME"}`},
		{"a list for a secret", `{"auth":{"password":["hush4711"]}}`, "auth.password", `want a string`},
		{"a secret with an unknown member", `{"auth":{"password":{"literal":"hush4711"}}}`, "auth.password", `want a string`},
		{"a secret within a secret", `{"auth":{"password":{"ref":{"ref":"hush4711"}}}}`, "auth.password", `want a string`},
		{"a group within a secret", `{"auth":{"password":{"auth":{"password":"hush4711"}}}}`, "auth.password", `want a string`},
		{"a number for a duration", `{"timeout":45}`, "timeout", `want a duration as text, such as "45s"`},
		{"a duration without a unit", `{"timeout":"45"}`, "timeout", "is not a duration"},
		{"an object for a duration", `{"limits":{"idle":{"s":1}}}`, "limits.idle", "want a duration as text"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got := hawser.Connection{Host: "before"}
			err := json.Unmarshal([]byte(row.text), &got)
			requireFieldError(t, err, row.field, row.problem)
			if row.field != "hush4711" {
				assert.NotContains(t, err.Error(), "4711", "quotes a value")
			}
			assert.Equal(t, "before", got.Host, "an error must change nothing")
		})
	}
}

func TestConnectionUnmarshalJSONEscapesNamesInErrors(t *testing.T) {
	t.Parallel()
	err := json.Unmarshal([]byte(`{"a\n\u001b[2J":"x"}`), new(hawser.Connection))
	require.EqualError(t, err, `a\n\x1b[2J: unknown field`)
}

func TestConnectionUnmarshalJSONRefusesBrokenText(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"nothing":                 ``,
		"an end in the middle":    `{"auth":{"password":"hush4711`,
		"an end after a value":    `{"host":"x"`,
		"a missing colon":         `{"host" "x"}`,
		"a comma too many":        `{"host":"x",}`,
		"a number as name":        `{4711:"x"}`,
		"text after it":           `{"host":"x"} hush4711`,
		"another value after it":  `{"host":"x"}{"host":"hush4711"}`,
		"a brace after it":        `{"host":"x"}}`,
		"the wrong brace":         `{"auth":{]}`,
		"a value without a name":  `{"hush4711"}`,
		"a secret without quotes": `{"auth":{"password":hush4711}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for how, unmarshal := range map[string]func([]byte, *hawser.Connection) error{
				"by json.Unmarshal": func(b []byte, c *hawser.Connection) error { return json.Unmarshal(b, c) },
				"by the method":     func(b []byte, c *hawser.Connection) error { return c.UnmarshalJSON(b) },
			} {
				c := hawser.Connection{Host: "before"}
				err := unmarshal([]byte(text), &c)
				require.Error(t, err, how)
				assert.NotContains(t, err.Error(), "4711", how)
				assert.Equal(t, "before", c.Host, how)
			}
		})
	}
}

func TestConnectionUnmarshalJSONBoundsNesting(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat(`{"auth":`, 100_000) + "1" + strings.Repeat("}", 100_000)
	require.Error(t, json.Unmarshal([]byte(deep), new(hawser.Connection)))
	require.Error(t, new(hawser.Connection).UnmarshalJSON([]byte(deep)))
	lists := `{"tls":{"allow":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}}`
	require.Error(t, new(hawser.Connection).UnmarshalJSON([]byte(lists)))
}

// FuzzUnmarshalConnection asks that whatever is read is written and read again
// as the same, but for literals, which are masked and refused then.
func FuzzUnmarshalConnection(f *testing.F) {
	all, err := json.Marshal(full())
	require.NoError(f, err)
	f.Add(all)
	for _, text := range []string{
		`{}`, `{"name":"a","timeout":"1h","port":1}`, `{"auth":{"password":"x"}}`, `{"auth":{"password":{"ref":"env:X"}}}`,
		`{"extra":{"a.b":"c"},"extra_secrets":{"a.b":{"ref":"x"},"":""}}`, `{"tls":{"allow":[]}}`, `{"name":"\ud800"}`,
		`{"host":"x","host":"y"}`, `{"limits":{"sessions":9223372036854775807}}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var c hawser.Connection
		if json.Unmarshal(b, &c) != nil {
			return
		}
		hide(&c)
		text, err := json.Marshal(c)
		require.NoError(t, err)
		var again hawser.Connection
		require.NoError(t, json.Unmarshal(text, &again), "%s", text)
		requireSame(t, c, again)
		second, err := json.Marshal(again)
		require.NoError(t, err)
		require.Equal(t, string(text), string(second))
	})
}

// hide makes a reference of every literal secret of c.
func hide(c *hawser.Connection) {
	n := 0
	for _, secret := range c.Secrets() {
		if n++; secret.Reveal() != "" {
			*secret = hawser.SecretRef(fmt.Sprint("env:S", n))
		}
	}
}
