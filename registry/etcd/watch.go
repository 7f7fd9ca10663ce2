package etcd

import (
	"context"
	"iter"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/changes"
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
	w := &watch{Queue: changes.New(), r: r, at: at, cancel: cancel}
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
	return w.All(ctx), nil
}

// A watch is one subscription. A goroutine follows etcd, see follow, and whoever
// ranges takes what it has found.
type watch struct {
	*changes.Queue
	r      *Registry
	at     position // of follow alone
	cancel context.CancelFunc
}

// add tells of names; "" is any.
func (w *watch) add(names ...string) {
	w.r.version.Add(1)
	w.Add(names...)
}

// end ends w with err, unless something else has.
func (w *watch) end(err error) {
	w.End(err)
	w.cancel() // after that, for follow ends with an error of its own
}
