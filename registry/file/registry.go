package file

import (
	"context"
	"fmt"
	"iter"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/changes"
	"github.com/hawser/hawser/registry/seal"
)

// A Registry is one file. It is safe for concurrent use, also by several
// processes, and must not be copied. [Open] makes one.
type Registry struct {
	path string
	key  *seal.Key

	turn    chan struct{} // holds a token while nobody reads or writes the file
	version atomic.Uint64

	mu      sync.Mutex // guards those below
	cur     *state     // nil before the first read
	watches map[*changes.Queue]struct{}

	closed chan struct{} // closed by Close
	close  sync.Once
	follow sync.WaitGroup
}

var _ interface {
	hawser.Registry
	hawser.Writer
	hawser.Watcher
	hawser.Versioner
} = (*Registry)(nil)

// Options say how a file is opened. The zero Options are of a registry that
// refuses literal secrets.
type Options struct {
	// Key seals literal secrets. Without one, Put refuses them, and those that
	// are sealed in the file come as references, which no resolver knows.
	Key *seal.Key
	// Poll is how often the file is looked at, beside whenever the operating
	// system tells of a change. Zero: two seconds.
	Poll time.Duration
}

const defaultPoll = 2 * time.Second

// Open returns the registry in the file at path, whose name ends in .yaml, .yml
// or .json. A file that is not there is an empty registry; the first Put makes
// it, for its owner alone (0600). A file that is broken, or is sealed to another
// key, is an error that tells of all problems with file, line and column.
// The caller closes the Registry.
//
// The file may change under the Registry. Each Lookup first asks the operating
// system whether it did, so that none misses a change that was finished
// before. While a file is being written, which shows in a change of just now, a
// read waits for its end: for 25 ms, or for 250 ms if connections are gone or
// the content is broken. A file that stays broken, or is removed, makes Lookup,
// All, Put and Delete fail with what is wrong, until it is mended.
func Open(path string, o Options) (*Registry, error) {
	if _, err := isJSON(path); err != nil {
		return nil, err
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	r := &Registry{
		path: path, key: o.Key, turn: make(chan struct{}, 1),
		watches: map[*changes.Queue]struct{}{}, closed: make(chan struct{}),
	}
	r.endTurn()
	if _, err := r.good(context.Background()); err != nil {
		return nil, err
	}
	poll := o.Poll
	if poll <= 0 {
		poll = defaultPoll
	}
	r.startFollowing(poll)
	return r, nil
}

// Close ends all watches and what follows the file. Calls of other methods
// afterwards return an error that matches net.ErrClosed.
func (r *Registry) Close() error {
	r.close.Do(func() {
		close(r.closed)
		r.mu.Lock()
		defer r.mu.Unlock()
		for q := range r.watches {
			q.End(r.errClosed())
		}
	})
	r.follow.Wait()
	return nil
}

// Format writes which file the registry is, for every verb.
func (r *Registry) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "registry of %s", r.path)
}

// open returns an error after Close.
func (r *Registry) open() error {
	select {
	case <-r.closed:
		return r.errClosed()
	default:
		return nil
	}
}

func (r *Registry) errClosed() error {
	return fmt.Errorf("registry of %s: %w", r.path, net.ErrClosed)
}

// Lookup returns a copy of the connection called name.
func (r *Registry) Lookup(ctx context.Context, name string) (hawser.Connection, error) {
	s, err := r.good(ctx)
	if err != nil {
		return hawser.Connection{}, err
	}
	c, ok := s.conns[name]
	if !ok {
		return hawser.Connection{}, s.notFound(name)
	}
	return c.Clone(), nil
}

// All yields a copy of each connection that was there when the loop began.
func (r *Registry) All(ctx context.Context) iter.Seq2[hawser.Connection, error] {
	return func(yield func(hawser.Connection, error) bool) {
		s, err := r.good(ctx)
		if err != nil {
			yield(hawser.Connection{}, err)
			return
		}
		for _, name := range s.doc.names() {
			if err := ctx.Err(); err != nil {
				yield(hawser.Connection{}, err)
				return
			}
			if !yield(s.conns[name].Clone(), nil) {
				return
			}
		}
	}
}

// Version grows with every change that this Registry makes or notices; see
// [hawser.Versioner].
func (r *Registry) Version() uint64 { return r.version.Load() }

// good returns the state of the file now, or what is wrong with it.
func (r *Registry) good(ctx context.Context) (*state, error) {
	s, err := r.current(ctx)
	if err != nil {
		return nil, err
	}
	return s, s.err
}

// notFound suggests a name that differs by case and spaces alone.
func (s *state) notFound(name string) error {
	names := s.doc.names()
	i := slices.IndexFunc(names, func(n string) bool { return strings.EqualFold(strings.TrimSpace(name), n) })
	if i < 0 {
		return fmt.Errorf("%w: %q", hawser.ErrNotFound, name)
	}
	return fmt.Errorf("%w: %q; did you mean %q?", hawser.ErrNotFound, name, names[i])
}

// takeTurn waits until nobody else reads or writes the file through r.
func (r *Registry) takeTurn(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-r.closed:
		return r.errClosed()
	case <-r.turn:
		return nil
	}
}

func (r *Registry) endTurn() { r.turn <- struct{}{} }
