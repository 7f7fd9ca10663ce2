package sql

import (
	"context"
	"iter"
	"sync"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/changes"
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
	w := &watch{Queue: changes.New()}
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
	return w.All(ctx), nil
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
	*changes.Queue

	mu    sync.Mutex // guards all below
	ended bool
	left  func() bool // has its context forget it
}

// end ends w with err, unless something else has.
func (w *watch) end(err error) {
	w.End(err)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	if w.left != nil {
		w.left()
	}
}

// leave has the watch call left when it ends, which may be already.
func (w *watch) leave(left func() bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.left = left; w.ended {
		left()
	}
}
