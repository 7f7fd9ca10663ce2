package hawsertest

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hawser/hawser"
)

type (
	lookupFunc = func(ctx context.Context, name string) (hawser.Connection, error)
	allSeq     = iter.Seq2[hawser.Connection, error]
	putFunc    = func(ctx context.Context, c hawser.Connection) (hawser.Connection, error)
)

// bentRegistry is a correct registry of which some calls are replaced.
type bentRegistry struct {
	*hawser.Memory
	conns   []hawser.Connection // as they were given
	mu      sync.Mutex          // for whom a bug needs one
	shown   string              // by fmt
	lookup  lookupFunc
	all     func(ctx context.Context) allSeq
	put     putFunc
	del     func(ctx context.Context, name, revision string) error
	watch   func(ctx context.Context) (changes, error)
	version func() uint64
}

func (b *bentRegistry) Lookup(ctx context.Context, name string) (hawser.Connection, error) {
	return b.lookup(ctx, name)
}
func (b *bentRegistry) All(ctx context.Context) allSeq { return b.all(ctx) }
func (b *bentRegistry) Put(ctx context.Context, c hawser.Connection) (hawser.Connection, error) {
	return b.put(ctx, c)
}

func (b *bentRegistry) Delete(ctx context.Context, name, revision string) error {
	return b.del(ctx, name, revision)
}
func (b *bentRegistry) Watch(ctx context.Context) (changes, error) { return b.watch(ctx) }
func (b *bentRegistry) Version() uint64                            { return b.version() }

func straight(m *hawser.Memory, conns ...hawser.Connection) *bentRegistry {
	return &bentRegistry{Memory: m, conns: conns, lookup: m.Lookup, all: m.All, put: m.Put, del: m.Delete, watch: m.Watch, version: m.Version}
}

// bendRegistry returns a suite of registries that bug bends.
func bendRegistry(bug func(b *bentRegistry)) func(t *testing.T) {
	return func(t *testing.T) {
		TestRegistry(t, func(_ *testing.T, conns ...hawser.Connection) hawser.Registry {
			b := straight(hawser.NewMemory(conns...), conns...)
			bug(b)
			return b
		})
	}
}

// listed is what All of a registry that holds names yields, through change.
func listed(b *bentRegistry, change func([]hawser.Connection) []hawser.Connection) func(ctx context.Context) allSeq {
	return func(ctx context.Context) allSeq {
		return func(yield func(hawser.Connection, error) bool) {
			var conns []hawser.Connection
			for c, err := range b.Memory.All(ctx) {
				if err != nil {
					yield(c, err)
					return
				}
				conns = append(conns, c)
			}
			for _, c := range change(conns) {
				if !yield(c, nil) {
					return
				}
			}
		}
	}
}

func brokenRegistries() []broken {
	return slices.Concat(
		brokenReads(), brokenTexts(), brokenWrites(), brokenRevisions(), brokenSecrets(), brokenRaces(),
		brokenWatches(), brokenLateWatches(), brokenVersions(), brokenHandles(),
	)
}

func brokenReads() []broken {
	return []broken{
		{"registry: Lookup loses Extra", "Lookup returns the connection whole", bendRegistry(func(b *bentRegistry) {
			b.lookup = func(ctx context.Context, name string) (hawser.Connection, error) {
				c, err := b.Memory.Lookup(ctx, name)
				c.Extra = nil
				return c, err
			}
		})},
		{"registry: Lookup folds case", "Lookup takes a name exactly", bendRegistry(func(b *bentRegistry) {
			b.lookup = func(ctx context.Context, name string) (hawser.Connection, error) {
				for c, err := range b.Memory.All(ctx) {
					if strings.EqualFold(c.Name, name) {
						return c, err
					}
				}
				return b.Memory.Lookup(ctx, name)
			}
		})},
		{"registry: Lookup of a missing name gives another error", "Lookup of a missing name matches ErrNotFound", bendRegistry(func(b *bentRegistry) {
			b.lookup = func(ctx context.Context, name string) (hawser.Connection, error) {
				c, err := b.Memory.Lookup(ctx, name)
				if err != nil {
					err = errors.New(err.Error())
				}
				return c, err
			}
		})},
		{"registry: Lookup shares maps", "Lookup returns a copy", bendRegistry(func(b *bentRegistry) {
			b.lookup = func(context.Context, string) (hawser.Connection, error) { return b.conns[0], nil }
		})},
		{"registry: All is in the order of a map", "All yields each connection once, in name order", bendRegistry(func(b *bentRegistry) {
			b.all = listed(b, func(conns []hawser.Connection) []hawser.Connection { slices.Reverse(conns); return conns })
		})},
		{"registry: All drops the last", "All yields each connection once, in name order", bendRegistry(func(b *bentRegistry) {
			b.all = listed(b, func(conns []hawser.Connection) []hawser.Connection { return conns[1:] })
		})},
		{"registry: All of an empty registry yields one", "All of an empty registry yields nothing", bendRegistry(func(b *bentRegistry) {
			b.all = listed(b, func(conns []hawser.Connection) []hawser.Connection { return append(conns, hawser.Connection{}) })
		})},
		{"registry: All shares slices", "All yields copies", bendRegistry(func(b *bentRegistry) {
			b.all = listed(b, func([]hawser.Connection) []hawser.Connection { return b.conns })
		})},
		{"registry: a loop that is left keeps its lock", "All may be left early", bendRegistry(func(b *bentRegistry) { b.lockedAll(false) })},
		{"registry: All holds a lock while yielding", "the registry may be used inside a loop over All", bendRegistry(func(b *bentRegistry) { b.lockedAll(true) })},
		{"registry: All ignores its context", "an ended context ends Lookup and All", bendRegistry(func(b *bentRegistry) {
			b.all = func(context.Context) allSeq { return b.Memory.All(context.Background()) }
		})},
		{"registry: Lookup finds what another looks up", "many goroutines may read at once", bendRegistry(func(b *bentRegistry) {
			var last string
			b.lookup = func(ctx context.Context, name string) (hawser.Connection, error) {
				b.locked(func() { last = name })
				time.Sleep(time.Millisecond)
				b.locked(func() { name = last })
				return b.Memory.Lookup(ctx, name)
			}
		})},
	}
}

func (b *bentRegistry) locked(fn func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	fn()
}

// lockedAll makes All hold a lock that Lookup needs, and release it at the end
// or only when the loop was not left.
func (b *bentRegistry) lockedAll(always bool) {
	b.lookup = func(ctx context.Context, name string) (hawser.Connection, error) {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.Memory.Lookup(ctx, name)
	}
	b.all = func(ctx context.Context) allSeq {
		return func(yield func(hawser.Connection, error) bool) {
			b.mu.Lock()
			for c, err := range b.Memory.All(ctx) {
				if !yield(c, err) {
					if always {
						b.mu.Unlock()
					}
					return
				}
			}
			b.mu.Unlock()
		}
	}
}
