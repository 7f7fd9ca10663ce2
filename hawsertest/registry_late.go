package hawsertest

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func registryLateWatchRules() []rule[*registry] {
	return []rule[*registry]{
		{"a deletion is told once the name is gone", "whoever is told looks the name up, and must not go on with what was deleted", watchDeletes},
		{"whoever looks up what a watch tells ends with the last definition", "a change that is told before it can be read is never read", watchLast},
		{"a watch that nobody ranges over loses nothing and holds up nobody", "a buffer that is full either drops changes or blocks writers", watchSlow},
		{"a loop over a watch that was left loses nothing", "the next loop tells what came between, or an error says that the watch has ended", watchAgain},
		{"a watch leaves no goroutine behind its context", "also one that nobody ranged over, or that was left", watchLeaves},
		{"Close ends a watch with an error", "whoever waits for changes must learn that there will be none", watchCloses},
	}
}

func watchDeletes(r *registry) {
	reg, w, watch := r.watch("bank", "other")
	require.NoError(r, w.Delete(r.Context(), "bank", hawser.AnyRevision))
	r.told(watch, "bank")
	_, err := reg.Lookup(r.Context(), "bank")
	assert.ErrorIs(r, err, hawser.ErrNotFound, "Lookup after the deletion was told")
	assert.Equal(r, []string{"other"}, namesOf(r, reg), "All after the deletion was told")
}

func watchLast(r *registry) {
	reg, w, watch := r.watch("bank")
	r.followsLast(reg, w, watch)
}

// followsLast puts many editions, and checks that whoever looks up what watch
// tells ends with the last.
func (r *registry) followsLast(reg hawser.Registry, w hawser.Writer, watch changes) {
	r.Helper()
	const last = 30
	err := within(r, patience/4, "following a watch while another writes", func() error {
		return each(2, 2, func(i int) error {
			if i == 1 {
				return r.follow(reg, watch, edition(last))
			}
			for n := range last + 1 {
				if _, err := w.Put(r.Context(), edition(n)); err != nil {
					return err
				}
			}
			return nil
		})
	})
	assert.NoError(r, err)
}

// follow looks c's name up after each change that watch tells, until it finds c.
// The watch ends after patience.
func (r *registry) follow(reg hawser.Registry, watch changes, c hawser.Connection) error {
	found := uint16(0)
	for change, err := range watch {
		if err != nil {
			return fmt.Errorf("waiting for a change to port %d; after the last one the port was %d: %w", c.Port, found, err)
		}
		if change.Name != "" && change.Name != c.Name {
			continue
		}
		got, err := reg.Lookup(r.Context(), c.Name)
		if err != nil || got.Port == c.Port {
			return err
		}
		found = got.Port
	}
	return errSilent
}

func watchSlow(r *registry) {
	const many = 200
	reg, w, watch := r.watch()
	unread := r.watchOf(reg)
	names := make([]string, many)
	err := within(r, patience, "Puts while nobody ranges over the watches", func() error {
		for i := range names {
			names[i] = fmt.Sprint("name ", i)
			if _, err := w.Put(r.Context(), tiny(names[i])); err != nil {
				return err
			}
		}
		return w.Delete(r.Context(), names[0], hawser.AnyRevision)
	})
	require.NoError(r, err)
	r.told(watch, names...)
	r.put(w, tiny("last"))
	r.told(unread, append(names, "last")...)
}

func watchAgain(r *registry) {
	_, w, watch := r.watch()
	r.put(w, tiny("a"))
	r.put(w, tiny("b"))
	missing := map[string]bool{"a": true, "b": true}
	err := within(r, prompt, "the first loop over a watch", func() error { return until(watch, missing, 1) })
	require.NoError(r, err, "the first loop over a watch")
	r.put(w, tiny("c")) // nobody ranges now
	missing["c"] = true
	err = within(r, prompt, "the second loop over a watch, which has a change to tell", func() error { return until(watch, missing, 0) })
	assert.NotErrorIs(r, err, errSilent)
}

var errSilent = errors.New("the watch ended without an error")

// until ranges over watch until no more than left names are missing.
func until(watch changes, missing map[string]bool, left int) error {
	for change, err := range watch {
		delete(missing, change.Name)
		if change.Name == "" {
			clear(missing)
		}
		if err != nil || len(missing) <= left {
			return err
		}
	}
	return errSilent
}

func watchLeaves(r *registry) {
	reg, w := r.writer()
	warm, cancelWarm := context.WithCancel(r.Context()) // so that what a registry keeps for all watches is there
	_, err := r.watcher(reg).Watch(warm)
	cancelWarm()
	if unsupported(r, "Watch", err) {
		return
	}
	check := leaks(r)
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	var watches []changes
	for range 3 {
		watches = append(watches, must(r.watcher(reg).Watch(ctx))(r, "Watch"))
	}
	r.put(w, tiny("new"))
	r.told(watches[0], "new") // left in the middle
	cancel()
	err = within(r, prompt, "a watch whose context ended", func() (last error) {
		for _, err := range watches[1] {
			last = err
		}
		return last
	})
	assert.ErrorIs(r, err, context.Canceled, "the last error of a watch whose context ended")
	check()
}

func watchCloses(r *registry) {
	reg := r.holding("bank")
	closer, ok := reg.(io.Closer)
	if !ok {
		r.Skipf("skipped: %T is no io.Closer", reg)
	}
	watch := r.watchOf(reg)
	ranging := make(chan struct{})
	err := within(r, prompt, "a watch of a registry that was closed", func() error {
		done := make(chan error, 1)
		go func() { // ends with the watch, which ends after patience at the latest
			close(ranging)
			var last error
			for _, err := range watch {
				last = err
			}
			done <- last
		}()
		<-ranging
		if err := errors.Join(closer.Close(), closer.Close()); err != nil {
			return fmt.Errorf("one of two calls of Close: %w", err)
		}
		if err := <-done; err == nil {
			return errSilent
		}
		return nil
	})
	assert.NoError(r, err)
}
