package hawsertest

import (
	"context"
	"fmt"

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
		{"Put with an old revision conflicts also after a Delete and a new Put", "an editor must never overwrite what it has not seen, by whatever way it came there", putReborn},
		{"Put of what is stored already succeeds", "saving a form that nobody changed is no error", putSame},
		{"a change of any field changes the revision", "a revision that leaves a field out lets one editor undo the other", putRevises},
		{"Put with AnyRevision overwrites or creates", "imports and restores do not care what is stored", putAny},
		{"Put refuses what is not valid", "a broken connection is found when it is saved, not at night when a job opens it", putInvalid},
		{"Put never stores Hops", "hops are filled in at each open, else a change of the jump host is not followed", putHops},
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
	w, ok := r.writerOf(reg)
	if !ok {
		r.SkipNow()
	}
	return reg, w
}

// writerOf returns reg as a Writer, and logs why where it is none. A wrapper of
// one that is none has the methods, and says ErrUnsupported.
func (r *registry) writerOf(reg hawser.Registry) (hawser.Writer, bool) {
	r.Helper()
	w, ok := reg.(hawser.Writer)
	if !ok {
		r.Logf("skipped: %T is no hawser.Writer", reg)
		return nil, false
	}
	return w, !unsupported(r, "Delete", w.Delete(r.Context(), "no such name", hawser.AnyRevision))
}

// put stores c, which must succeed.
func (r *registry) put(w hawser.Writer, c hawser.Connection) hawser.Connection {
	r.Helper()
	return must(w.Put(r.Context(), c))(r, fmt.Sprintf("Put of %.100q", c.Name))
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

func putReborn(r *registry) {
	reg, w := r.writer("bank")
	old := r.lookup(reg, "bank")
	require.NoError(r, w.Delete(r.Context(), "bank", old.Revision))
	again := sample("bank")
	again.Host, again.Auth.Password = "again.example.com", hawser.SecretRef("env:AGAIN")
	put := r.put(w, again)
	assert.NotEqual(r, old.Revision, put.Revision, "the revision of another connection of that name")
	_, err := w.Put(r.Context(), old)
	assert.ErrorIs(r, err, hawser.ErrConflict, "Put with the revision of a connection that was deleted")
	assert.ErrorIs(r, w.Delete(r.Context(), "bank", old.Revision), hawser.ErrConflict, "Delete with the revision of a connection that was deleted")
	sameConnection(r, again, r.lookup(reg, "bank"))
	// The same content once more may have the same revision, and no other may.
	require.NoError(r, w.Delete(r.Context(), "bank", put.Revision))
	r.put(w, sample("bank"))
	_, err = w.Put(r.Context(), put)
	assert.ErrorIs(r, err, hawser.ErrConflict, "Put with the revision of a connection that was deleted")
	sameConnection(r, sample("bank"), r.lookup(reg, "bank"))
}

func putSame(r *registry) {
	reg, w := r.writer("bank")
	c := r.lookup(reg, "bank")
	for range 2 {
		c = r.put(w, c)
		sameConnection(r, sample("bank"), c)
		sameConnection(r, sample("bank"), r.lookup(reg, "bank"))
		assert.Equal(r, c.Revision, r.lookup(reg, "bank").Revision, "Lookup and Put give different revisions")
	}
	c.Host = "new.example.com"
	assert.NotEqual(r, c.Revision, r.put(w, c).Revision, "the revision after a change")
}

func putRevises(r *registry) {
	_, w := r.writer()
	for _, backwards := range []bool{false, true} {
		c := r.put(w, filled("ours", backwards))
		for _, s := range settings() {
			changed := c.Clone()
			s.value(&changed).SetZero()
			if s.name == "name" || s.equal(c, changed) || changed.Validate() != nil {
				continue
			}
			put := r.put(w, changed)
			assert.NotEqual(r, c.Revision, put.Revision, "the revision after a change of %s alone", s.name)
			c = put
		}
	}
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
