package sql

import (
	"context"
	"iter"
	"sync"

	"github.com/hawser/hawser"
)

// Watch tells of every change from now on, until ctx ends; see [hawser.Watcher].
// Changes that were made through this Registry are told at once, those of others
// within [Options].Poll. Many changes at once, and a gap that [Registry.Prune] made
// in the history, are told as one change without a name.
//
// A watch ends with an error when the database cannot be read, but for failures of
// less than a second: whoever watches must not believe for long that nothing has
// changed when nobody can know.
func (r *Registry) Watch(ctx context.Context) (iter.Seq2[hawser.Change, error], error) {
	if err := r.check(ctx); err != nil {
		return nil, err
	}
	w := &watch{wake: make(chan struct{}, 1), changed: map[string]struct{}{}}
	if !r.poller.add(w) {
		return nil, errClosed
	}
	// First it is one of those who are told, and then the count is read, so no change
	// falls in between.
	now, err := r.stateSoon(ctx)
	if err != nil {
		r.poller.remove(w)
		return nil, err
	}
	r.poller.notice(now.changes)
	signal(r.poller.wake) // which has to look more often from now on
	// Also a watch whose changes nobody ranges over ends with ctx.
	w.leave(context.AfterFunc(ctx, func() { r.poller.remove(w) }))
	return func(yield func(hawser.Change, error) bool) { w.run(ctx, yield) }, nil
}

// stateSoon gives up the connections that a firewall forgot, one each time.
func (r *Registry) stateSoon(ctx context.Context) (now state, err error) {
	for range pollTries {
		bounded, cancel := context.WithTimeout(ctx, pollWithin)
		now, err = r.state(bounded)
		hangs := bounded.Err() != nil && ctx.Err() == nil
		cancel()
		if err == nil || !hangs {
			return now, err
		}
	}
	return now, &hangError{"sql registry: watch", pollWithin, err}
}

func (p *poller) add(w *watch) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.watches[w] = struct{}{}
	}
	return !p.closed
}

func (p *poller) remove(w *watch) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.watches, w)
}

// A watch is one subscription.
type watch struct {
	wake chan struct{} // holds one token while there is something to tell

	mu      sync.Mutex          // guards all below
	changed map[string]struct{} // names not yet told
	err     error               // that ended it
	left    func() bool         // has its context forget it
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
			yield(hawser.Change{}, err)
			return
		}
		if ok && !yield(hawser.Change{Name: name}, nil) {
			return
		}
	}
}

// take returns a name that changed and leaves the others: whoever breaks out of the
// loop finds them in the next. After the last one comes the error, again and again.
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
		signal(w.wake)
	}
	return name, ok, err
}

// add does not keep more names than one look gives: many are any.
func (w *watch) add(names ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, name := range names {
		w.changed[name] = struct{}{}
	}
	if _, all := w.changed[""]; all || len(w.changed) > manyChanges {
		w.changed = map[string]struct{}{"": {}}
	}
	signal(w.wake)
}

func (w *watch) end(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err = err
	if w.left != nil {
		w.left()
	}
	signal(w.wake)
}

// leave has the watch call left when it ends, which may be already.
func (w *watch) leave(left func() bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.left = left; w.err != nil {
		left()
	}
}
