package file

import (
	"context"
	"iter"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/changes"
)

// Watch tells of every Put and Delete, and of changes by others as soon as they
// are noticed, until ctx ends or the Registry is closed; see [hawser.Watcher]. A
// file that breaks, or is mended, is told as a Change without a name.
func (r *Registry) Watch(ctx context.Context) (iter.Seq2[hawser.Change, error], error) {
	if _, err := r.current(ctx); err != nil {
		return nil, err
	}
	q := changes.New()
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.open(); err != nil { // Close has ended those that it found
		return nil, err
	}
	r.watches[q] = struct{}{}
	// Also a watch whose changes nobody ranges over ends with ctx.
	context.AfterFunc(ctx, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.watches, q)
	})
	return q.All(ctx), nil
}

// tell must be called with mu held.
func (r *Registry) tell(name string) {
	for q := range r.watches {
		q.Add(name)
	}
}
