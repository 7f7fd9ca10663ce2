package hawsertest

import (
	"context"
	"testing"
	"time"

	"github.com/hawser/hawser"
)

func brokenLateWatches() []broken {
	return []broken{
		{"registry: the watch tells Puts alone", "a deletion is told once the name is gone", bendRegistry(watches(func(ctx context.Context, b *bentRegistry, yield func(hawser.Change, error) bool) {
			<-ctx.Done()
			yield(hawser.Change{}, ctx.Err())
		}))},
		{"registry: every change is told before it is made", "whoever looks up what a watch tells ends with the last definition", bendRegistry(tellEarly(make(chan struct{}, 1)))},
		{"registry: the buffer of a watch is full", "a watch that nobody ranges over loses nothing and holds up nobody", bendRegistry(func(b *bentRegistry) {
			b.watch = func(ctx context.Context) (changes, error) { return buffered(ctx, b.Memory) }
		})},
		{"registry: each loop is a new watch", "a loop over a watch that was left loses nothing", bendRegistry(func(b *bentRegistry) {
			b.watch = func(ctx context.Context) (changes, error) {
				inner, err := b.Memory.Watch(ctx)
				first := true
				return func(yield func(hawser.Change, error) bool) {
					if !first {
						inner, _ = b.Memory.Watch(ctx)
					}
					first = false
					inner(yield)
				}, err
			}
		})},
		{"registry: a watch keeps its goroutine", "a watch leaves no goroutine behind its context", bendRegistry(func(b *bentRegistry) {
			b.watch = func(ctx context.Context) (changes, error) {
				go func() { select {} }()
				return b.Memory.Watch(ctx)
			}
		})},
		{"registry: Close forgets the watches", "Close ends a watch with an error", func(t *testing.T) {
			TestRegistry(t, func(t *testing.T, conns ...hawser.Connection) hawser.Registry {
				c := closing(t, hawser.NewMemory(conns...))
				c.end = func() {}
				return c
			})
		}},
	}
}

// tellEarly makes Put tell through told, which all watches share, and then store.
func tellEarly(told chan struct{}) func(b *bentRegistry) {
	return func(b *bentRegistry) {
		b.put = func(ctx context.Context, c hawser.Connection) (hawser.Connection, error) {
			select {
			case told <- struct{}{}:
			default:
			}
			time.Sleep(10 * moment)
			return b.Memory.Put(ctx, c)
		}
		b.watch = func(ctx context.Context) (changes, error) {
			return func(yield func(hawser.Change, error) bool) {
				for {
					select {
					case <-told:
						if !yield(hawser.Change{}, nil) {
							return
						}
					case <-ctx.Done():
						yield(hawser.Change{}, ctx.Err())
						return
					}
				}
			}, nil
		}
	}
}

// buffered is a watch of m that drops what its buffer does not hold.
func buffered(ctx context.Context, m *hawser.Memory) (changes, error) {
	inner, err := m.Watch(ctx)
	if err != nil {
		return nil, err
	}
	buffer := make(chan hawser.Change, 16)
	go func() { // ends with ctx
		for change := range inner {
			select {
			case buffer <- change:
			default:
			}
		}
	}()
	return func(yield func(hawser.Change, error) bool) {
		for {
			select {
			case change := <-buffer:
				if !yield(change, nil) {
					return
				}
			case <-ctx.Done():
				yield(hawser.Change{}, ctx.Err())
				return
			}
		}
	}, nil
}
