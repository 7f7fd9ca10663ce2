package hawsertest

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// follows bounds how long a registry may take to notice what another handle of
// its store changed. It may look at intervals; those of a test are short.
const follows = 5 * time.Second

// TestRegistryHandles checks several registries of one store, as those of
// several programs are: that each finds what the others put and deleted, secrets
// and all; that compare-and-swap holds between them and no change is lost; that a
// [hawser.Watcher] is told of the changes of others, and the Version of a
// [hawser.Versioner] has grown by then; and that closing one leaves the others.
// [TestRegistry] checks one by itself.
//
// open returns n Writers of one empty store, each opened as another program
// would, with the same key if it seals secrets. It is called for each rule.
// t.Cleanup is the place to close them, also where a rule closed one before.
func TestRegistryHandles(t *testing.T, open func(t *testing.T, n int) []hawser.Registry) {
	t.Helper()
	run(t, registryHandleRules(), func(t *testing.T) *handles {
		return &handles{registry: &registry{T: t}, several: open}
	})
}

// handles is the subject of the rules.
type handles struct {
	*registry
	several func(t *testing.T, n int) []hawser.Registry
}

// opened returns n handles, which may be Writers.
func (h *handles) opened(n int) ([]hawser.Registry, []hawser.Writer) {
	h.Helper()
	regs := h.several(h.T, n)
	require.Len(h, regs, n, "the handles that open returned")
	writers := make([]hawser.Writer, n)
	for i, reg := range regs {
		w, ok := h.writerOf(reg)
		require.True(h, ok, "%T is no hawser.Writer", reg)
		writers[i] = w
	}
	return regs, writers
}

func registryHandleRules() []rule[*handles] {
	return []rule[*handles]{
		{"what one handle puts and deletes the others find", "connections are global: every program follows", handlesFind},
		{"what one handle puts another may change", "revisions are of the store, not of the handle", handlesEdit},
		{"a revision that another handle replaced matches ErrConflict", "two editors sit at two programs", handlesConflict},
		{"of concurrent Puts through several handles one wins", "a lock of the handle is not one of the store", handlesRace},
		{"concurrent Puts through several handles all succeed", "a handle that writes back what it read before loses what others wrote", handlesMany},
		{"a watch tells of what another handle changed", "a change made elsewhere is what a watch is for", handlesTold},
		{"a watch by another handle ends with the last definition", "a change that is told before it can be read is never read", handlesLast},
		{"Version has grown when a watch tells of what another handle changed", "whoever keeps what was looked up asks for the Version alone", handlesVersion},
		{"closing a handle leaves the others", "one program ends, and the rest work on", handlesClose},
	}
}

// eventually calls check until it returns nil, or fails when that takes longer
// than follows.
func (h *handles) eventually(what string, check func() error) {
	h.Helper()
	var err error
	pause := time.NewTicker(10 * time.Millisecond)
	defer pause.Stop()
	for deadline := time.Now().Add(follows); time.Now().Before(deadline); <-pause.C {
		if err = check(); err == nil {
			return
		}
	}
	h.Fatalf("%s: still not after %v: %v", what, follows, err)
}

// finds waits until reg finds c.
func (h *handles) finds(reg hawser.Registry, c hawser.Connection) {
	h.Helper()
	h.eventually("a handle finds what another put", func() error {
		got, err := reg.Lookup(h.Context(), c.Name)
		if err == nil && got.Revision != c.Revision {
			return fmt.Errorf("found revision %q, want %q", got.Revision, c.Revision)
		}
		return err
	})
	sameConnection(h, c, h.lookup(reg, c.Name))
}

func handlesFind(h *handles) {
	regs, writers := h.opened(3)
	h.put(writers[2], tiny("other"))
	c := h.put(writers[0], sample("bank"))
	literal := withSecret("literal", hawser.NewSecret("correct horse battery staple"))
	if put, err := writers[0].Put(h.Context(), literal); err == nil {
		literal = put
	} else {
		h.Logf("skipped, because it keeps no literal secret: %v", err)
		literal = h.put(writers[0], withSecret("literal", hawser.SecretRef("env:LITERAL")))
	}
	for _, reg := range regs {
		h.finds(reg, c)
		h.finds(reg, literal)
	}
	require.NoError(h, writers[1].Delete(h.Context(), "bank", c.Revision))
	for _, reg := range regs {
		h.eventually("a handle misses what another deleted", func() error {
			if _, err := reg.Lookup(h.Context(), "bank"); !errors.Is(err, hawser.ErrNotFound) {
				return fmt.Errorf("after Delete: %w", err)
			}
			names, err := listNames(h.Context(), reg)
			if want := []string{"literal", "other"}; !slices.Equal(want, names) {
				return fmt.Errorf("yielded %q by All, want %q: %w", names, want, err)
			}
			return nil
		})
	}
}

func handlesEdit(h *handles) {
	regs, writers := h.opened(2)
	c := h.put(writers[0], sample("bank"))
	for i := range 4 {
		other := (i + 1) % 2
		h.finds(regs[other], c)
		c.Port, c.Description = uint16(3000+i), fmt.Sprint("edit ", i)
		c = h.put(writers[other], c)
	}
}

func handlesConflict(h *handles) {
	regs, writers := h.opened(2)
	old := h.put(writers[0], sample("bank"))
	h.finds(regs[1], old)
	changed := old.Clone()
	changed.Host = "new.example.com"
	changed = h.put(writers[1], changed)
	_, err := writers[0].Put(h.Context(), old) // at once, whatever it knows by now
	assert.ErrorIs(h, err, hawser.ErrConflict, "Put with the revision that another handle replaced")
	assert.ErrorIs(h, writers[0].Delete(h.Context(), "bank", old.Revision), hawser.ErrConflict, "Delete with the revision that another handle replaced")
	_, err = writers[0].Put(h.Context(), sample("bank"))
	assert.ErrorIs(h, err, hawser.ErrConflict, "Put of a new connection of a name that is there")
	for _, reg := range regs {
		h.finds(reg, changed)
	}
	require.NoError(h, writers[1].Delete(h.Context(), "bank", changed.Revision))
	_, err = writers[0].Put(h.Context(), changed)
	assert.ErrorIs(h, err, hawser.ErrConflict, "Put with the revision of what another handle deleted")
}

func handlesRace(h *handles) {
	regs, writers := h.opened(4)
	h.put(writers[0], sample("bank"))
	for range 10 {
		c := h.lookup(regs[0], "bank")
		h.eventually("every handle finds the last change", func() error {
			for _, reg := range regs {
				got, err := reg.Lookup(h.Context(), "bank")
				if err != nil {
					return err
				}
				if got.Revision != c.Revision {
					c = h.lookup(regs[0], "bank")
					return errors.New("another revision")
				}
			}
			return nil
		})
		h.oneWins(c, writers)
	}
}

func handlesMany(h *handles) {
	regs, writers := h.opened(4)
	names := h.putMany(writers)
	for _, reg := range regs {
		h.eventually("a handle lists what all put", func() error {
			got, err := listNames(h.Context(), reg)
			if err == nil && !slices.Equal(names, got) {
				return fmt.Errorf("yielded %q by All", got)
			}
			return err
		})
	}
}

func handlesTold(h *handles) {
	regs, writers := h.opened(2)
	h.put(writers[0], sample("bank"))
	h.put(writers[0], sample("gone"))
	watch := h.watchOf(regs[1])
	h.put(writers[0], tiny("new"))
	require.NoError(h, writers[0].Delete(h.Context(), "gone", hawser.AnyRevision))
	h.toldWithin(follows, watch, "new", "gone")
	sameConnection(h, tiny("new"), h.lookup(regs[1], "new"))
	_, err := regs[1].Lookup(h.Context(), "gone")
	assert.ErrorIs(h, err, hawser.ErrNotFound, "Lookup after the deletion was told")
}

func handlesLast(h *handles) {
	regs, writers := h.opened(2)
	h.put(writers[0], edition(0))
	watch := h.watchOf(regs[1])
	h.followsLast(regs[1], writers[0], watch)
}

func handlesVersion(h *handles) {
	regs, writers := h.opened(2)
	v, ok := regs[1].(hawser.Versioner)
	if !ok {
		h.Skipf("skipped: %T is no hawser.Versioner", regs[1])
	}
	for _, name := range []string{"a", "b", "c"} {
		watch := h.watchOf(regs[1]) // a new one, which tells of this change
		before := v.Version()
		h.put(writers[0], tiny(name))
		h.toldWithin(follows, watch, name)
		assert.Greater(h, v.Version(), before, "the Version when the watch told of %q", name)
	}
}

func handlesClose(h *handles) {
	regs, writers := h.opened(3)
	closer, ok := regs[0].(io.Closer)
	if !ok {
		h.Skipf("skipped: %T is no io.Closer", regs[0])
	}
	watch := h.watchOf(regs[1])
	require.NoError(h, closer.Close(), "Close of one handle")
	c := h.put(writers[2], sample("bank"))
	h.finds(regs[1], c)
	h.toldWithin(follows, watch, "bank")
}
