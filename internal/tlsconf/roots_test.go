package tlsconf_test

import (
	"encoding/pem"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testcert"
	"github.com/hawser/hawser/internal/tlsconf"
)

func rootsOf(t testing.TB, text string) (hawser.Connection, string) {
	t.Helper()
	path := testcert.File(t, "roots.pem", []byte(text))
	return hawser.Connection{Host: "localhost", TLS: hawser.TLSOptions{Roots: path}}, path
}

func TestRoots(t *testing.T) {
	t.Parallel()
	one, two := testcert.Root(t), testcert.Root(t)
	both, key := string(testcert.PEM(one, two)), string(testcert.KeyPEM(t, one))
	for name, text := range map[string]string{
		"one after another":          both,
		"with text around":           "# our authorities\n" + both + "\nend\n",
		"with line ends of Windows":  strings.ReplaceAll(both, "\n", "\r\n"),
		"behind a byte order mark":   "\xef\xbb\xbf" + both,
		"among blocks of other kind": key + both,
	} {
		t.Run("are read "+name, func(t *testing.T) {
			t.Parallel()
			c, _ := rootsOf(t, text)
			pool, err := tlsconf.Roots(c)
			require.NoError(t, err)
			require.True(t, testcert.Pool(one, two).Equal(pool))
		})
	}
	t.Run("are the system's if none are named", func(t *testing.T) {
		t.Parallel()
		pool, err := tlsconf.Roots(hawser.Connection{})
		require.NoError(t, err)
		require.Nil(t, pool)
	})
	broken := func(p *testcert.Pair) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.Cert.Raw[:40]}))
	}
	for name, row := range map[string]struct{ text, want string }{
		"is empty":                    {"", "holds no certificate"},
		"holds a key alone":           {key, "holds no certificate"},
		"is no PEM":                   {"hello", "holds no certificate"},
		"is DER":                      {string(one.Cert.Raw), "is DER; want PEM"},
		"has a certificate cut short": {broken(one) + both, "certificate 1 of it is not readable"},
		"has a second one cut short":  {both + broken(one), "certificate 3 of it is not readable"},
		"has damaged base64":          {strings.Replace(both, "\nMII", "\n?II", 1), "is damaged: 2 certificates begin in it, 1 can be read"},
		"ends too early":              {strings.TrimSpace(both)[:len(both)-10], "is damaged: 2 certificates begin in it, 1 can be read"},
	} {
		t.Run("are refused from a file that "+name, func(t *testing.T) {
			t.Parallel()
			c, path := rootsOf(t, row.text)
			_, err := tlsconf.Roots(c)
			require.ErrorIs(t, err, hawser.ErrInvalid)
			require.ErrorContains(t, err, "tls.roots: ")
			require.ErrorContains(t, err, row.want)
			require.ErrorContains(t, err, filepath.Base(path))
			require.NotContains(t, err.Error(), key)
			_, err = tlsconf.New(c, tlsconf.Options{})
			require.ErrorContains(t, err, row.want)
		})
	}
	t.Run("are refused from a file that is not there", func(t *testing.T) {
		t.Parallel()
		c := hawser.Connection{TLS: hawser.TLSOptions{Roots: filepath.Join(t.TempDir(), "x.pem")}}
		_, err := tlsconf.Roots(c)
		require.ErrorIs(t, err, fs.ErrNotExist)
		require.ErrorContains(t, err, "tls.roots: ")
	})
	t.Run("are refused from a file without end", func(t *testing.T) {
		t.Parallel()
		if _, err := os.Stat("/dev/zero"); err != nil {
			t.Skip(err)
		}
		_, err := tlsconf.Roots(hawser.Connection{TLS: hawser.TLSOptions{Roots: "/dev/zero"}})
		require.ErrorContains(t, err, "tls.roots: ")
		require.ErrorContains(t, err, "is larger than 4 MiB")
	})
}

func FuzzRoots(f *testing.F) {
	one := testcert.Root(f)
	f.Add(testcert.PEM(one))
	f.Add(one.Cert.Raw)
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----"))
	f.Fuzz(func(t *testing.T, text []byte) {
		pool, fault := tlsconf.ParseRoots(text)
		require.Equal(t, fault == "", pool != nil)
		require.Equal(t, fault, hawser.Printable(fault))
	})
}
