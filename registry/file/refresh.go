package file

import (
	"context"
	"maps"
	"os"
	"time"
)

const (
	// quiet is how long a file was not changed for that is taken for whole.
	// Editors that write in place have it empty, or half, for a moment.
	quiet = 25 * time.Millisecond
	// longQuiet is the same for a file that is broken, gone, or misses
	// connections.
	longQuiet = 250 * time.Millisecond
	// restless bounds the wait for a file that changes all the time.
	restless = time.Second
)

// current returns the state of the file now. The error is that of ctx, or of a
// Registry that is closed.
func (r *Registry) current(ctx context.Context) (*state, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := r.open(); err != nil {
		return nil, err
	}
	if s := r.state(); s.isOf(r.path) {
		return s, nil
	}
	if err := r.takeTurn(ctx); err != nil {
		return nil, err
	}
	defer r.endTurn()
	return r.refresh(ctx)
}

func (r *Registry) state() *state {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.cur
}

// isOf reports whether s is the state of the file at path still.
func (s *state) isOf(path string) bool {
	if s == nil || s.again {
		return false
	}
	info, err := os.Stat(path)
	if err != nil {
		info = nil // what is wrong shows when it is read
	}
	return s.sameFile(info) && (info != nil || os.IsNotExist(err) && s.missing())
}

// refresh reads the file if it changed, as soon as it is whole. It must be called
// in turn.
func (r *Registry) refresh(ctx context.Context) (*state, error) {
	before := r.state()
	if before.isOf(r.path) {
		return before, nil
	}
	var last sighting
	for begin := time.Now(); ; {
		last = last.next(read(r.path))
		if before != nil && !before.again && !last.moving && before.says(last.snapshot) {
			return r.install(before.seenAs(last.snapshot)), nil
		}
		patient := time.Since(begin) < restless
		if patient && last.age(before) < quiet && !last.missing() {
			if err := r.pause(ctx, quiet-last.age(before)); err != nil {
				return nil, err
			}
			continue
		}
		next, err := r.newState(ctx, last.snapshot, before)
		if err != nil {
			return nil, err
		}
		if patient && next.loses(before) && last.age(before) < longQuiet {
			if err := r.pause(ctx, quiet); err != nil {
				return nil, err
			}
			continue
		}
		return r.install(next), nil
	}
}

// A sighting is a snapshot that was first seen at a time.
type sighting struct {
	snapshot
	first time.Time
}

func (s sighting) next(now snapshot) sighting {
	if !s.first.IsZero() && !now.moving && s.sameFile(now.info) && s.says(now) {
		return sighting{snapshot: now, first: s.first}
	}
	return sighting{snapshot: now, first: time.Now()}
}

// age is how long the file has not changed, as far as is known: clocks of file
// servers differ from ours. A file that was different before and has the time of
// then is being changed: Linux truncates it first, and sets its time a moment later.
func (s sighting) age(before *state) time.Duration {
	age := time.Since(s.first)
	if s.info != nil && !s.moving && !s.hasTimeOf(before) {
		age = max(age, time.Since(s.info.ModTime()))
	}
	return age
}

func (s snapshot) hasTimeOf(before *state) bool {
	return before != nil && before.info != nil && os.SameFile(s.info, before.info) && s.info.ModTime().Equal(before.info.ModTime())
}

// pause waits for d.
func (r *Registry) pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-r.closed:
		return r.errClosed()
	case <-t.C:
		return nil
	}
}

// loses reports whether s is worse than before in a way that a file is which is
// being written.
func (s *state) loses(before *state) bool {
	if before == nil {
		return false
	}
	for name := range before.conns {
		if _, ok := s.conns[name]; !ok {
			return true
		}
	}
	return s.err != nil && before.err == nil
}

// seenAs returns s for a file that was found to say the same.
func (s *state) seenAs(now snapshot) *state {
	same := *s
	same.snapshot = now
	return &same
}

// install makes next the state, and tells who watches what is different.
func (r *Registry) install(next *state) *state {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.cur
	r.cur = next
	switch {
	case before == nil:
		return next
	case before.err != nil || next.err != nil:
		if message(before.err) != message(next.err) {
			r.version.Add(1)
			r.tell("") // whoever looks up finds the error, or that it is mended
		}
		return next
	}
	for name := range changed(before, next) {
		r.version.Add(1)
		r.tell(name)
	}
	return next
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// changed returns the names that were put or deleted between before and after.
func changed(before, after *state) map[string]struct{} {
	names := map[string]struct{}{}
	for name := range maps.Keys(before.conns) {
		if before.conns[name].Revision != after.conns[name].Revision {
			names[name] = struct{}{}
		}
	}
	for name := range maps.Keys(after.conns) {
		if _, ok := before.conns[name]; !ok {
			names[name] = struct{}{}
		}
	}
	return names
}
