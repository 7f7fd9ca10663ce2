package hawser

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
)

// Memory is a Registry, Writer, Watcher and Versioner that lives in memory. Its zero
// value is empty and works. It is safe for concurrent use and must not be
// copied.
type Memory struct {
	version atomic.Uint64

	mu       sync.Mutex // guards all below
	conns    map[string]Connection
	revision int
	watches  map[*memoryWatch]struct{}
}

var _ interface {
	Registry
	Writer
	Watcher
	Versioner
} = (*Memory)(nil)

// NewMemory returns a Memory of conns. They are stored as they are, the later
// of two that share a name; what is not valid is refused when it is opened.
func NewMemory(conns ...Connection) *Memory {
	m := &Memory{}
	for _, c := range conns {
		m.store(c)
	}
	return m
}

// Lookup returns a copy of the connection called name.
func (m *Memory) Lookup(ctx context.Context, name string) (Connection, error) {
	if err := ctx.Err(); err != nil {
		return Connection{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	c, ok := m.conns[name]
	if !ok {
		return Connection{}, fmt.Errorf("%w: %q%s", ErrNotFound, name, suggest(name, slices.Sorted(maps.Keys(m.conns))))
	}
	return c.Clone(), nil
}

// All yields a copy of each connection that was there when the loop began.
func (m *Memory) All(ctx context.Context) iter.Seq2[Connection, error] {
	return func(yield func(Connection, error) bool) {
		for _, c := range m.snapshot() {
			if ctx.Err() != nil {
				break
			}
			if !yield(c.Clone(), nil) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(Connection{}, err)
		}
	}
}

// Put stores a copy of c; see [Writer].
func (m *Memory) Put(ctx context.Context, c Connection) (Connection, error) {
	if err := ctx.Err(); err != nil {
		return Connection{}, err
	}
	if err := c.validateStored(); err != nil {
		return Connection{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if stored, ok := m.conns[c.Name]; c.Revision != AnyRevision && c.Revision != stored.Revision || ok && c.Revision == "" {
		return Connection{}, conflict(c.Name, c.Revision, stored.Revision)
	}
	c = m.store(c)
	m.tell(c.Name)
	return c.Clone(), nil
}

// Delete removes name; see [Writer].
func (m *Memory) Delete(ctx context.Context, name, revision string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if revision == "" {
		return &FieldError{Field: "revision", Problem: "give the stored revision, or AnyRevision to delete whatever is stored"}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	stored, ok := m.conns[name]
	if !ok {
		return fmt.Errorf("%w: %q", ErrNotFound, name)
	}
	if revision != AnyRevision && revision != stored.Revision {
		return conflict(name, revision, stored.Revision)
	}
	delete(m.conns, name)
	m.tell(name)
	return nil
}

// Watch tells of every Put and Delete from now on, until ctx ends; see [Watcher].
func (m *Memory) Watch(ctx context.Context) (iter.Seq2[Change, error], error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	w := &memoryWatch{wake: make(chan struct{}, 1), changed: map[string]struct{}{}}
	m.mu.Lock()
	if m.watches == nil {
		m.watches = map[*memoryWatch]struct{}{}
	}
	m.watches[w] = struct{}{}
	m.mu.Unlock()
	// Also a watch whose changes nobody ranges over ends with ctx.
	context.AfterFunc(ctx, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.watches, w)
	})
	return func(yield func(Change, error) bool) { w.run(ctx, m, yield) }, nil
}

// store must be called with mu held, or before m is shared.
func (m *Memory) store(c Connection) Connection {
	if m.conns == nil {
		m.conns = map[string]Connection{}
	}
	m.revision++
	c = c.Clone()
	c.Hops = nil
	c.Revision = strconv.Itoa(m.revision)
	m.conns[c.Name] = c
	return c
}

// Version grows with each Put and Delete; see [Versioner].
func (m *Memory) Version() uint64 { return m.version.Load() }

// tell must be called with mu held.
func (m *Memory) tell(name string) {
	m.version.Add(1)
	for w := range m.watches {
		w.changed[name] = struct{}{}
		w.signal()
	}
}

func (m *Memory) snapshot() []Connection {
	m.mu.Lock()
	defer m.mu.Unlock()
	var conns []Connection
	for _, name := range slices.Sorted(maps.Keys(m.conns)) {
		conns = append(conns, m.conns[name])
	}
	return conns
}

func conflict(name, given, stored string) error {
	switch {
	case given == "":
		return fmt.Errorf("%w: %q exists already", ErrConflict, name)
	case stored == "":
		return fmt.Errorf("%w: %q was deleted", ErrConflict, name)
	}
	return fmt.Errorf("%w: %q is at revision %s, not %s", ErrConflict, name, stored, given)
}

type memoryWatch struct {
	wake    chan struct{}       // holds one token while there is something in changed
	changed map[string]struct{} // guarded by Memory.mu; names not yet told
}

func (w *memoryWatch) run(ctx context.Context, m *Memory, yield func(Change, error) bool) {
	for {
		select {
		case <-ctx.Done():
			yield(Change{}, ctx.Err())
			return
		case <-w.wake:
		}
		if name, ok := w.take(m); ok && !yield(Change{Name: name}, nil) {
			return
		}
	}
}

// take returns a name that changed and leaves the others: whoever breaks out of
// the loop finds them in the next.
func (w *memoryWatch) take(m *Memory) (name string, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
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

// signal must be called with Memory.mu held.
func (w *memoryWatch) signal() {
	select {
	case w.wake <- struct{}{}:
	default: // it is awake already
	}
}
