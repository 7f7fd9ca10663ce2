package hawsertest

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func registryWriteRules() []rule[*registry] {
	return []rule[*registry]{
		{"Put stores the connection whole", "jobs run with what was stored: every field counts", putWhole},
		{"Put stores a copy", "a caller that goes on changing its connection must not change the stored one", putCopies},
		{"Put of a new connection needs a new name", "revision \"\" says that nobody else has made this name; ErrConflict says somebody has", putNew},
		{"Put with the stored revision replaces", "compare-and-swap is how two editors do not undo each other", putCurrent},
		{"Put with an old revision matches ErrConflict", "the change of somebody else must not be lost", putStale},
		{"Put with AnyRevision overwrites or creates", "imports and restores do not care what is stored", putAny},
		{"Put refuses what is not valid", "a broken connection is found when it is saved, not at night when a job opens it", putInvalid},
		{"Put never stores Hops", "hops are filled in at each open, else a change of the jump host is not followed", putHops},
		{"a literal secret is kept or refused, never lost", "a mask stored in its place locks everybody out, and nobody notices until then", putLiteral},
		{"one of many concurrent Puts wins", "a compare and a swap in two steps let both writers through", putRace},
		{"Delete removes the connection of that revision", "what was changed meanwhile must not be removed unseen", deleteCurrent},
		{"Delete of a missing name matches ErrNotFound", "callers tell a misspelt name from a registry that is down", deleteMissing},
		{"Delete without a revision matches ErrInvalid", "a forgotten revision must not mean any", deleteEmpty},
		{"an ended context ends Put and Delete", "the error is the context's own, and nothing has changed", writeEnded},
	}
}

// writer returns a Writer that holds connections of these names.
func (r *registry) writer(names ...string) (hawser.Registry, hawser.Writer) {
	r.Helper()
	reg := r.holding(names...)
	w, ok := reg.(hawser.Writer)
	if !ok {
		r.Skipf("skipped: %T is no hawser.Writer", reg)
	}
	return reg, w
}

func (r *registry) lookup(reg hawser.Registry, name string) hawser.Connection {
	r.Helper()
	return must(reg.Lookup(r.Context(), name))(r, "Lookup of "+name)
}

func putWhole(r *registry) {
	reg, w := r.writer()
	put, err := w.Put(r.Context(), sample("bank"))
	require.NoError(r, err, "Put of a new connection")
	sameConnection(r, sample("bank"), put)
	sameConnection(r, sample("bank"), r.lookup(reg, "bank"))
	assert.NotEmpty(r, put.Revision, "the revision that Put returns")
	assert.Equal(r, put.Revision, r.lookup(reg, "bank").Revision, "Lookup and Put give different revisions")
	assert.Equal(r, []string{"bank"}, namesOf(r, reg), "All after Put")
}

func putCopies(r *registry) {
	reg, w := r.writer()
	c := sample("bank")
	put, err := w.Put(r.Context(), c)
	require.NoError(r, err)
	spoil(c)
	spoil(put)
	sameConnection(r, sample("bank"), r.lookup(reg, "bank"))
}

func putNew(r *registry) {
	reg, w := r.writer("bank")
	c := sample("bank")
	c.Host = "other.example.com"
	_, err := w.Put(r.Context(), c)
	assert.ErrorIs(r, err, hawser.ErrConflict, "Put without a revision of a name that is there")
	sameConnection(r, sample("bank"), r.lookup(reg, "bank"))
}

func putCurrent(r *registry) {
	reg, w := r.writer("bank")
	c := r.lookup(reg, "bank")
	first := c.Revision
	require.NotEmpty(r, first, "the revision of a stored connection")
	c.Host, c.Extra = "new.example.com", nil
	put, err := w.Put(r.Context(), c)
	require.NoError(r, err, "Put with the stored revision")
	assert.NotEqual(r, first, put.Revision, "the revision after a change")
	sameConnection(r, c, r.lookup(reg, "bank"))
	put.Host = "newer.example.com"
	_, err = w.Put(r.Context(), put)
	assert.NoError(r, err, "Put with the revision that Put returned")
}

func putStale(r *registry) {
	reg, w := r.writer("bank")
	old := r.lookup(reg, "bank")
	changed := old.Clone()
	changed.Host = "new.example.com"
	_, err := w.Put(r.Context(), changed)
	require.NoError(r, err)
	_, err = w.Put(r.Context(), old)
	assert.ErrorIs(r, err, hawser.ErrConflict, "Put with a revision that is no longer stored")
	sameConnection(r, changed, r.lookup(reg, "bank"))
	gone := old.Clone()
	gone.Name = "gone"
	_, err = w.Put(r.Context(), gone)
	assert.ErrorIs(r, err, hawser.ErrConflict, "Put with a revision of a name that is not there")
	assert.Equal(r, []string{"bank"}, namesOf(r, reg), "All after a refused Put")
}

func putAny(r *registry) {
	reg, w := r.writer("bank")
	for _, name := range []string{"bank", "new"} {
		c := sample(name)
		c.Host, c.Revision = "new.example.com", hawser.AnyRevision
		put, err := w.Put(r.Context(), c)
		require.NoError(r, err, "Put of %q with AnyRevision", name)
		assert.NotContains(r, []string{"", hawser.AnyRevision}, put.Revision, "the revision that Put returns")
		sameConnection(r, c, r.lookup(reg, name))
	}
}

func putInvalid(r *registry) {
	reg, w := r.writer("bank")
	nameless, hostless := sample(""), sample("new")
	hostless.Host = ""
	broken := r.lookup(reg, "bank")
	broken.Timeout = -1
	for what, c := range map[string]hawser.Connection{"no name": nameless, "no host": hostless, "a negative timeout": broken} {
		_, err := w.Put(r.Context(), c)
		assert.ErrorIs(r, err, hawser.ErrInvalid, "Put of a connection with %s", what)
	}
	assert.Equal(r, []string{"bank"}, namesOf(r, reg), "All after refused Puts")
	sameConnection(r, sample("bank"), r.lookup(reg, "bank"))
}

func putHops(r *registry) {
	reg, w := r.writer()
	c := sample("bank")
	c.Via, c.Hops = "gate", []hawser.Connection{sample("gate")}
	c.FTP.Mode = hawser.Auto // which may do without active data, as it has to here
	put, err := w.Put(r.Context(), c)
	require.NoError(r, err, "Put of a connection with Hops")
	assert.Empty(r, put.Hops, "the hops that Put returns")
	got := r.lookup(reg, "bank")
	assert.Empty(r, got.Hops, "the hops that Lookup returns")
	assert.Equal(r, "gate", got.Via, "Via")
}

func putLiteral(r *registry) {
	const literal = "correct horse battery staple"
	reg, w := r.writer()
	c := sample("bank")
	c.Auth.Password = hawser.NewSecret(literal)
	if _, err := w.Put(r.Context(), c); err != nil {
		assert.NotContains(r, err.Error(), literal, "the refusal shows the secret")
		_, err := reg.Lookup(r.Context(), "bank")
		assert.ErrorIs(r, err, hawser.ErrNotFound, "Lookup after a refused Put")
		return
	}
	got := r.lookup(reg, "bank").Auth.Password
	assert.True(r, got.Equal(c.Auth.Password), "Put took a literal secret and Lookup gave another")
}

func putRace(r *registry) {
	reg, w := r.writer("bank")
	for range 20 {
		var won atomic.Int32
		c := r.lookup(reg, "bank")
		err := each(8, 8, func(i int) error {
			mine := c.Clone()
			mine.Port = c.Port + uint16(i) + 1
			_, err := w.Put(r.Context(), mine)
			if err == nil {
				won.Add(1)
			} else if !errors.Is(err, hawser.ErrConflict) {
				return err
			}
			return nil
		})
		require.NoError(r, err, "a Put that lost gave no ErrConflict")
		require.EqualValues(r, 1, won.Load(), "Puts that won, of eight with one revision")
	}
}

func deleteCurrent(r *registry) {
	reg, w := r.writer("bank", "shop", "other")
	old := r.lookup(reg, "bank")
	changed := old.Clone()
	changed.Host = "new.example.com"
	changed, err := w.Put(r.Context(), changed)
	require.NoError(r, err)
	assert.ErrorIs(r, w.Delete(r.Context(), "bank", old.Revision), hawser.ErrConflict, "Delete with an old revision")
	sameConnection(r, changed, r.lookup(reg, "bank"))
	assert.NoError(r, w.Delete(r.Context(), "bank", changed.Revision), "Delete with the stored revision")
	assert.NoError(r, w.Delete(r.Context(), "shop", hawser.AnyRevision), "Delete with AnyRevision")
	assert.Equal(r, []string{"other"}, namesOf(r, reg), "All after Delete")
	_, err = reg.Lookup(r.Context(), "bank")
	assert.ErrorIs(r, err, hawser.ErrNotFound, "Lookup after Delete")
}

func deleteMissing(r *registry) {
	reg, w := r.writer("bank")
	for _, revision := range []string{hawser.AnyRevision, r.lookup(reg, "bank").Revision} {
		assert.ErrorIs(r, w.Delete(r.Context(), "bnak", revision), hawser.ErrNotFound, "Delete(%q, %q)", "bnak", revision)
	}
}

func deleteEmpty(r *registry) {
	reg, w := r.writer("bank")
	assert.ErrorIs(r, w.Delete(r.Context(), "bank", ""), hawser.ErrInvalid, "Delete without a revision")
	assert.Equal(r, []string{"bank"}, namesOf(r, reg), "All after a refused Delete")
}

func writeEnded(r *registry) {
	reg, w := r.writer("bank")
	_, err := w.Put(ended(r.Context()), sample("new"))
	assert.ErrorIs(r, err, context.Canceled, "Put with an ended context")
	err = w.Delete(ended(r.Context()), "bank", hawser.AnyRevision)
	assert.ErrorIs(r, err, context.Canceled, "Delete with an ended context")
	assert.Equal(r, []string{"bank"}, namesOf(r, reg), "All afterwards")
}
