package hawsertest

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hawser/hawser"
)

// bendHandles returns a suite of handles of one store, each of which bug bends.
func bendHandles(bug func(i int, b *bentRegistry)) func(t *testing.T) {
	return func(t *testing.T) {
		TestRegistryHandles(t, func(_ *testing.T, n int) []hawser.Registry {
			store := &hawser.Memory{}
			var all []hawser.Registry
			for i := range n {
				b := straight(store)
				bug(i, b)
				all = append(all, b)
			}
			return all
		})
	}
}

func brokenHandles() []broken {
	return []broken{
		{"registry: a handle never looks again", "what one handle puts and deletes the others find", bendHandles(func(i int, b *bentRegistry) {
			if i == 1 {
				b.lookup = (&hawser.Memory{}).Lookup
			}
		})},
		{"registry: revisions are of the handle", "what one handle puts another may change", bendHandles(func(i int, b *bentRegistry) { ownRevisions(b, fmt.Sprintf("%d/", i)) })},
		{"registry: a handle compares with what it knows", "a revision that another handle replaced matches ErrConflict", bendHandles(func(_ int, b *bentRegistry) {
			known := ""
			b.put = func(ctx context.Context, c hawser.Connection) (hawser.Connection, error) {
				if c.Revision == known && known != "" {
					c.Revision = hawser.AnyRevision
				}
				put, err := b.Memory.Put(ctx, c)
				known = put.Revision
				return put, err
			}
		})},
		{"registry: a handle locks itself alone", "of concurrent Puts through several handles one wins", bendHandles(func(_ int, b *bentRegistry) {
			b.put = func(ctx context.Context, c hawser.Connection) (put hawser.Connection, err error) {
				b.locked(func() { put, err = putInSteps(ctx, b.Memory, c) })
				return put, err
			}
		})},
		{"registry: a handle writes back what it read", "concurrent Puts through several handles all succeed", bendHandles(func(_ int, b *bentRegistry) { writeBack(b) })},
		{"registry: a handle tells of its own changes", "a watch tells of what another handle changed", bendHandles(func(_ int, b *bentRegistry) {
			own := &hawser.Memory{}
			b.watch = own.Watch
			b.put = func(ctx context.Context, c hawser.Connection) (hawser.Connection, error) {
				put, err := b.Memory.Put(ctx, c)
				c.Revision = hawser.AnyRevision
				_, _ = own.Put(ctx, c)
				return put, err
			}
		})},
		{"registry: handles tell before they store", "a watch by another handle ends with the last definition", func(t *testing.T) {
			early := tellEarly(make(chan struct{}, 1))
			bendHandles(func(_ int, b *bentRegistry) { early(b) })(t)
		}},
		{"registry: the Version is of the handle", "Version has grown when a watch tells of what another handle changed", bendHandles(func(_ int, b *bentRegistry) {
			counted(func(b *bentRegistry, n *atomic.Uint64) {
				b.put = func(ctx context.Context, c hawser.Connection) (hawser.Connection, error) {
					defer n.Add(1)
					return b.Memory.Put(ctx, c)
				}
			})(b)
		})},
		{"registry: a handle closes the store", "closing a handle leaves the others", func(t *testing.T) {
			TestRegistryHandles(t, func(t *testing.T, n int) []hawser.Registry {
				shared := closing(t, &hawser.Memory{})
				var all []hawser.Registry
				for range n {
					all = append(all, shared)
				}
				return all
			})
		}},
	}
}

// ownRevisions makes b's revisions begin with prefix, and refuses others.
func ownRevisions(b *bentRegistry, prefix string) {
	b.lookup = func(ctx context.Context, name string) (hawser.Connection, error) {
		c, err := b.Memory.Lookup(ctx, name)
		c.Revision = prefix + c.Revision
		return c, err
	}
	b.put = func(ctx context.Context, c hawser.Connection) (hawser.Connection, error) {
		c.Revision = strings.TrimPrefix(c.Revision, prefix)
		c, err := b.Memory.Put(ctx, c)
		c.Revision = prefix + c.Revision
		return c, err
	}
}

// putInSteps compares and swaps with a moment in between.
func putInSteps(ctx context.Context, m *hawser.Memory, c hawser.Connection) (hawser.Connection, error) {
	stored, _ := m.Lookup(ctx, c.Name)
	if stored.Revision != c.Revision {
		return c, hawser.ErrConflict
	}
	time.Sleep(moment)
	c.Revision = hawser.AnyRevision
	return m.Put(ctx, c)
}
