// Package changes keeps what a watch of a registry has not told yet. Every registry
// below registry/ has its watches by it; hawser.Memory, which may import nothing,
// has the like of it.
package changes

import (
	"context"
	"iter"
	"sync"

	"github.com/hawser/hawser"
)

// most is how many names a Queue keeps for who does not range over the watch; more
// are any.
const most = 10_000

// A Queue is of one watch: names are added as they change, and whoever ranges over
// [Queue.All] is told each once, however often it changed meanwhile. It is safe for
// concurrent use. [New] makes one.
type Queue struct {
	wake chan struct{} // holds one token while there is something to tell

	mu    sync.Mutex          // guards all below
	names map[string]struct{} // not yet told
	err   error               // that ended the watch
}

// New returns an empty Queue.
func New() *Queue {
	return &Queue{wake: make(chan struct{}, 1), names: map[string]struct{}{}}
}

// Add tells of names; "" is any, and takes the place of all others.
func (q *Queue) Add(names ...string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, name := range names {
		q.names[name] = struct{}{}
	}
	if _, any := q.names[""]; any || len(q.names) > most {
		q.names = map[string]struct{}{"": {}}
	}
	q.signal()
}

// End ends the watch with err, which is not nil, once all names are told. Later calls
// change nothing.
func (q *Queue) End(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err == nil {
		q.err = err
	}
	q.signal()
}

// All yields each change, and waits for more, until ctx ends or [Queue.End] was
// called; then the error. What is left when the loop is left is there for the next.
func (q *Queue) All(ctx context.Context) iter.Seq2[hawser.Change, error] {
	return func(yield func(hawser.Change, error) bool) {
		for {
			select {
			case <-ctx.Done():
				yield(hawser.Change{}, ctx.Err())
				return
			case <-q.wake:
			}
			name, ok, err := q.take()
			if err != nil {
				if ctx.Err() != nil { // which may well be why
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
}

// take returns a name and leaves the others. After the last one comes the error,
// again and again.
func (q *Queue) take() (name string, ok bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for name = range q.names {
		delete(q.names, name)
		ok = true
		break
	}
	if !ok {
		err = q.err
	}
	if len(q.names) > 0 || q.err != nil {
		q.signal()
	}
	return name, ok, err
}

// signal must be called with mu held.
func (q *Queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default: // it is awake already
	}
}
