package hawsertest

import (
	"context"
	"fmt"
	"sync"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func registryVersionRules() []rule[*registry] {
	return []rule[*registry]{
		{"Version has grown when Put or Delete returns", "whoever keeps what was looked up asks for the Version alone, and else serves what was replaced", versionGrows},
		{"Version has grown when each of many Puts returns", "a count without a lock loses a change", versionRace},
		{"what is looked up at the last Version is the last definition", "a Version that grows before its change can be looked up keeps the old one for ever", versionLast},
	}
}

// versioner returns a Writer that is a Versioner too, and holds connections of
// these names.
func (r *registry) versioner(names ...string) (hawser.Registry, hawser.Writer, hawser.Versioner) {
	r.Helper()
	reg, w := r.writer(names...)
	v, ok := reg.(hawser.Versioner)
	if !ok {
		r.Skipf("skipped: %T is no hawser.Versioner", reg)
	}
	return reg, w, v
}

func versionGrows(r *registry) {
	reg, w, v := r.versioner("bank")
	before := v.Version()
	grown := func(what string) {
		r.Helper()
		now := v.Version()
		assert.Greater(r, now, before, "the Version when %s returned", what)
		before = now
	}
	c := r.put(w, tiny("new"))
	grown("Put of a new connection")
	c.Host = "other.example.com"
	c = r.put(w, c)
	grown("Put of a change")
	c.Description, c.Revision = "any", hawser.AnyRevision
	r.put(w, c)
	grown("Put with AnyRevision")
	require.NoError(r, w.Delete(r.Context(), "new", hawser.AnyRevision))
	grown("Delete")
	require.NoError(r, w.Delete(r.Context(), "bank", r.lookup(reg, "bank").Revision))
	grown("Delete with a revision")
	r.put(w, sample("bank"))
	grown("Put of what was deleted")
}

func versionRace(r *registry) {
	_, w, v := r.versioner()
	err := each(8, 64, func(i int) error {
		before := v.Version()
		if _, err := w.Put(r.Context(), tiny(fmt.Sprint("job ", i))); err != nil {
			return err
		}
		if now := v.Version(); now <= before {
			return fmt.Errorf("the Version was %d before Put and %d after it", before, now)
		}
		return nil
	})
	assert.NoError(r, err)
}

// observed is the oldest definition that was looked up at each Version.
type observed struct {
	mu   sync.Mutex // guards port
	port map[uint64]uint16
}

func (o *observed) look(ctx context.Context, reg hawser.Registry, v hawser.Versioner) error {
	version := v.Version()
	c, err := reg.Lookup(ctx, "bank")
	if now := v.Version(); now < version {
		return fmt.Errorf("the Version was %d and then %d", version, now)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if port, ok := o.port[version]; !ok || c.Port < port {
		o.port[version] = c.Port
	}
	return err
}

func versionLast(r *registry) {
	reg, w, v := r.versioner()
	r.put(w, edition(0))
	o := observed{port: map[uint64]uint16{}}
	after := map[uint64]uint16{} // what was stored when Put returned at that Version
	err := beside(func() error {
		for n := range 50 {
			c, err := w.Put(r.Context(), edition(n))
			if err != nil {
				return err
			}
			after[v.Version()] = c.Port
		}
		return nil
	}, func() error { return o.look(r.Context(), reg, v) })
	require.NoError(r, err)
	for version, port := range after {
		if found, ok := o.port[version]; ok {
			assert.GreaterOrEqual(r, found, port, "the port that was looked up at Version %d, which is still the one after Put", version)
		}
	}
}
