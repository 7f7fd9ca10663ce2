package seal_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/registry/seal"
)

func TestAKeyFileIsMadeAtFirstUse(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key")
	s, header := opened(t, seal.KeyFile(path), seal.Header{})
	assert.True(t, strings.HasPrefix(header.Recipient, "age1"))
	assert.Equal(t, header.Recipient, s.Recipient())
	assert.Empty(t, header.Wrapped)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Regexp(t, `^# created: .*\n# public key: `+header.Recipient+`\nAGE-SECRET-KEY-1.*\n$`, string(text))
	if runtime.GOOS != "windows" {
		info, err := os.Stat(path)
		require.NoError(t, err)
		assert.EqualValues(t, 0o600, info.Mode().Perm())
	}
	b, err := s.Marshal(bank(), nil)
	require.NoError(t, err)
	again, same := opened(t, seal.KeyFile(path), header)
	assert.Equal(t, header, same)
	_, err = again.Unmarshal(b)
	require.NoError(t, err)
}

func TestOneKeyFileIsMadeByMany(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key")
	var wg sync.WaitGroup
	recipients := make([]string, 8)
	for i := range recipients {
		wg.Go(func() {
			_, header, err := seal.KeyFile(path).Open(t.Context(), seal.Header{})
			assert.NoError(t, err)
			recipients[i] = header.Recipient
		})
	}
	wg.Wait()
	for _, recipient := range recipients {
		assert.Equal(t, recipients[0], recipient)
	}
}

func TestAMissingKeyFileThatIsNeededIsNotMade(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key")
	_, header := opened(t, newKey(t), seal.Header{})
	_, _, err := seal.KeyFile(path).Open(t.Context(), header)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, "the registry is sealed to "+header.Recipient+" and needs the file back")
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	assert.Empty(t, entries)
}

func TestAKeyFileThatOthersMayReadIsRefused(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("skipped: Windows has no such permissions")
	}
	path := filepath.Join(t.TempDir(), "key")
	opened(t, seal.KeyFile(path), seal.Header{})
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620, 0o660} {
		require.NoError(t, os.Chmod(path, mode))
		_, _, err := seal.KeyFile(path).Open(t.Context(), seal.Header{})
		require.ErrorContains(t, err, "; run: chmod 600 "+path)
	}
	require.NoError(t, os.Chmod(path, 0o400))
	opened(t, seal.KeyFile(path), seal.Header{})
}

func TestAKeyFileOfSeveralIdentitiesOpensByTheRightOne(t *testing.T) {
	t.Parallel()
	first, second := newIdentity(t), newIdentity(t)
	path := filepath.Join(t.TempDir(), "key")
	text := "# old\r\n" + first.String() + "\r\n\r\n# new\r\n" + second.String()
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	want := seal.Header{Recipient: second.Recipient().String()}
	_, got := opened(t, seal.KeyFile(path), want)
	assert.Equal(t, want, got)
	_, got = opened(t, seal.KeyFile(path), seal.Header{})
	assert.Equal(t, first.Recipient().String(), got.Recipient)
}

func TestAKeyThatIsNoneIsRefusedWithoutQuotingIt(t *testing.T) {
	t.Parallel()
	good := newIdentity(t).String()
	for name, row := range map[string]struct{ text, want string }{
		"empty":      {"", "the identity is empty"},
		"comments":   {"# nothing\n", "there is no identity"},
		"misspelt":   {"# x\n" + good[:30] + "B" + good[31:] + "x", "line 2 is not an age X25519 identity"},
		"other text": {"hunter2 hunter2", "line 1 is not an age X25519 identity"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := seal.Identity(hawser.NewSecret(row.text)).Open(t.Context(), seal.Header{})
			require.ErrorContains(t, err, row.want)
			assert.NotContains(t, err.Error(), "hunter2")
			assert.NotContains(t, err.Error(), good[20:30])
		})
	}
	_, _, err := seal.Identity(hawser.SecretRef("env:KEY")).Open(t.Context(), seal.Header{})
	require.ErrorContains(t, err, "the identity is the reference env:KEY; resolve it first")
	_, _, err = seal.Passphrase(hawser.Secret{}).Open(t.Context(), seal.Header{})
	require.ErrorContains(t, err, "the passphrase is empty")
}

func TestAnotherKeyIsToldFromTheRightOne(t *testing.T) {
	t.Parallel()
	_, header := opened(t, newKey(t), seal.Header{})
	other := newIdentity(t)
	_, _, err := seal.Identity(hawser.NewSecret(other.String())).Open(t.Context(), header)
	require.ErrorIs(t, err, seal.ErrKey)
	require.ErrorContains(t, err, header.Recipient)
	require.ErrorContains(t, err, other.Recipient().String())

	path := filepath.Join(t.TempDir(), "key")
	opened(t, seal.KeyFile(path), seal.Header{})
	_, _, err = seal.KeyFile(path).Open(t.Context(), header)
	require.ErrorIs(t, err, seal.ErrKey)
	_, _, err = seal.Passphrase(hawser.NewSecret("a passphrase")).Open(t.Context(), header)
	require.ErrorIs(t, err, seal.ErrKey)
	require.ErrorContains(t, err, "not a passphrase")
}

func TestAPassphrase(t *testing.T) {
	t.Parallel()
	key := seal.Passphrase(hawser.NewSecret("a passphrase"))
	s, header := opened(t, key, seal.Header{})
	assert.True(t, strings.HasPrefix(header.Wrapped, "-----BEGIN AGE ENCRYPTED FILE-----\n"))
	assert.NotContains(t, header.Wrapped, "\r")
	b, err := s.Marshal(bank(), nil)
	require.NoError(t, err)

	t.Run("opens the registry again", func(t *testing.T) {
		t.Parallel()
		again, same := opened(t, seal.Passphrase(hawser.NewSecret("a passphrase")), header)
		assert.Equal(t, header, same)
		c, err := again.Unmarshal(b)
		require.NoError(t, err)
		assert.True(t, c.Auth.Password.Equal(hawser.NewSecret(literal)))
	})
	t.Run("makes another identity for another registry", func(t *testing.T) {
		t.Parallel()
		_, other := opened(t, seal.Passphrase(hawser.NewSecret("a passphrase")), seal.Header{})
		assert.NotEqual(t, header.Recipient, other.Recipient)
	})
	t.Run("that is wrong is refused", func(t *testing.T) {
		t.Parallel()
		_, _, err := seal.Passphrase(hawser.NewSecret("another")).Open(t.Context(), header)
		require.ErrorIs(t, err, seal.ErrKey)
		require.ErrorContains(t, err, header.Recipient)
		assert.NotContains(t, err.Error(), "another")
	})
	t.Run("whose header was mixed up is refused", func(t *testing.T) {
		t.Parallel()
		mixed := header
		mixed.Recipient = newIdentity(t).Recipient().String()
		_, _, err := seal.Passphrase(hawser.NewSecret("a passphrase")).Open(t.Context(), mixed)
		require.ErrorIs(t, err, seal.ErrKey)
	})
	t.Run("whose header is damaged says so", func(t *testing.T) {
		t.Parallel()
		for _, wrapped := range []string{"\x1b", header.Wrapped[:len(header.Wrapped)/2]} {
			_, _, err := key.Open(t.Context(), seal.Header{Recipient: header.Recipient, Wrapped: wrapped})
			require.ErrorContains(t, err, "the wrapped key in the stored header is damaged")
			assert.NotContains(t, err.Error(), "\x1b")
		}
		_, _, err := key.Open(t.Context(), seal.Header{Wrapped: header.Wrapped})
		require.ErrorContains(t, err, "no recipient")
	})
}

func TestOpenWithAnEndedContextFails(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, key := range []*seal.Key{nil, newKey(t), seal.KeyFile(filepath.Join(t.TempDir(), "key"))} {
		_, _, err := key.Open(ctx, seal.Header{})
		require.ErrorIs(t, err, context.Canceled)
	}
}

func TestAHeaderIsStoredByTheseNames(t *testing.T) {
	t.Parallel()
	b, err := json.Marshal(seal.Header{Recipient: "age1x", Wrapped: "y"})
	require.NoError(t, err)
	assert.JSONEq(t, `{"recipient":"age1x","wrapped":"y"}`, string(b))
	b, err = json.Marshal(seal.Header{})
	require.NoError(t, err)
	assert.JSONEq(t, `{}`, string(b))
}
