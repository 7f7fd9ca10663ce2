package hawser_test

import (
	"bytes"
	"encoding/base64"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"html/template"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"
	texttemplate "text/template"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// literals gives every secret field of c a literal of its own and returns them
// by field. It finds the fields by reflection.
func literals(c *hawser.Connection) map[string]string {
	given := map[string]string{}
	secret := func(field string) hawser.Secret {
		given[field] = "Hush" + strings.NewReplacer(".", "", "_", "").Replace(field) + "4711"
		return hawser.NewSecret(given[field])
	}
	for _, l := range leaves() {
		switch v := l.in(c); v.Interface().(type) {
		case hawser.Secret:
			v.Set(reflect.ValueOf(secret(l.name)))
		case map[string]hawser.Secret:
			v.Set(reflect.ValueOf(map[string]hawser.Secret{"ours.key": secret(l.name)}))
		}
	}
	return given
}

// loaded is a Connection with a literal in every secret field, of itself and of
// a hop.
func loaded() (hawser.Connection, map[string]string) {
	var hop hawser.Connection
	c := valid(hawser.FTP)
	given := literals(&c)
	for field, text := range literals(&hop) {
		given["hops."+field] = text
	}
	c.Hops = []hawser.Connection{hop}
	return c, given
}

// requireNoSecret looks for each literal in text: plain, reversed into bytes,
// in base64 and in hex.
func requireNoSecret(t testing.TB, given map[string]string, text string) {
	t.Helper()
	for field, literal := range given {
		raw := []byte(literal)
		forms := map[string]string{
			"plain": literal, "hex": hex.EncodeToString(raw), "HEX": fmt.Sprintf("%X", raw),
			"spaced hex": fmt.Sprintf("% x", raw), "bytes": strings.Trim(fmt.Sprint(raw), "[]"),
			"Go bytes": strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", raw), "[]byte{"), "}"),
			"base64":   base64.StdEncoding.EncodeToString(raw), "base64url": base64.URLEncoding.EncodeToString(raw),
			"raw base64": base64.RawStdEncoding.EncodeToString(raw), "raw base64url": base64.RawURLEncoding.EncodeToString(raw),
		}
		for form, leak := range forms {
			require.False(t, strings.Contains(text, leak), "%s leaks in %s form: %s", field, form, text)
		}
	}
}

// holders are the values of every type within a Connection that can hold a
// secret, found by reflection, by the name of the type and in every shape that
// a caller may print.
func holders(c hawser.Connection) map[string]any {
	found := map[string]any{}
	collect(reflect.ValueOf(c), found)
	shapes := map[string]any{}
	for name, value := range found {
		v := reflect.ValueOf(value)
		pointer := reflect.New(v.Type())
		pointer.Elem().Set(v)
		slice := reflect.MakeSlice(reflect.SliceOf(v.Type()), 0, 1)
		shapes[name] = value
		shapes["*"+name] = pointer.Interface()
		shapes["[]"+name] = reflect.Append(slice, v).Interface()
		shapes["[]*"+name] = []any{pointer.Interface()}
		shapes["map of "+name] = map[string]any{"k": value}
		shapes["exported field of "+name] = struct{ Value any }{value}
		shapes["unexported field of "+name] = struct{ value any }{value}
		shapes["unexported pointer to "+name] = &struct{ value any }{pointer.Interface()}
		shapes["error with "+name] = fmt.Errorf("wrapped: %w", fmt.Errorf("%v and %#v", value, pointer.Interface()))
		shapes["error holding "+name] = holdingError{value}
	}
	shapes["unexported Connection"] = struct{ c hawser.Connection }{c}
	shapes["unexported Secret"] = struct{ s hawser.Secret }{c.Auth.Password}
	shapes["unexported *Secret"] = struct{ s *hawser.Secret }{&c.Auth.Password}
	shapes["unexported map of Secret"] = struct{ m map[string]hawser.Secret }{c.ExtraSecrets}
	shapes["Memory"] = hawser.NewMemory(c)
	shapes["Manager"] = &hawser.Manager{Registry: hawser.NewMemory(c)}
	shapes["Report"] = hawser.Report{Name: c.Name, Err: fmt.Errorf("%+v", c)}
	return shapes
}

// holdingError is what a careless driver might return.
type holdingError struct{ value any }

func (e holdingError) Error() string { return fmt.Sprintf("cannot use %v", e.value) }

// collect finds the structs below v that hold a Secret, and the Secret itself.
func collect(v reflect.Value, found map[string]any) bool {
	if secret, ok := v.Interface().(hawser.Secret); ok {
		found["Secret"] = secret
		return true
	}
	holds := false
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			holds = collect(v.Field(i), found) || holds
		}
		if holds {
			found[v.Type().Name()] = v.Interface()
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			holds = collect(v.MapIndex(key), found) || holds
		}
		if holds {
			found["map[string]Secret"] = v.Interface()
		}
	case reflect.Slice:
		for i := range v.Len() {
			if v.Index(i).Kind() == reflect.Struct && v.Index(i).Type() != reflect.TypeFor[hawser.Connection]() {
				holds = collect(v.Index(i), found) || holds
			}
		}
	}
	return holds
}

func TestSecretsNeverLeak(t *testing.T) {
	t.Parallel()
	c, given := loaded()
	values := holders(c)

	t.Run("every type that can hold one is found", func(t *testing.T) {
		t.Parallel()
		for _, name := range []string{"Secret", "Connection", "Auth", "Key", "Certificate", "Proxy", "FTPOptions", "TLSOptions", "map[string]Secret"} {
			assert.Contains(t, values, name)
		}
		for _, field := range []string{
			"auth.password", "auth.token", "auth.key.content", "auth.key.passphrase", "tls.certificate.content",
			"tls.certificate.password", "proxy.password", "ftp.account", "extra_secrets", "hops.auth.password",
		} {
			assert.Contains(t, given, field)
		}
	})

	for way, show := range ways() {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			for shape, value := range values {
				requireNoSecret(t, given, shape+": "+show(value))
			}
		})
	}
	t.Run("in its URL", func(t *testing.T) {
		t.Parallel()
		requireNoSecret(t, given, c.URL())
	})
	t.Run("in what Validate says", func(t *testing.T) {
		t.Parallel()
		for _, protocol := range []hawser.Protocol{"", hawser.FTP, hawser.SFTP, hawser.SSH, hawser.SMTP, "ours"} {
			c := c.Clone()
			c.Protocol = protocol
			for _, secret := range c.Secrets() {
				*secret = hawser.NewSecret(secret.Reveal() + "\r\n")
			}
			requireNoSecret(t, given, fmt.Sprint(c.Validate()))
		}
	})
}

// ways are how a value comes to text, by name. One that refuses a value gives
// the text of its error.
func ways() map[string]func(any) string {
	all := map[string]func(any) string{
		"%+v as an error":   func(v any) string { return fmt.Errorf("%+v", v).Error() },
		"Println":           func(v any) string { return fmt.Sprintln(v, []any{v}) },
		"wrong verb":        func(v any) string { return fmt.Sprintf(strings.Clone("%!z(%z %*d"), v, v, v, v) },
		"slog text handler": func(v any) string { return logged(v, textHandler) },
		"slog JSON handler": func(v any) string { return logged(v, jsonHandler) },
		"encoding/json":     func(v any) string { return encoded(json.Marshal(v)) },
		"encoding/xml":      func(v any) string { return encoded(xml.Marshal(v)) },
		"encoding/gob": func(v any) string {
			var b bytes.Buffer
			err := gob.NewEncoder(&b).Encode(v)
			return encoded(b.Bytes(), err)
		},
		"text/template": func(v any) string {
			return executed(texttemplate.Must(texttemplate.New("").Parse(`{{.}} {{print .}} {{printf "%#v" .}}`)), v)
		},
		"html/template": func(v any) string {
			return executed(template.Must(template.New("").Parse(`{{.}}<script>{{.}}</script>`)), v)
		},
		"a diff of testify": func(v any) string {
			var seen capture
			assert.Equal(&seen, v, "other")
			assert.Equal(&seen, []any{v}, []any{[]any{v}})
			assert.ElementsMatch(&seen, []any{v}, []any{1})
			assert.Nil(&seen, v)
			assert.Contains(&seen, []any{v}, "other")
			return seen.text.String()
		},
	}
	for _, flag := range []string{"", "+", "#", "-", " ", "0", "+#", "20.3"} {
		for _, verb := range "vTtbcdoOqxXUeEfFgGsp" {
			format := "%" + flag + string(verb)
			all[format] = func(v any) string { return fmt.Sprintf(format, v) }
		}
	}
	return all
}

func encoded(b []byte, err error) string { return string(b) + fmt.Sprint(err) }

func executed(tmpl interface {
	Execute(w io.Writer, data any) error
}, v any,
) string {
	var b bytes.Buffer
	err := tmpl.Execute(&b, v)
	return encoded(b.Bytes(), err)
}

func textHandler(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) }
func jsonHandler(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) }

func logged(v any, handler func(*bytes.Buffer) slog.Handler) string {
	var b bytes.Buffer
	log := slog.New(handler(&b))
	log.Info("text", "value", v, slog.Group("group", "value", v))
	log.With("value", v).Info(fmt.Sprint(v))
	return b.String()
}

// capture is the T of an assertion that is to fail.
type capture struct{ text strings.Builder }

func (c *capture) Errorf(format string, args ...any) { fmt.Fprintf(&c.text, format, args...) }

// TestSecretsNeverLeakInPanics panics in a process of its own.
func TestSecretsNeverLeakInPanics(t *testing.T) {
	c, given := loaded()
	values := map[string]any{
		"Connection": c, "*Connection": &c, "Secret": c.Auth.Password, "Auth": c.Auth,
		"error": holdingError{c}, "text": fmt.Sprintf("%+v", c),
	}
	if which := os.Getenv("HAWSER_TEST_PANIC"); which != "" {
		panic(values[which])
	}
	for which := range values {
		t.Run(which, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0], "-test.run=^TestSecretsNeverLeakInPanics$")
			cmd.Env = append(os.Environ(), "HAWSER_TEST_PANIC="+which)
			out, err := cmd.CombinedOutput()
			require.Error(t, err)
			require.Contains(t, string(out), "panic: ")
			requireNoSecret(t, given, string(out))
		})
	}
}
