package hawsertest

import (
	"context"
	"errors"
	"net"
	"slices"
	"testing"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/require"
)

func TestRegistryOfMemory(t *testing.T) {
	TestRegistry(t, func(_ *testing.T, conns ...hawser.Connection) hawser.Registry { return hawser.NewMemory(conns...) })
}

func TestRegistryHandlesOfMemory(t *testing.T) {
	TestRegistryHandles(t, func(_ *testing.T, n int) []hawser.Registry {
		return slices.Repeat([]hawser.Registry{&hawser.Memory{}}, n)
	})
}

func TestRegistryThatCloses(t *testing.T) {
	TestRegistry(t, func(t *testing.T, conns ...hawser.Connection) hawser.Registry {
		return closing(t, hawser.NewMemory(conns...))
	})
	TestRegistryHandles(t, func(t *testing.T, n int) []hawser.Registry {
		m := &hawser.Memory{}
		var all []hawser.Registry
		for range n {
			all = append(all, closing(t, m))
		}
		return all
	})
}

func TestRegistryThatRefusesLiterals(t *testing.T) {
	TestRegistry(t, func(_ *testing.T, conns ...hawser.Connection) hawser.Registry {
		return keyless{hawser.NewMemory(conns...)}
	})
	TestRegistryHandles(t, func(_ *testing.T, n int) []hawser.Registry {
		return slices.Repeat([]hawser.Registry{keyless{&hawser.Memory{}}}, n)
	})
}

func TestRegistryThatIsReadOnlyInside(t *testing.T) {
	TestRegistry(t, func(_ *testing.T, conns ...hawser.Connection) hawser.Registry {
		return unwritable{hawser.NewMemory(conns...)}
	})
}

func TestRegistryWithoutOptionalInterfaces(t *testing.T) {
	TestRegistry(t, func(_ *testing.T, conns ...hawser.Connection) hawser.Registry {
		return struct{ hawser.Registry }{hawser.NewMemory(conns...)}
	})
}

func TestSampleIsValid(t *testing.T) {
	require.NoError(t, sample("bank").Validate())
}

func TestEveryFieldIsFilled(t *testing.T) {
	left := map[string]bool{}
	for _, s := range settings() {
		left[s.name] = true
	}
	for _, c := range filledAll() {
		require.NoError(t, c.Validate(), c.Name)
		for _, s := range settings() {
			if !s.value(&c).IsZero() {
				delete(left, s.name)
			}
		}
	}
	require.Empty(t, left, "Validate refuses the values that choices and fill give these fields")
}

// closable ends its watches when it is closed.
type closable struct {
	*hawser.Memory
	closed context.Context
	end    context.CancelFunc
}

func closing(t *testing.T, m *hawser.Memory) *closable {
	closed, end := context.WithCancel(context.Background())
	t.Cleanup(end)
	return &closable{m, closed, end}
}

func (c *closable) Close() error { c.end(); return nil }

func (c *closable) Put(ctx context.Context, conn hawser.Connection) (hawser.Connection, error) {
	if c.closed.Err() != nil {
		return hawser.Connection{}, net.ErrClosed
	}
	return c.Memory.Put(ctx, conn)
}

func (c *closable) Watch(ctx context.Context) (changes, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	context.AfterFunc(c.closed, func() { cancel(net.ErrClosed) })
	inner, err := c.Memory.Watch(ctx)
	if err != nil {
		return nil, err
	}
	return func(yield func(hawser.Change, error) bool) {
		for change, err := range inner {
			if err != nil {
				err = context.Cause(ctx)
			}
			if !yield(change, err) {
				return
			}
		}
	}, nil
}

// keyless refuses literal secrets, as a registry without a key does.
type keyless struct{ *hawser.Memory }

func (k keyless) Put(ctx context.Context, c hawser.Connection) (hawser.Connection, error) {
	for name, secret := range c.Secrets() {
		if secret.Ref() == "" {
			return hawser.Connection{}, &hawser.FieldError{Field: name, Problem: "is a literal; this registry has no key"}
		}
	}
	return k.Memory.Put(ctx, c)
}

// unwritable has the methods of a Writer and a Watcher, as a wrapper does, and
// wraps neither.
type unwritable struct{ *hawser.Memory }

func (unwritable) Put(context.Context, hawser.Connection) (hawser.Connection, error) {
	return hawser.Connection{}, errors.ErrUnsupported
}
func (unwritable) Delete(context.Context, string, string) error { return errors.ErrUnsupported }
func (unwritable) Watch(context.Context) (changes, error)       { return nil, errors.ErrUnsupported }
