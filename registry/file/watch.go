package file

import (
	"context"
	"iter"

	"github.com/hawser/hawser"
)

// Watch tells of every Put and Delete, and of changes by others as soon as they
// are noticed, until ctx ends or the Registry is closed; see [hawser.Watcher]. A
// file that breaks, or is mended, is told as a Change without a name.
func (r *Registry) Watch(ctx context.Context) (iter.Seq2[hawser.Change, error], error) {
	if _, err := r.current(ctx); err != nil {
		return nil, err
	}
	w := &watch{wake: make(chan struct{}, 1), changed: map[string]struct{}{}}
	r.mu.Lock()
	r.watches[w] = struct{}{}
	r.mu.Unlock()
	// Also a watch whose changes nobody ranges over ends with ctx.
	context.AfterFunc(ctx, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.watches, w)
	})
	return func(yield func(hawser.Change, error) bool) { w.run(ctx, r, yield) }, nil
}

type watch struct {
	wake    chan struct{}       // holds one token while there is something in changed
	changed map[string]struct{} // guarded by Registry.mu; names not yet told
}

// tell must be called with mu held.
func (r *Registry) tell(name string) {
	for w := range r.watches {
		w.changed[name] = struct{}{}
		w.signal()
	}
}

func (w *watch) run(ctx context.Context, r *Registry, yield func(hawser.Change, error) bool) {
	for {
		select {
		case <-ctx.Done():
			yield(hawser.Change{}, ctx.Err())
			return
		case <-r.closed:
			yield(hawser.Change{}, r.errClosed())
			return
		case <-w.wake:
		}
		if name, ok := w.take(r); ok && !yield(hawser.Change{Name: name}, nil) {
			return
		}
	}
}

// take returns a name that changed and leaves the others: whoever breaks out of
// the loop finds them in the next.
func (w *watch) take(r *Registry) (name string, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name = range w.changed {
		delete(w.changed, name)
		ok = true
		break
	}
	if len(w.changed) > 0 {
		w.signal()
	}
	return name, ok
}

// signal must be called with Registry.mu held.
func (w *watch) signal() {
	select {
	case w.wake <- struct{}{}:
	default: // it is awake already
	}
}
