package sql

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/leak"
	"github.com/hawser/hawser/registry/seal"
)

func TestFilesHoldNoSecret(t *testing.T) {
	t.Parallel()
	secrets := []string{"correct horse battery staple", "another secret, of the past", "and one that was deleted"}
	p := newPlace(t, wal)
	r := p.open(t, Options{Key: newKey(t)})
	for _, secret := range secrets {
		c := withPassword("bank", secret)
		c.ExtraSecrets = map[string]hawser.Secret{"ours.pin": hawser.NewSecret(secret)}
		c.Revision = hawser.AnyRevision
		_, err := r.Put(t.Context(), c)
		require.NoError(t, err)
	}
	require.NoError(t, r.Delete(t.Context(), "bank", hawser.AnyRevision))
	files, err := filepath.Glob(p.name + "*")
	require.NoError(t, err)
	require.Len(t, files, 3, "the database, its log and the index of that")
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, secret := range secrets {
			for _, form := range leak.Forms(secret) {
				assert.False(t, bytes.Contains(content, []byte(form)), "%s holds %q", filepath.Base(file), form)
			}
		}
	}
}

func TestWrongKey(t *testing.T) {
	t.Parallel()
	p, key := newPlace(t, wal), newKey(t)
	early := p.open(t, Options{Key: newKey(t)}) // while nothing is sealed yet
	r := p.open(t, Options{Key: key})
	c, err := r.Put(t.Context(), withPassword("bank", "correct horse battery staple"))
	require.NoError(t, err)
	t.Run("is refused by Open", func(t *testing.T) {
		other := newKey(t)
		newPlace(t, wal).open(t, Options{Key: other}) // which makes the file
		_, err := Open(t.Context(), p.handle(t), Options{Dialect: SQLite, Key: other})
		assert.ErrorIs(t, err, seal.ErrKey)
	})
	t.Run("that another process made one is found out", func(t *testing.T) {
		_, err := early.Lookup(t.Context(), "bank")
		assert.ErrorIs(t, err, seal.ErrKey)
		_, err = early.Put(t.Context(), withPassword("shop", "secret of the shop"))
		assert.ErrorIs(t, err, seal.ErrKey)
		assert.NotContains(t, err.Error(), "secret of the shop")
		for _, err = range early.All(t.Context()) {
			assert.ErrorIs(t, err, seal.ErrKey)
		}
	})
	t.Run("changes nothing", func(t *testing.T) {
		got, err := r.Lookup(t.Context(), "bank")
		require.NoError(t, err)
		assert.Equal(t, c.Revision, got.Revision)
		assert.Equal(t, "correct horse battery staple", got.Auth.Password.Reveal())
	})
}

// A process with an old passphrase, whose jobs look things up, must stop nobody.
func TestAWrongPassphraseHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	p := newPlace(t, wal)
	old := p.open(t, Options{Key: seal.Passphrase(hawser.NewSecret("old"))}) // nothing is sealed yet
	r := p.open(t, Options{Key: seal.Passphrase(hawser.NewSecret("new"))})
	fill(t, r, withPassword("bank", "p"))
	old.keys.turn <- struct{}{} // as if a lookup opened the key now, and for long
	ctx, cancel := context.WithCancel(t.Context())
	waiting := make(chan error)
	go func() {
		_, err := old.Put(ctx, sample("shop"))
		waiting <- err
	}()
	for n := range 3 {
		fill(t, r, sample(fmt.Sprint(n)))
	}
	cancel()
	require.ErrorIs(t, <-waiting, context.Canceled)
	<-old.keys.turn
	_, err := old.Lookup(t.Context(), "bank")
	require.ErrorIs(t, err, seal.ErrKey)
	old.keys.turn <- struct{}{}
	_, err = old.Lookup(t.Context(), "bank") // which remembers, and so need not wait
	require.ErrorIs(t, err, seal.ErrKey)
	_, err = old.Put(t.Context(), sample("shop"))
	require.ErrorIs(t, err, seal.ErrKey)
}

// Each process that opens an empty registry makes a key of its own from the
// passphrase, and all but one have to give it up.
func TestPassphraseOfManyProcesses(t *testing.T) {
	t.Parallel()
	p := newPlace(t, wal)
	regs := make([]*Registry, 2)
	for i := range regs {
		regs[i] = p.open(t, Options{Key: seal.Passphrase(hawser.NewSecret("open sesame"))})
	}
	var writing sync.WaitGroup
	for i, r := range regs {
		writing.Go(func() {
			_, err := r.Put(t.Context(), withPassword(fmt.Sprint(i), fmt.Sprint("secret of ", i)))
			assert.NoError(t, err)
		})
	}
	writing.Wait()
	for _, r := range regs {
		for i := range regs {
			c, err := r.Lookup(t.Context(), fmt.Sprint(i))
			require.NoError(t, err)
			assert.Equal(t, fmt.Sprint("secret of ", i), c.Auth.Password.Reveal())
		}
	}
}

func TestSecretsKeepTheirSealedText(t *testing.T) {
	t.Parallel()
	p := newPlace(t, wal)
	r, keyless := p.open(t, Options{Key: newKey(t)}), p.open(t, Options{})
	c, err := r.Put(t.Context(), withPassword("bank", "correct horse battery staple"))
	require.NoError(t, err)
	sealed, err := keyless.Lookup(t.Context(), "bank")
	require.NoError(t, err)
	c.Port = 2222
	_, err = r.Put(t.Context(), c)
	require.NoError(t, err)
	again, err := keyless.Lookup(t.Context(), "bank")
	require.NoError(t, err)
	assert.Equal(t, sealed.Auth.Password.Ref(), again.Auth.Password.Ref())
	again.Port = 2223 // an operator without the key
	_, err = keyless.Put(t.Context(), again)
	require.NoError(t, err)
	got, err := r.Lookup(t.Context(), "bank")
	require.NoError(t, err)
	assert.Equal(t, "correct horse battery staple", got.Auth.Password.Reveal())
}

func TestTablesThatWereEditedByHand(t *testing.T) {
	t.Parallel()
	for want, statement := range map[string]string{
		"secret in the clear": `UPDATE hawser_connections SET definition = '{"name":"bank","protocol":"sftp","host":"h","auth":{"user":"u","password":"in the clear"}}'`,
		"unknown field":       `UPDATE hawser_connections SET definition = '{"naem":"bank"}'`,
		"header of the key":   `UPDATE hawser_meta SET seal = 'x'`,
		"row of the table":    `DELETE FROM hawser_meta`,
	} {
		p := newPlace(t, wal)
		r := p.open(t, Options{Key: newKey(t)})
		fill(t, r, sample("bank"))
		_, err := p.handle(t).ExecContext(t.Context(), statement)
		require.NoError(t, err)
		_, err = r.Lookup(t.Context(), "bank")
		assert.ErrorContains(t, err, want)
		assert.False(t, errors.Is(err, hawser.ErrNotFound))
		assert.NotContains(t, err.Error(), "in the clear\"")
		var last error
		for _, last = range r.All(t.Context()) {
		}
		assert.ErrorContains(t, last, want)
	}
}
