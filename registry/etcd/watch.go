package etcd

import (
	"context"
	"iter"
	"sync"

	"github.com/hawser/hawser"
)

// Watch tells of every change from now on, until ctx ends; see [hawser.Watcher].
// It goes on over a short outage of etcd, and misses nothing of it. Where etcd has
// forgotten changes that were not told (compaction), or was restored, it tells one
// change without a name.
//
// It ends with an error within 20 s of when etcd ceased to answer, or at once when
// a member of it has lost its cluster: whoever watches must not believe for long
// that nothing has changed when nobody can know.
func (r *Registry) Watch(ctx context.Context) (iter.Seq2[hawser.Change, error], error) {
	if err := r.check(ctx); err != nil {
		return nil, err
	}
	at, err := r.position(ctx)
	if err != nil {
		return nil, err
	}
	inner, cancel := context.WithCancel(ctx)
	w := &watch{r: r, at: at, wake: make(chan struct{}, 1), changed: map[string]struct{}{}, cancel: cancel}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		cancel()
		return nil, errClosed
	}
	r.watches[w] = struct{}{}
	// Also a watch whose changes nobody ranges over ends with ctx.
	r.watching.Go(func() {
		w.end(w.follow(inner))
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.watches, w)
	})
	return func(yield func(hawser.Change, error) bool) { w.run(ctx, yield) }, nil
}

// manyChanges is how many names a watch keeps for who does not range over it; more
// are any.
const manyChanges = 10_000

// A watch is one subscription. A goroutine follows etcd, see follow, and whoever
// ranges takes what it has found.
type watch struct {
	r      *Registry
	at     position // of follow alone
	wake   chan struct{}
	cancel context.CancelFunc

	mu      sync.Mutex          // guards all below
	changed map[string]struct{} // names not yet told
	err     error               // that ended it
}

func (w *watch) run(ctx context.Context, yield func(hawser.Change, error) bool) {
	for {
		select {
		case <-ctx.Done():
			yield(hawser.Change{}, ctx.Err())
			return
		case <-w.wake:
		}
		name, ok, err := w.take()
		if err != nil {
			if ctx.Err() != nil {
				err = ctx.Err()
			}
			yield(hawser.Change{}, err)
			return
		}
		if ok && !yield(hawser.Change{Name: name}, nil) {
			return
		}
	}
}

// take returns a name that changed and leaves the others: whoever breaks out of
// the loop finds them in the next. After the last one comes the error, again and
// again.
func (w *watch) take() (name string, ok bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name = range w.changed {
		delete(w.changed, name)
		ok = true
		break
	}
	if !ok {
		err = w.err
	}
	if len(w.changed) > 0 || w.err != nil {
		w.signal()
	}
	return name, ok, err
}

// add tells of names; "" is any.
func (w *watch) add(names ...string) {
	w.r.version.Add(1)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, name := range names {
		w.changed[name] = struct{}{}
	}
	if _, all := w.changed[""]; all || len(w.changed) > manyChanges {
		w.changed = map[string]struct{}{"": {}}
	}
	w.signal()
}

// end ends w with err, unless something else has.
func (w *watch) end(err error) {
	defer w.cancel() // after err is set, for follow ends with one of its own
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
	}
	w.signal()
}

// signal must be called with mu held.
func (w *watch) signal() {
	select {
	case w.wake <- struct{}{}:
	default: // it is awake already
	}
}
