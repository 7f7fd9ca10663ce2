package hawsertest

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/hawser/hawser"
)

// moment lets other goroutines come in between.
const moment = time.Millisecond

func brokenRaces() []broken {
	return []broken{
		{"registry: Put writes back all that was there", "concurrent Puts of different names all succeed", bendRegistry(writeBack)},
		{"registry: Delete compares and removes in two steps", "of concurrent Puts and Deletes of one revision one wins", bendRegistry(func(b *bentRegistry) {
			b.del = func(ctx context.Context, name, revision string) error {
				c, err := b.Memory.Lookup(ctx, name)
				if err != nil || revision == hawser.AnyRevision {
					return b.Memory.Delete(ctx, name, revision)
				}
				if c.Revision != revision {
					return hawser.ErrConflict
				}
				time.Sleep(moment)
				return b.Memory.Delete(ctx, name, hawser.AnyRevision)
			}
		})},
		{"registry: Put writes secrets first", "readers see a connection as it was before a change or after it", bendRegistry(func(b *bentRegistry) {
			b.put = func(ctx context.Context, c hawser.Connection) (hawser.Connection, error) {
				if half, err := b.Memory.Lookup(ctx, c.Name); err == nil {
					half.Auth.Password = c.Auth.Password
					_, _ = b.Memory.Put(ctx, half)
					time.Sleep(moment)
				}
				return b.Memory.Put(ctx, c)
			}
		})},
		{"registry: All counts how far it is", "All is in order and misses nothing while others write", bendRegistry(func(b *bentRegistry) {
			b.all = func(ctx context.Context) allSeq {
				return func(yield func(hawser.Connection, error) bool) {
					for i := 0; ; i++ {
						names, _ := listNames(ctx, b.Memory)
						if i >= len(names) {
							return
						}
						c, err := b.Memory.Lookup(ctx, names[i])
						if err == nil && !yield(c, err) {
							return
						}
					}
				}
			}
		})},
	}
}

// writeBack makes Put remove what was not there when it began.
func writeBack(b *bentRegistry) {
	b.put = func(ctx context.Context, c hawser.Connection) (hawser.Connection, error) {
		before, _ := listNames(ctx, b.Memory)
		time.Sleep(moment)
		put, err := b.Memory.Put(ctx, c)
		after, _ := listNames(ctx, b.Memory)
		for _, name := range after {
			if name != c.Name && !slices.Contains(before, name) {
				_ = b.Memory.Delete(ctx, name, hawser.AnyRevision)
			}
		}
		return put, err
	}
}

// counted makes the Version a count of what count adds to.
func counted(count func(b *bentRegistry, n *atomic.Uint64)) func(b *bentRegistry) {
	return func(b *bentRegistry) {
		var n atomic.Uint64
		b.version = n.Load
		count(b, &n)
	}
}

func brokenVersions() []broken {
	return []broken{
		{"registry: the Version counts Puts alone", "Version has grown when Put or Delete returns", bendRegistry(counted(func(b *bentRegistry, n *atomic.Uint64) {
			b.put = func(ctx context.Context, c hawser.Connection) (hawser.Connection, error) {
				defer n.Add(1)
				return b.Memory.Put(ctx, c)
			}
		}))},
		{"registry: the Version is a clock", "Version has grown when each of many Puts returns", bendRegistry(func(b *bentRegistry) {
			b.version = func() uint64 { return uint64(time.Now().Unix()) }
		})},
		{"registry: the Version grows before the change", "what is looked up at the last Version is the last definition", bendRegistry(counted(func(b *bentRegistry, n *atomic.Uint64) {
			b.put = func(ctx context.Context, c hawser.Connection) (hawser.Connection, error) {
				n.Add(1)
				time.Sleep(moment)
				return b.Memory.Put(ctx, c)
			}
		}))},
	}
}
