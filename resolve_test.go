package hawser_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/require"
)

func TestLocalSecretsFromEnvironment(t *testing.T) {
	t.Setenv("HAWSER_TEST_SECRET", "hush")
	t.Setenv("HAWSER_TEST_EMPTY", "")
	got, err := hawser.LocalSecrets{}.ResolveSecret(t.Context(), "env:HAWSER_TEST_SECRET")
	require.NoError(t, err)
	require.Equal(t, "hush", got)
	_, err = hawser.LocalSecrets{}.ResolveSecret(t.Context(), "env:HAWSER_TEST_EMPTY")
	require.EqualError(t, err, `environment variable "HAWSER_TEST_EMPTY" is empty or not set`)
}

func TestLocalSecretsFromFile(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, content, want string }{
		{"without a line end", "hush", "hush"},
		{"with LF", "hush\n", "hush"},
		{"with CR LF", "hush\r\n", "hush"},
		{"with two line ends, of which one stays", "hush\n\n", "hush\n"},
		{"with spaces, which stay", " hush \n", " hush "},
		{"of many lines", "a\nb\n", "a\nb"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got, err := hawser.LocalSecrets{}.ResolveSecret(t.Context(), "file:"+tempFile(t, row.content))
			require.NoError(t, err)
			require.Equal(t, row.want, got)
		})
	}
	for name, content := range map[string]string{"an empty one": "", "a line end alone": "\r\n"} {
		t.Run("refuses "+name, func(t *testing.T) {
			t.Parallel()
			_, err := hawser.LocalSecrets{}.ResolveSecret(t.Context(), "file:"+tempFile(t, content))
			require.ErrorContains(t, err, "is empty")
		})
	}
	t.Run("refuses one that is larger than 1 MiB", func(t *testing.T) {
		t.Parallel()
		_, err := hawser.LocalSecrets{}.ResolveSecret(t.Context(), "file:"+tempFile(t, strings.Repeat("x", 1<<20+1)))
		require.ErrorContains(t, err, "is larger than 1 MiB")
	})
	t.Run("says what is missing", func(t *testing.T) {
		t.Parallel()
		_, err := hawser.LocalSecrets{}.ResolveSecret(t.Context(), "file:"+filepath.Join(t.TempDir(), "none"))
		require.ErrorIs(t, err, os.ErrNotExist)
	})
}

func TestLocalSecretsRefuses(t *testing.T) {
	t.Parallel()
	t.Run("a scheme that it does not know", func(t *testing.T) {
		t.Parallel()
		_, err := hawser.LocalSecrets{}.ResolveSecret(t.Context(), "vault:hush4711")
		require.EqualError(t, err, `unknown scheme "vault" in secret reference; this resolver knows env:NAME and file:/path`)
	})
	t.Run("a reference without a scheme, which it does not quote", func(t *testing.T) {
		t.Parallel()
		_, err := hawser.LocalSecrets{}.ResolveSecret(t.Context(), "hush4711")
		require.EqualError(t, err, "secret reference has no scheme; write env:NAME or file:/path")
	})
	t.Run("to work for an ended context", func(t *testing.T) {
		t.Parallel()
		_, err := hawser.LocalSecrets{}.ResolveSecret(canceled(t), "env:PATH")
		require.Error(t, err)
	})
}
