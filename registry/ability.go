package registry

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/hawser/hawser"
)

type changes = iter.Seq2[hawser.Change, error]

// versionOf is 0 for a Registry that is no hawser.Versioner.
func versionOf(r hawser.Registry) uint64 {
	if v, ok := r.(hawser.Versioner); ok {
		return v.Version()
	}
	return 0
}

// watch is errors.ErrUnsupported for a Registry that is no hawser.Watcher.
func watch(ctx context.Context, r hawser.Registry) (changes, error) {
	w, ok := r.(hawser.Watcher)
	if !ok {
		return nil, fmt.Errorf("%w: %T cannot be watched", errors.ErrUnsupported, r)
	}
	return w.Watch(ctx)
}

// firstOf returns the first error that is not nil.
func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
