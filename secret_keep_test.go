package hawser_test

import (
	"testing"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/require"
)

func TestWithSecretsOf(t *testing.T) {
	t.Parallel()
	stored := func() hawser.Connection {
		c := valid(ftp)
		c.Auth.Password = hawser.NewSecret("stored")
		c.FTP.Account = hawser.SecretRef("env:ACCOUNT")
		c.ExtraSecrets = map[string]hawser.Secret{"vendor.key": hawser.NewSecret("extra")}
		return c
	}
	shown := func() hawser.Connection { // what an editor without secrets gives back
		c := valid(ftp)
		c.Auth.Password = hawser.Secret{}
		return c
	}
	kept := func(t *testing.T, edited hawser.Connection, removed ...string) hawser.Connection {
		t.Helper()
		c, err := edited.WithSecretsOf(stored(), removed...)
		require.NoError(t, err)
		return c
	}
	t.Run("what was not touched is kept, and the rest is the editor's", func(t *testing.T) {
		t.Parallel()
		edited := shown()
		edited.Port, edited.Description = 2121, "moved"
		c := kept(t, edited)
		want := stored()
		want.Port, want.Description = 2121, "moved"
		require.True(t, want.Equivalent(c))
		require.Equal(t, "moved", c.Description)
		require.Equal(t, "env:ACCOUNT", c.FTP.Account.Ref())
		require.Equal(t, "extra", c.ExtraSecrets["vendor.key"].Reveal())
	})
	t.Run("the mask that an editor sends back is none", func(t *testing.T) {
		t.Parallel()
		edited := shown()
		edited.Auth.Password = hawser.NewSecret("***")
		edited.ExtraSecrets = map[string]hawser.Secret{"vendor.key": hawser.NewSecret("***"), "vendor.new": hawser.NewSecret("***")}
		c := kept(t, edited)
		require.Equal(t, "stored", c.Auth.Password.Reveal())
		require.Equal(t, "extra", c.ExtraSecrets["vendor.key"].Reveal())
		require.Len(t, c.ExtraSecrets, 1)
	})
	t.Run("a new one stays", func(t *testing.T) {
		t.Parallel()
		edited := shown()
		edited.Auth.Password = hawser.SecretRef("env:NEW")
		edited.ExtraSecrets = map[string]hawser.Secret{"vendor.key": hawser.NewSecret("new")}
		c := kept(t, edited)
		require.Equal(t, "env:NEW", c.Auth.Password.Ref())
		require.Equal(t, "new", c.ExtraSecrets["vendor.key"].Reveal())
	})
	t.Run("one that is removed is none", func(t *testing.T) {
		t.Parallel()
		edited := shown()
		edited.Auth.Password = hawser.NewSecret("typed and then removed")
		c := kept(t, edited, "auth.password", "extra_secrets.vendor.key", "auth.token")
		require.True(t, c.Auth.Password.IsZero())
		require.Empty(t, c.ExtraSecrets)
		require.Equal(t, "env:ACCOUNT", c.FTP.Account.Ref())
	})
	t.Run("what is no secret cannot be removed", func(t *testing.T) {
		t.Parallel()
		for name, text := range map[string]string{
			"auth.pasword":   `auth.pasword: is no secret; did you mean "auth.password"?`,
			"host":           "host: is no secret",
			"extra_secrets.": "extra_secrets.: is no secret",
		} {
			_, err := shown().WithSecretsOf(stored(), name)
			require.ErrorIs(t, err, hawser.ErrInvalid)
			require.ErrorContains(t, err, text)
		}
	})
	t.Run("a file takes the place of content", func(t *testing.T) {
		t.Parallel()
		before := valid(sftp)
		before.Auth.Key.Content, before.Auth.Key.Passphrase = hawser.NewSecret("pem"), hawser.NewSecret("phrase")
		before.TLS.Certificate.Content = hawser.NewSecret("pem")
		edited := valid(sftp)
		edited.Auth.Key.File, edited.TLS.Certificate.File = "/keys/id", "/keys/cert"
		c, err := edited.WithSecretsOf(before)
		require.NoError(t, err)
		require.True(t, c.Auth.Key.Content.IsZero())
		require.True(t, c.TLS.Certificate.Content.IsZero())
		require.Equal(t, "phrase", c.Auth.Key.Passphrase.Reveal())
	})
	t.Run("neither connection changes", func(t *testing.T) {
		t.Parallel()
		edited, before := shown(), stored()
		edited.ExtraSecrets = map[string]hawser.Secret{"vendor.new": hawser.NewSecret("n")}
		c, err := edited.WithSecretsOf(before)
		require.NoError(t, err)
		require.Len(t, c.ExtraSecrets, 2)
		require.Len(t, edited.ExtraSecrets, 1)
		require.Len(t, before.ExtraSecrets, 1)
		require.True(t, edited.Auth.Password.IsZero())
	})
}
