package registry

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync/atomic"

	"github.com/hawser/hawser"
)

// Prefix returns a view of the connections of r whose names begin with prefix,
// such as "team-a/". In the view their names are without it, and so is their
// Via: a connection that leads through one outside of the view is an error that
// says so, which matches hawser.ErrInvalid, and All yields it after all the
// others. A Put adds the prefix to both.
//
// The view is a hawser.Writer if r is one; it can be watched if r can, else
// Watch gives errors.ErrUnsupported. Its revisions are those of r. It is a
// matter of names, not of protection: errors of r may name connections in full.
// It closes nothing.
func Prefix(r hawser.Registry, prefix string) hawser.Registry {
	v := &view{inner: r, prefix: prefix}
	if w, ok := r.(hawser.Writer); ok {
		return &writableView{view: v, writer: w}
	}
	return v
}

type view struct {
	inner   hawser.Registry
	prefix  string
	changes atomic.Uint64 // Puts and Deletes that returned
}

type writableView struct {
	*view
	writer hawser.Writer
}

var _ interface {
	hawser.Registry
	hawser.Writer
	hawser.Watcher
	hawser.Versioner
} = (*writableView)(nil)

// Lookup finds no connection whose name is the prefix alone: a view of an empty
// name is none.
func (v *view) Lookup(ctx context.Context, name string) (hawser.Connection, error) {
	if err := ctx.Err(); err != nil {
		return hawser.Connection{}, err
	}
	if name == "" {
		return hawser.Connection{}, v.missing(name)
	}
	c, err := v.inner.Lookup(ctx, v.prefix+name)
	if errors.Is(err, hawser.ErrNotFound) {
		return hawser.Connection{}, v.missing(name) // that of inner may suggest a name outside
	}
	if err != nil {
		return hawser.Connection{}, err
	}
	return v.show(c)
}

func (v *view) missing(name string) error {
	return fmt.Errorf("%w: %q below %q", hawser.ErrNotFound, name, v.prefix)
}

// show returns c as it is in the view.
func (v *view) show(c hawser.Connection) (hawser.Connection, error) {
	c.Name = strings.TrimPrefix(c.Name, v.prefix)
	if c.Via == "" {
		return c, nil
	}
	via, inside := strings.CutPrefix(c.Via, v.prefix)
	if !inside || via == "" {
		return hawser.Connection{}, fmt.Errorf("%q below %q: %w", c.Name, v.prefix,
			&hawser.FieldError{Field: "via", Problem: fmt.Sprintf("leads out of the view, to %q; want a name that begins with %q", c.Via, v.prefix)})
	}
	c.Via = via
	return c, nil
}

func (v *view) All(ctx context.Context) iter.Seq2[hawser.Connection, error] {
	return func(yield func(hawser.Connection, error) bool) {
		var outside []error
		for c, err := range v.inner.All(ctx) {
			if err != nil {
				yield(hawser.Connection{}, err)
				return
			}
			name, inside := strings.CutPrefix(c.Name, v.prefix)
			if !inside && c.Name > v.prefix {
				break // names are in order, so no more of them follow
			}
			if !inside || name == "" {
				continue
			}
			if c, err = v.show(c); err != nil {
				outside = append(outside, err)
			} else if !yield(c, nil) {
				return
			}
		}
		if err := firstOf(ctx.Err(), errors.Join(outside...)); err != nil {
			yield(hawser.Connection{}, err)
		}
	}
}

// Put also checks c under its name in the view, which a job finds it by.
func (v *writableView) Put(ctx context.Context, c hawser.Connection) (hawser.Connection, error) {
	if err := ctx.Err(); err != nil {
		return hawser.Connection{}, err
	}
	if c.Name == "" {
		return hawser.Connection{}, errors.Join(&hawser.FieldError{Field: "name", Problem: "is empty; jobs find a connection by its name"}, c.Validate())
	}
	if err := c.Validate(); err != nil {
		return hawser.Connection{}, err
	}
	c.Name = v.prefix + c.Name
	if c.Via != "" {
		c.Via = v.prefix + c.Via
	}
	put, err := v.writer.Put(ctx, c)
	v.changes.Add(1)
	if err != nil {
		return hawser.Connection{}, err
	}
	return v.show(put)
}

// Delete removes name; see [hawser.Writer].
func (v *writableView) Delete(ctx context.Context, name, revision string) error {
	if name == "" && revision != "" {
		return firstOf(ctx.Err(), v.missing(name))
	}
	err := v.writer.Delete(ctx, v.prefix+name, revision)
	v.changes.Add(1)
	if errors.Is(err, hawser.ErrNotFound) {
		return v.missing(name)
	}
	return err
}

// Watch tells of changes below the prefix alone.
func (v *view) Watch(ctx context.Context) (changes, error) {
	inner, err := watch(ctx, v.inner)
	if err != nil {
		return nil, err
	}
	return func(yield func(hawser.Change, error) bool) {
		for change, err := range inner {
			name, inside := strings.CutPrefix(change.Name, v.prefix)
			if err == nil && change.Name != "" && (!inside || name == "") {
				continue
			}
			if !yield(hawser.Change{Name: name}, err) || err != nil {
				return
			}
		}
	}, nil
}

// Version grows with each change that was made through v, and with that of the
// Registry below.
func (v *view) Version() uint64 { return v.changes.Load() + versionOf(v.inner) }
