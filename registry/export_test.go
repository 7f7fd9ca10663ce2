package registry_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"iter"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/registry"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// many are connections with most kinds of field and odd names.
func many() []hawser.Connection {
	var conns []hawser.Connection
	for _, name := range []string{"a b", "bänk", `"'\`, "null", "*", "../x", "銀行", "50%", "a&b=c#d?", "#x", "<y>", "a\u2028b"} {
		c := conn(name, "h.example")
		c.Description, c.Port, c.Timeout = "two\nlines", 2222, 45*time.Second
		c.SSH.HostKeys = []string{"SHA256:" + strings.Repeat("A", 43), "SHA256:" + strings.Repeat("B", 42) + "A"}
		c.Extra = map[string]string{"x.y": " null "}
		c.ExtraSecrets = map[string]hawser.Secret{"x.pin": hawser.SecretRef("file:/run/a b")}
		conns = append(conns, c)
	}
	return conns
}

func texts(t *testing.T, conns iter.Seq[hawser.Connection]) []string {
	t.Helper()
	var texts []string
	for c := range conns {
		text, err := json.Marshal(c)
		require.NoError(t, err)
		texts = append(texts, string(text))
	}
	slices.Sort(texts)
	return texts
}

type format struct {
	name  string
	write func(w *bytes.Buffer, conns iter.Seq2[hawser.Connection, error]) ([]registry.Missing, error)
	read  func(text string) ([]hawser.Connection, error)
}

func formats() []format {
	return []format{
		{
			"URLs",
			func(w *bytes.Buffer, conns iter.Seq2[hawser.Connection, error]) ([]registry.Missing, error) {
				return registry.WriteURLs(w, conns)
			},
			func(text string) ([]hawser.Connection, error) { return registry.ReadURLs(strings.NewReader(text)) },
		},
		{
			"JSON",
			func(w *bytes.Buffer, conns iter.Seq2[hawser.Connection, error]) ([]registry.Missing, error) {
				return registry.WriteJSON(w, conns)
			},
			func(text string) ([]hawser.Connection, error) { return registry.ReadJSON(strings.NewReader(text)) },
		},
	}
}

func TestExportsAreReadAgain(t *testing.T) {
	t.Parallel()
	for _, f := range formats() {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			var b bytes.Buffer
			missing, err := f.write(&b, hawser.NewMemory(many()...).All(t.Context()))
			require.NoError(t, err)
			assert.Empty(t, missing)
			got, err := f.read(b.String())
			require.NoError(t, err)
			assert.Equal(t, texts(t, slices.Values(many())), texts(t, slices.Values(got)))
			for _, c := range got {
				assert.NoError(t, c.Validate())
			}
			got, err = f.read("\ufeff" + strings.ReplaceAll(b.String(), "\n", "\r\n"))
			require.NoError(t, err, "of Windows")
			assert.Len(t, got, len(many()))
		})
	}
}

func TestExportsOfNothing(t *testing.T) {
	t.Parallel()
	for _, f := range formats() {
		var b bytes.Buffer
		missing, err := f.write(&b, hawser.NewMemory().All(t.Context()))
		require.NoError(t, err, f.name)
		assert.Empty(t, missing)
		got, err := f.read(b.String())
		require.NoError(t, err, f.name)
		assert.Empty(t, got)
	}
}

func TestExportsLeaveLiteralSecretsOut(t *testing.T) {
	t.Parallel()
	c := conn("bank", "h")
	c.Auth.Password, c.Auth.Key.Content = hawser.NewSecret("hunter2"), hawser.NewSecret("hunter3")
	c.Auth.Key.Passphrase = hawser.SecretRef("env:KEY")
	c.ExtraSecrets = map[string]hawser.Secret{"x.pin": hawser.NewSecret("hunter4"), "x.puk": hawser.SecretRef("env:PUK")}
	reg := hawser.NewMemory(c)
	for _, f := range formats() {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			var b bytes.Buffer
			missing, err := f.write(&b, reg.All(t.Context()))
			require.NoError(t, err)
			assert.Equal(t, []registry.Missing{{"bank", "auth.key.content"}, {"bank", "auth.password"}, {"bank", "extra_secrets.x.pin"}}, missing)
			assert.NotContains(t, b.String(), "hunter")
			assert.NotContains(t, b.String(), "***")
			got, err := f.read(b.String())
			require.NoError(t, err)
			assert.Equal(t, "env:KEY", got[0].Auth.Key.Passphrase.Ref())
			assert.Equal(t, "env:PUK", got[0].ExtraSecrets["x.puk"].Ref())
			stored, err := reg.Lookup(t.Context(), "bank")
			require.NoError(t, err)
			assert.Equal(t, "hunter4", stored.ExtraSecrets["x.pin"].Reveal(), "the registry's own")
		})
	}
}

func TestExportsEndWithAnError(t *testing.T) {
	t.Parallel()
	for _, f := range formats() {
		var b bytes.Buffer
		_, err := f.write(&b, down().All(t.Context()))
		require.EqualError(t, err, "server is down", f.name)
	}
	full := errors.New("disk is full")
	_, err := registry.WriteURLs(failingWriter{full}, hawser.NewMemory(conn("a", "h")).All(t.Context()))
	require.ErrorIs(t, err, full)
	_, err = registry.WriteJSON(failingWriter{full}, hawser.NewMemory().All(t.Context()))
	require.ErrorIs(t, err, full)
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

func TestImportsAreBounded(t *testing.T) {
	t.Parallel()
	for _, f := range formats() {
		_, err := f.read(strings.Repeat("#", 16<<20+1))
		require.EqualError(t, err, "file is larger than 16 MiB", f.name)
	}
	_, err := registry.ReadJSON(iotest.ErrReader(errors.New("disk is gone")))
	require.EqualError(t, err, "disk is gone")
	_, err = registry.ReadURLs(iotest.ErrReader(errors.New("disk is gone")))
	require.EqualError(t, err, "disk is gone")
}

func FuzzReadURLs(f *testing.F) {
	f.Add("# x\nsftp://joe:pw@h:22?name=a&timeout=5s\n\nftps://u@[::1]?name=b&auth.password.ref=env:X\r\n")
	f.Fuzz(func(t *testing.T, text string) { reexport(t, formats()[0], text) })
}

func FuzzReadJSON(f *testing.F) {
	f.Add(`[{"name":"a","protocol":"sftp","host":"h","extra_secrets":{"x.y":{"ref":"env:X"}}},{"name":"b","auth":{"password":"x"}}]`)
	f.Fuzz(func(t *testing.T, text string) { reexport(t, formats()[1], text) })
}

// reexport writes what text is read as, and reads that again.
func reexport(t *testing.T, f format, text string) {
	conns, err := f.read(text)
	if err != nil {
		require.Empty(t, conns)
		return
	}
	var b bytes.Buffer
	_, err = f.write(&b, func(yield func(hawser.Connection, error) bool) {
		for _, c := range conns {
			if !yield(c, nil) {
				return
			}
		}
	})
	if err != nil {
		return // what a URL cannot hold again
	}
	again, err := f.read(b.String())
	require.NoError(t, err)
	require.Len(t, again, len(conns))
}
