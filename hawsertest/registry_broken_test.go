package hawsertest

import (
	"context"
	"errors"
	"fmt"

	"github.com/hawser/hawser"
)

// puts replaces Put by one that passes through change what it stores.
func puts(change func(c *hawser.Connection)) func(b *bentRegistry) {
	return func(b *bentRegistry) {
		b.put = func(ctx context.Context, c hawser.Connection) (hawser.Connection, error) {
			change(&c)
			return b.Memory.Put(ctx, c)
		}
	}
}

func brokenWrites() []broken {
	return []broken{
		{"registry: Put loses a secret", "Put stores the connection whole", bendRegistry(puts(func(c *hawser.Connection) { c.ExtraSecrets = nil }))},
		{"registry: Put returns no revision", "Put stores the connection whole", bendRegistry(func(b *bentRegistry) {
			b.put = func(ctx context.Context, c hawser.Connection) (hawser.Connection, error) {
				_, err := b.Memory.Put(ctx, c)
				return c, err
			}
		})},
		{"registry: Put shares maps", "Put stores a copy", bendRegistry(func(b *bentRegistry) {
			var stored hawser.Connection
			b.put = func(ctx context.Context, c hawser.Connection) (hawser.Connection, error) {
				stored = c
				return b.Memory.Put(ctx, c)
			}
			b.lookup = func(context.Context, string) (hawser.Connection, error) { return stored, nil }
		})},
		{"registry: Put without a revision overwrites", "Put of a new connection needs a new name", bendRegistry(puts(func(c *hawser.Connection) {
			if c.Revision == "" {
				c.Revision = hawser.AnyRevision
			}
		}))},
		{"registry: the revision never changes", "Put with the stored revision replaces", bendRegistry(func(b *bentRegistry) {
			b.lookup = func(ctx context.Context, name string) (hawser.Connection, error) {
				c, err := b.Memory.Lookup(ctx, name)
				c.Revision = "1"
				return c, err
			}
			b.put = func(ctx context.Context, c hawser.Connection) (hawser.Connection, error) {
				c.Revision = hawser.AnyRevision
				c, err := b.Memory.Put(ctx, c)
				c.Revision = "1"
				return c, err
			}
		})},
		{"registry: Put ignores revisions", "Put with an old revision matches ErrConflict", bendRegistry(puts(func(c *hawser.Connection) {
			c.Revision = hawser.AnyRevision
		}))},
		{"registry: Put stores before it compares", "Put with an old revision matches ErrConflict", bendRegistry(func(b *bentRegistry) {
			b.put = func(ctx context.Context, c hawser.Connection) (hawser.Connection, error) {
				put, err := b.Memory.Put(ctx, c)
				if err != nil {
					c.Revision = hawser.AnyRevision
					_, _ = b.Memory.Put(ctx, c)
				}
				return put, err
			}
		})},
		{"registry: AnyRevision creates nothing", "Put with AnyRevision overwrites or creates", bendRegistry(func(b *bentRegistry) {
			b.put = func(ctx context.Context, c hawser.Connection) (hawser.Connection, error) {
				if _, err := b.Memory.Lookup(ctx, c.Name); err != nil {
					return c, err
				}
				return b.Memory.Put(ctx, c)
			}
		})},
		{"registry: Put refuses invalid ones too late", "Put refuses what is not valid", bendRegistry(puts(func(c *hawser.Connection) {
			if c.Host == "" {
				c.Host = "unknown"
			}
		}))},
		{"registry: Put stores Hops", "Put never stores Hops", bendRegistry(func(b *bentRegistry) {
			hops := map[string][]hawser.Connection{}
			b.put = func(ctx context.Context, c hawser.Connection) (hawser.Connection, error) {
				hops[c.Name] = c.Hops
				return b.Memory.Put(ctx, c)
			}
			b.lookup = func(ctx context.Context, name string) (hawser.Connection, error) {
				c, err := b.Memory.Lookup(ctx, name)
				c.Hops = hops[name]
				return c, err
			}
		})},
		{"registry: Put stores a mask", "a literal secret is kept or refused, never lost", bendRegistry(puts(func(c *hawser.Connection) {
			if c.Auth.Password.Reveal() != "" {
				c.Auth.Password = hawser.NewSecret("***")
			}
		}))},
		{"registry: the refusal shows the secret", "a literal secret is kept or refused, never lost", bendRegistry(func(b *bentRegistry) {
			b.put = func(ctx context.Context, c hawser.Connection) (hawser.Connection, error) {
				if p := c.Auth.Password.Reveal(); p != "" {
					return c, fmt.Errorf("literal secret %q", p)
				}
				return b.Memory.Put(ctx, c)
			}
		})},
		{"registry: Put compares and swaps in two steps", "one of many concurrent Puts wins", bendRegistry(func(b *bentRegistry) {
			b.put = func(ctx context.Context, c hawser.Connection) (hawser.Connection, error) {
				return putInSteps(ctx, b.Memory, c) // so that the others compare, too
			}
		})},
		{"registry: Delete ignores revisions", "Delete removes the connection of that revision", bendRegistry(deletes(func(revision string) string { return hawser.AnyRevision }))},
		{"registry: Delete removes nothing", "Delete removes the connection of that revision", bendRegistry(func(b *bentRegistry) {
			b.del = func(ctx context.Context, name, revision string) error {
				c, err := b.Memory.Lookup(ctx, name)
				if err == nil && revision != c.Revision && revision != hawser.AnyRevision {
					err = hawser.ErrConflict
				}
				return err
			}
		})},
		{"registry: Delete of a missing name succeeds", "Delete of a missing name matches ErrNotFound", bendRegistry(func(b *bentRegistry) {
			b.del = func(ctx context.Context, name, revision string) error {
				if err := b.Memory.Delete(ctx, name, revision); !errors.Is(err, hawser.ErrNotFound) {
					return err
				}
				return nil
			}
		})},
		{"registry: Delete takes no revision for any", "Delete without a revision matches ErrInvalid", bendRegistry(deletes(func(revision string) string {
			if revision == "" {
				return hawser.AnyRevision
			}
			return revision
		}))},
		{"registry: Put ignores its context", "an ended context ends Put and Delete", bendRegistry(func(b *bentRegistry) {
			b.put = func(_ context.Context, c hawser.Connection) (hawser.Connection, error) {
				return b.Memory.Put(context.Background(), c)
			}
		})},
	}
}

func deletes(change func(revision string) string) func(b *bentRegistry) {
	return func(b *bentRegistry) {
		b.del = func(ctx context.Context, name, revision string) error {
			return b.Memory.Delete(ctx, name, change(revision))
		}
	}
}

func brokenWatches() []broken {
	return []broken{
		{"registry: the watch misses the first change", "no change after Watch is missed", bendRegistry(watches(func(ctx context.Context, b *bentRegistry, yield func(hawser.Change, error) bool) {
			late, _ := b.Memory.Watch(ctx)
			late(yield)
		}))},
		{"registry: a change is told before it is made", "a told change can be looked up", bendRegistry(func(b *bentRegistry) {
			told := make(chan struct{}, 1)
			b.put = func(_ context.Context, c hawser.Connection) (hawser.Connection, error) {
				told <- struct{}{}
				return c, nil
			}
			b.watch = func(context.Context) (changes, error) {
				return func(yield func(hawser.Change, error) bool) {
					<-told
					yield(hawser.Change{}, nil)
				}, nil
			}
		})},
		{"registry: one watch is told", "every watch is told", bendRegistry(func(b *bentRegistry) {
			first := true
			b.watch = func(ctx context.Context) (changes, error) {
				if first {
					first = false
					return func(func(hawser.Change, error) bool) { <-ctx.Done() }, nil
				}
				return b.Memory.Watch(ctx)
			}
		})},
		{"registry: the watch holds a lock while yielding", "the registry may be used inside a loop over a watch", bendRegistry(func(b *bentRegistry) {
			b.lockedAll(true) // for its Lookup
			b.watch = func(ctx context.Context) (changes, error) {
				inner, err := b.Memory.Watch(ctx)
				return func(yield func(hawser.Change, error) bool) {
					for change, err := range inner {
						b.mu.Lock()
						more := yield(change, err)
						b.mu.Unlock()
						if !more {
							return
						}
					}
				}, err
			}
		})},
		{"registry: the watch ignores its context", "an ended context ends a watch", bendRegistry(watches(func(_ context.Context, b *bentRegistry, yield func(hawser.Change, error) bool) {
			inner, _ := b.Memory.Watch(context.Background())
			inner(yield)
		}))},
		{"registry: the watch ends without an error", "an ended context ends a watch", bendRegistry(watches(func(ctx context.Context, _ *bentRegistry, _ func(hawser.Change, error) bool) {
			<-ctx.Done()
		}))},
		{"registry: Watch ignores that its context ended", "Watch with an ended context fails", bendRegistry(watches(func(context.Context, *bentRegistry, func(hawser.Change, error) bool) {}))},
	}
}

// watches replaces the loop over a watch.
func watches(run func(ctx context.Context, b *bentRegistry, yield func(hawser.Change, error) bool)) func(b *bentRegistry) {
	return func(b *bentRegistry) {
		b.watch = func(ctx context.Context) (changes, error) {
			return func(yield func(hawser.Change, error) bool) { run(ctx, b, yield) }, nil
		}
	}
}
