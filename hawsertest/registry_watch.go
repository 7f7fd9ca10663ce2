package hawsertest

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func registryWatchRules() []rule[*registry] {
	return []rule[*registry]{
		{"no change after Watch is missed", "the subscription stands when Watch returns, also before anybody ranges over it", watchStands},
		{"a told change can be looked up", "whoever is told of a change looks it up at once, and must not find the old one", watchVisible},
		{"every watch is told", "two programs watch one registry", watchAll},
		{"the registry may be used inside a loop over a watch", "whoever is told of a change looks it up at once: no lock is held while yielding", watchReentrant},
		{"an ended context ends a watch", "a watch ends with the context's own error, also one that is waiting", watchEnds},
		{"Watch with an ended context fails", "the error is the context's own", watchEnded},
	}
}

type changes = iter.Seq2[hawser.Change, error]

// watch returns a registry that holds connections of these names, and a watch
// of it that ends after patience.
func (r *registry) watch(names ...string) (hawser.Registry, hawser.Writer, changes) {
	r.Helper()
	reg, w := r.writer(names...)
	return reg, w, r.watchOf(reg)
}

func (r *registry) watchOf(reg hawser.Registry) changes {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	r.Cleanup(cancel)
	watch, err := r.watcher(reg).Watch(ctx)
	if unsupported(r, "Watch", err) {
		r.SkipNow()
	}
	require.NoError(r, err, "Watch")
	return watch
}

func (r *registry) watcher(reg hawser.Registry) hawser.Watcher {
	r.Helper()
	w, ok := reg.(hawser.Watcher)
	if !ok {
		r.Skipf("skipped: %T is no hawser.Watcher", reg)
	}
	return w
}

// told ranges over watch until each of names was told, by its name or by the
// empty one, and fails if that does not happen.
func (r *registry) told(watch changes, names ...string) {
	r.Helper()
	r.toldWithin(prompt, watch, names...)
}

func (r *registry) toldWithin(limit time.Duration, watch changes, names ...string) {
	r.Helper()
	err := within(r, limit, fmt.Sprintf("the watch, for the changes of %.200q", names), func() error {
		missing := map[string]bool{}
		for _, name := range names {
			missing[name] = true
		}
		for change, err := range watch {
			delete(missing, change.Name)
			if err != nil || change.Name == "" || len(missing) == 0 {
				return err
			}
		}
		return errSilent
	})
	require.NoError(r, err, "the watch, for the changes of %.200q", names)
}

func watchStands(r *registry) {
	_, w, watch := r.watch("gone", "changed")
	c := sample("changed")
	c.Revision, c.Port = hawser.AnyRevision, 2222
	require.NoError(r, w.Delete(r.Context(), "gone", hawser.AnyRevision))
	must(w.Put(r.Context(), sample("new")))(r, "Put")
	must(w.Put(r.Context(), c))(r, "Put")
	r.told(watch, "gone", "new", "changed")
}

func watchVisible(r *registry) {
	reg, w, watch := r.watch()
	must(w.Put(r.Context(), sample("new")))(r, "Put")
	r.told(watch, "new")
	sameConnection(r, sample("new"), r.lookup(reg, "new"))
}

func watchAll(r *registry) {
	reg, w, first := r.watch()
	second := r.watchOf(reg)
	must(w.Put(r.Context(), sample("new")))(r, "Put")
	r.told(second, "new")
	r.told(first, "new")
}

func watchReentrant(r *registry) {
	reg, w, watch := r.watch()
	must(w.Put(r.Context(), sample("new")))(r, "Put")
	err := within(r, prompt, "Lookup and Put inside the loop", func() error {
		for change, err := range watch {
			if err != nil {
				return err
			}
			c, err := reg.Lookup(r.Context(), "new")
			if err != nil {
				return fmt.Errorf("after %+v: %w", change, err)
			}
			c.Port++
			_, err = w.Put(r.Context(), c)
			return err
		}
		return errSilent
	})
	assert.NoError(r, err)
}

func watchEnds(r *registry) {
	reg := r.holding("bank")
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	watch, err := r.watcher(reg).Watch(ctx)
	if unsupported(r, "Watch", err) {
		return
	}
	require.NoError(r, err, "Watch")
	// Most likely it waits by then; it must end either way.
	time.AfterFunc(20*time.Millisecond, cancel)
	err = within(r, prompt, "a watch whose context ended", func() error {
		var last error
		for _, err := range watch {
			last = err
		}
		return last
	})
	assert.ErrorIs(r, err, context.Canceled, "the last error of a watch whose context ended")
}

func watchEnded(r *registry) {
	watch, err := r.watcher(r.holding()).Watch(ended(r.Context()))
	if unsupported(r, "Watch", err) {
		return
	}
	assert.ErrorIs(r, err, context.Canceled, "Watch with an ended context")
	assert.Nil(r, watch, "what Watch returns beside an error")
}
