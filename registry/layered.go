package registry

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/hawser/hawser"
)

// ErrShadow says that a connection cannot be deleted through a [Layered],
// because another definition of it would come to light.
var ErrShadow = errors.New("another layer has a connection of this name")

// Layered is a Registry of several: of a name that is in more than one layer,
// the first layer's definition counts, whole. Layers are not merged field by
// field, so that whoever reads one definition has read all of it; see
// [Layered.Explain].
//
// A layer that fails is an error, and the layers below it are not asked: else
// a server that is down would silently turn a job to another definition, with
// another host or login. Only a layer that says hawser.ErrNotFound is passed
// over.
//
// The Revision of a connection is its layer's Name, a colon and the layer's
// own Revision. A change goes where the connection is, so it never hides a
// definition and never is hidden; see [Layered.Put].
//
// The zero Layered is empty. It is safe for concurrent use while nobody changes
// Layers, and must not be copied. It closes no layer.
type Layered struct {
	Layers []Layer // the first that has a name wins

	changes atomic.Uint64 // Puts and Deletes that returned
}

// A Layer is one registry of a [Layered].
type Layer struct {
	Name     string // stands in errors and revisions: unique, not empty, without a colon
	Registry hawser.Registry
}

var _ interface {
	hawser.Registry
	hawser.Writer
	hawser.Watcher
	hawser.Versioner
} = (*Layered)(nil)

// Lookup returns the connection called name of the first layer that has it. The
// error of a layer that fails names the layer.
func (l *Layered) Lookup(ctx context.Context, name string) (hawser.Connection, error) {
	c, _, err := l.find(ctx, name)
	return c, err
}

// find also returns the index of the layer that the connection is of.
func (l *Layered) find(ctx context.Context, name string) (hawser.Connection, int, error) {
	if err := firstOf(ctx.Err(), l.check()); err != nil {
		return hawser.Connection{}, -1, err
	}
	for i, layer := range l.Layers {
		c, err := layer.Registry.Lookup(ctx, name)
		if err == nil {
			return layer.stamp(c), i, nil
		}
		if !errors.Is(err, hawser.ErrNotFound) {
			return hawser.Connection{}, -1, layer.wrap(ctx, err)
		}
	}
	return hawser.Connection{}, -1, fmt.Errorf("%w: %q is in none of the layers (%s)", hawser.ErrNotFound, name, l.names())
}

// All yields each name once, as the first layer that has it defines it. All
// layers are read before the first is yielded: one that fails is the only thing
// yielded.
func (l *Layered) All(ctx context.Context) iter.Seq2[hawser.Connection, error] {
	return func(yield func(hawser.Connection, error) bool) {
		conns, err := l.collect(ctx)
		for _, name := range slices.Sorted(maps.Keys(conns)) {
			if err = ctx.Err(); err != nil {
				break
			}
			if !yield(conns[name], nil) {
				return
			}
		}
		if err != nil {
			yield(hawser.Connection{}, err)
		}
	}
}

// collect returns no connections beside an error.
func (l *Layered) collect(ctx context.Context) (map[string]hawser.Connection, error) {
	if err := firstOf(ctx.Err(), l.check()); err != nil {
		return nil, err
	}
	conns := map[string]hawser.Connection{}
	for _, layer := range l.Layers {
		for c, err := range layer.Registry.All(ctx) {
			if err != nil {
				return nil, layer.wrap(ctx, err)
			}
			if _, shadowed := conns[c.Name]; !shadowed {
				conns[c.Name] = layer.stamp(c)
			}
		}
	}
	return conns, nil
}

// Put changes the connection in the layer that it is in, whose Writer must take
// it: a connection of an immutable layer gives an error that matches
// errors.ErrUnsupported, because in a layer below it the change would be hidden.
// A connection that is in no layer is put into the first layer that is a Writer.
// To override a connection of a lower layer, put it into the higher one itself.
func (l *Layered) Put(ctx context.Context, c hawser.Connection) (hawser.Connection, error) {
	layer, revision, err := l.writable(ctx, c.Name, c.Revision)
	if err != nil {
		return hawser.Connection{}, err
	}
	c.Revision = revision
	put, err := layer.Registry.(hawser.Writer).Put(ctx, c)
	l.changes.Add(1)
	if err != nil {
		return hawser.Connection{}, layer.wrap(ctx, err)
	}
	return layer.stamp(put), nil
}

// Delete removes name from the layer that it is in. If a layer below has the
// name too, nothing is deleted and the error matches [ErrShadow]: whoever
// deletes a connection means that jobs find it no more, not that they find
// another.
func (l *Layered) Delete(ctx context.Context, name, revision string) error {
	if revision == "" {
		return &hawser.FieldError{Field: "revision", Problem: "give the stored revision, or AnyRevision to delete whatever is stored"}
	}
	stored, at, err := l.find(ctx, name)
	if err != nil {
		return err
	}
	layer, inner, err := l.match(stored, at, revision)
	if err != nil {
		return err
	}
	for _, below := range l.Layers[at+1:] {
		_, err := below.Registry.Lookup(ctx, name)
		if err == nil {
			return fmt.Errorf("%w: %q of layer %s would be uncovered by deleting that of layer %s; delete it there first", ErrShadow, name, below.Name, layer.Name)
		}
		if !errors.Is(err, hawser.ErrNotFound) {
			return below.wrap(ctx, err)
		}
	}
	err = layer.Registry.(hawser.Writer).Delete(ctx, name, inner)
	l.changes.Add(1)
	if err != nil {
		return layer.wrap(ctx, err)
	}
	return nil
}

// writable returns the layer that a Put of name goes to, and the revision to
// put it with there.
func (l *Layered) writable(ctx context.Context, name, revision string) (Layer, string, error) {
	stored, at, err := l.find(ctx, name)
	if err == nil {
		return l.match(stored, at, revision)
	}
	if !errors.Is(err, hawser.ErrNotFound) {
		return Layer{}, "", err
	}
	if revision != "" && revision != hawser.AnyRevision {
		return Layer{}, "", fmt.Errorf("%w: %q was deleted", hawser.ErrConflict, name)
	}
	for _, layer := range l.Layers {
		if _, ok := layer.Registry.(hawser.Writer); ok {
			return layer, revision, nil
		}
	}
	return Layer{}, "", fmt.Errorf("%w: none of the layers (%s) can be changed", errors.ErrUnsupported, l.names())
}

// match returns the layer that stored is in, which is a Writer, and revision as
// that layer knows it.
func (l *Layered) match(stored hawser.Connection, at int, revision string) (Layer, string, error) {
	layer := l.Layers[at]
	inner, mine := strings.CutPrefix(revision, layer.Name+":")
	switch {
	case revision == "":
		return layer, "", fmt.Errorf("%w: %q exists already, in layer %s", hawser.ErrConflict, stored.Name, layer.Name)
	case revision == hawser.AnyRevision:
		inner = revision
	case !mine:
		return layer, "", fmt.Errorf("%w: %q is at revision %s, not %s", hawser.ErrConflict, stored.Name, stored.Revision, revision)
	}
	if _, ok := layer.Registry.(hawser.Writer); !ok {
		return layer, "", fmt.Errorf("%w: %q is of layer %s, which cannot be changed", errors.ErrUnsupported, stored.Name, layer.Name)
	}
	return layer, inner, nil
}

// Version grows with each change that was made through l, and with the Versions
// of its layers. A layer that is no hawser.Versioner adds nothing.
func (l *Layered) Version() uint64 {
	version := l.changes.Load()
	for _, layer := range l.Layers {
		version += versionOf(layer.Registry)
	}
	return version
}

// check finds Layers that cannot be told apart or asked.
func (l *Layered) check() error {
	for i, layer := range l.Layers {
		same := func(other Layer) bool { return other.Name == layer.Name }
		switch {
		case layer.Name == "" || strings.Contains(layer.Name, ":"):
			return fmt.Errorf("layer %d is called %q; want a name without a colon", i+1, layer.Name)
		case slices.ContainsFunc(l.Layers[:i], same):
			return fmt.Errorf("two layers are called %q", layer.Name)
		case layer.Registry == nil:
			return fmt.Errorf("layer %s has no Registry", layer.Name)
		}
	}
	return nil
}

func (l *Layered) names() string {
	names := make([]string, len(l.Layers))
	for i, layer := range l.Layers {
		names[i] = layer.Name
	}
	return strings.Join(names, ", ")
}

// stamp returns c with the revision that it has in a Layered.
func (l Layer) stamp(c hawser.Connection) hawser.Connection {
	c.Revision = l.Name + ":" + c.Revision
	return c
}

// wrap names the layer in err, but for the context's own.
func (l Layer) wrap(ctx context.Context, err error) error {
	if ended := ctx.Err(); ended != nil && errors.Is(err, ended) {
		return ended
	}
	return fmt.Errorf("layer %s: %w", l.Name, err)
}
