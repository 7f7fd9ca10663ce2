package file_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/leak"
	"github.com/hawser/hawser/registry/file"
	"github.com/hawser/hawser/registry/seal"
)

// handWritten has two literal secrets.
var handWritten = lines(
	"# Mine.",
	"connections:",
	"  a: # first",
	"    protocol: smtp",
	"    host: h",
	"    auth:",
	"      user: acme",
	"      password: "+literal+" # secret",
	"  b: {protocol: smtp, host: h, auth: {user: acme, password: '"+literal+"'}}",
	"  c:",
	"    protocol: smtp # as is",
	"    host: h",
	"    auth: {user: acme, password: {ref: env:C}}",
)

// clear fails if a file of the directory of path holds the literal, also as base64.
func clear(t *testing.T, path string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.NotEmpty(t, entries)
	for _, entry := range entries {
		text := content(t, filepath.Join(filepath.Dir(path), entry.Name()))
		for _, form := range leak.Forms(literal) {
			assert.NotContains(t, text, form, entry.Name())
		}
	}
}

func TestASecretInTheClearIsRefused(t *testing.T) {
	t.Parallel()
	path := written(t, "r.yaml", handWritten)
	for _, key := range []*seal.Key{nil, newKey(t)} {
		_, err := file.Open(path, file.Options{Key: key})
		require.ErrorIs(t, err, hawser.ErrInvalid)
		const cure = "auth.password: is a secret in the clear; write {ref: env:NAME}, or seal all secrets of the file by file.Seal"
		require.ErrorContains(t, err, path+`:8:7: connection "a": `+cure)
		require.ErrorContains(t, err, path+`:9:51: connection "b": `+cure)
		assert.NotContains(t, err.Error(), literal)
		assert.NotContains(t, err.Error(), `"c"`)
	}
}

func TestSealSealsEachSecretInItsPlace(t *testing.T) {
	t.Parallel()
	path := written(t, "r.yaml", handWritten)
	key := newKey(t)
	_, err := file.Seal(t.Context(), path, file.Options{})
	require.ErrorContains(t, err, "there is no key")
	n, err := file.Seal(t.Context(), path, file.Options{Key: key})
	require.NoError(t, err)
	assert.Equal(t, 2, n)
	clear(t, path)
	assert.NoFileExists(t, path+".bak")
	got := strings.Split(content(t, path), "\n")
	assert.Equal(t, "seal:", got[1])
	assert.Regexp(t, `^  recipient: age1\w+$`, got[2])
	assert.Regexp(t, `^      password: \{ref: "?sealed:[\w/+=]+"?\} # secret$`, got[9])
	assert.Equal(t, strings.Split(handWritten, "\n")[9:], got[len(got)-5:], "what holds no secret stays as it is")

	r := open(t, path, file.Options{Key: key})
	for _, name := range []string{"a", "b"} {
		assert.True(t, lookup(t, r, name).Auth.Password.Equal(hawser.NewSecret(literal)))
	}
	before := content(t, path)
	n, err = file.Seal(t.Context(), path, file.Options{Key: key})
	require.NoError(t, err)
	assert.Zero(t, n)
	assert.Equal(t, before, content(t, path))
	_, err = file.Seal(t.Context(), path+".yaml", file.Options{Key: key})
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestSecretsAreNowhereInTheClear(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"r.yaml", "r.json"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := newPath(t, name)
			keyPath := newPath(t, "key")
			key := seal.KeyFile(keyPath)
			r := open(t, path, file.Options{Key: key})
			put(t, r, mail("plain", "h"))
			assert.NoFileExists(t, keyPath, "a key is made with the first secret")
			c := put(t, r, withPassword(mail("a", "h"), literal))
			assert.FileExists(t, keyPath)
			c.Port = 26
			c = put(t, r, c)
			sealed := lookup(t, open(t, path, file.Options{}), "a").Auth.Password.Ref()
			c.Port = 27
			put(t, r, c)
			assert.Equal(t, sealed, lookup(t, open(t, path, file.Options{}), "a").Auth.Password.Ref(), "an unchanged secret keeps its sealed text")
			assert.True(t, lookup(t, r, "a").Auth.Password.Equal(hawser.NewSecret(literal)))
			assert.FileExists(t, path+".bak")
			assert.FileExists(t, path+".lock")
			clear(t, path)
			again := open(t, path, file.Options{Key: seal.KeyFile(keyPath)})
			assert.True(t, lookup(t, again, "a").Auth.Password.Equal(hawser.NewSecret(literal)))
		})
	}
}

func TestAPassphraseKeepsItsKeyInTheFile(t *testing.T) {
	t.Parallel()
	path := newPath(t, "r.yaml")
	phrase := file.Options{Key: seal.Passphrase(hawser.NewSecret("open sesame"))}
	put(t, open(t, path, phrase), withPassword(mail("a", "h"), literal))
	clear(t, path)
	again := file.Options{Key: seal.Passphrase(hawser.NewSecret("open sesame"))}
	assert.True(t, lookup(t, open(t, path, again), "a").Auth.Password.Equal(hawser.NewSecret(literal)))
	before := content(t, path)
	_, err := file.Open(path, file.Options{Key: seal.Passphrase(hawser.NewSecret("wrong"))})
	require.ErrorIs(t, err, seal.ErrKey)
	assert.Equal(t, before, content(t, path))
}

func TestWithoutTheKeyAllElseCanBeEdited(t *testing.T) {
	t.Parallel()
	path, key := newPath(t, "r.yaml"), newKey(t)
	keyed := open(t, path, file.Options{Key: key})
	put(t, keyed, withPassword(mail("a", "h"), literal))
	keyless := open(t, path, file.Options{})
	c := lookup(t, keyless, "a")
	assert.True(t, seal.IsSealed(c.Auth.Password))
	c.Host = "new"
	put(t, keyless, c)
	assert.True(t, lookup(t, keyed, "a").Auth.Password.Equal(hawser.NewSecret(literal)))
	assert.Equal(t, "new", lookup(t, keyed, "a").Host)
	_, err := keyless.Put(t.Context(), withPassword(mail("b", "h"), literal))
	require.ErrorIs(t, err, hawser.ErrInvalid)
	require.ErrorContains(t, err, "no key to seal it with")
	assert.NotContains(t, err.Error(), literal)
}

func TestAWrongKeyOverwritesNothing(t *testing.T) {
	t.Parallel()
	path, other := newPath(t, "r.yaml"), newPath(t, "r.yaml")
	right := open(t, path, file.Options{Key: newKey(t)})
	put(t, right, withPassword(mail("a", "h"), literal))
	put(t, open(t, other, file.Options{Key: newKey(t)}), withPassword(mail("a", "h"), literal))
	before := content(t, other)

	missing := newPath(t, "key")
	for _, key := range []*seal.Key{newKey(t), seal.KeyFile(missing)} {
		_, err := file.Open(other, file.Options{Key: key})
		require.Error(t, err)
		require.ErrorContains(t, err, other+": ")
		_, err = file.Seal(t.Context(), other, file.Options{Key: key})
		require.NoError(t, err, "there is nothing to seal")
	}
	assert.NoFileExists(t, missing)
	assert.Equal(t, before, content(t, other))

	// The file becomes one of another key under an open registry.
	require.NoError(t, os.WriteFile(path, []byte(before), 0o600))
	_, err := right.Lookup(t.Context(), "a")
	require.ErrorIs(t, err, seal.ErrKey)
	for _, c := range []hawser.Connection{withPassword(mail("b", "h"), literal), mail("b", "h")} {
		_, err = right.Put(t.Context(), c)
		require.ErrorIs(t, err, seal.ErrKey)
	}
	require.ErrorIs(t, right.Delete(t.Context(), "a", hawser.AnyRevision), seal.ErrKey)
	assert.Equal(t, before, content(t, path))
}

func TestASecretOfAnotherFileIsRefused(t *testing.T) {
	t.Parallel()
	path, other, key := newPath(t, "r.yaml"), newPath(t, "r.yaml"), newKey(t)
	put(t, open(t, path, file.Options{Key: newKey(t)}), withPassword(mail("a", "h"), literal))
	foreign := lookup(t, open(t, path, file.Options{}), "a")
	foreign.Revision = ""
	r := open(t, other, file.Options{Key: key})
	_, err := r.Put(t.Context(), foreign)
	require.ErrorIs(t, err, seal.ErrKey)
	assert.NoFileExists(t, other)
	put(t, r, mail("b", "h"))

	// By hand, without its header and with one of another key.
	_, rest, _ := strings.Cut(content(t, path), "connections:")
	require.NoError(t, os.WriteFile(other, []byte("connections:"+rest), 0o600))
	_, err = r.Lookup(t.Context(), "a")
	require.ErrorIs(t, err, seal.ErrKey)
	require.ErrorContains(t, err, "the file does not say to which key")
}
