package registry

import (
	"context"
	"errors"
	"fmt"

	"github.com/hawser/hawser"
)

// Existing says what [Copy] does with a connection whose name is in the
// destination already. The zero Existing is Refuse.
type Existing int

const (
	Refuse  Existing = iota // an error that matches hawser.ErrConflict
	Skip                    // leave it as it is
	Replace                 // put the source's in its place, whatever its revision
)

// Copied is what [Copy] did, by names in the order of the source.
type Copied struct{ Created, Replaced, Skipped []string }

// Copy puts every connection of src into dst: from a file into a database, from
// memory into etcd. Literal secrets are carried over, so dst must be one that
// keeps them, or refuses. Revisions are dst's own. What is only in dst stays.
//
// All of src is read before anything is put, so a src that fails copies nothing.
// With [Refuse], and a dst that is a Registry too, the same holds if one of the
// names is there. Else a connection that dst refuses does not hold up the others:
// the error joins such problems, each with its name, and Copied says what was
// done. ctx bounds all of it, and ends it between two Puts.
func Copy(ctx context.Context, dst hawser.Writer, src hawser.Registry, existing Existing) (Copied, error) {
	var conns []hawser.Connection
	for c, err := range src.All(ctx) {
		if err != nil {
			return Copied{}, fmt.Errorf("source: %w", err)
		}
		conns = append(conns, c)
	}
	if reader, ok := dst.(hawser.Registry); ok && existing == Refuse {
		if err := refuseExisting(ctx, reader, conns); err != nil {
			return Copied{}, err
		}
	}
	var done Copied
	var problems []error
	for _, c := range conns {
		if err := ctx.Err(); err != nil {
			return done, errors.Join(append(problems, err)...)
		}
		if err := done.copy(ctx, dst, c, existing); err != nil {
			problems = append(problems, fmt.Errorf("%q: %w", c.Name, err))
		}
	}
	return done, errors.Join(problems...)
}

func refuseExisting(ctx context.Context, dst hawser.Registry, conns []hawser.Connection) error {
	var problems []error
	for _, c := range conns {
		_, err := dst.Lookup(ctx, c.Name)
		switch {
		case errors.Is(err, hawser.ErrNotFound):
		case err != nil:
			return fmt.Errorf("destination: %w", err)
		default:
			problems = append(problems, fmt.Errorf("%w: %q exists already", hawser.ErrConflict, c.Name))
		}
	}
	return errors.Join(problems...)
}

// copy puts c as a new connection first, so that it is known which of the two it
// was.
func (d *Copied) copy(ctx context.Context, dst hawser.Writer, c hawser.Connection, existing Existing) error {
	c.Revision = ""
	_, err := dst.Put(ctx, c)
	switch {
	case err == nil:
		d.Created = append(d.Created, c.Name)
		return nil
	case !errors.Is(err, hawser.ErrConflict) || existing == Refuse:
		return err
	case existing == Skip:
		d.Skipped = append(d.Skipped, c.Name)
		return nil
	}
	c.Revision = hawser.AnyRevision
	if _, err := dst.Put(ctx, c); err != nil {
		return err
	}
	d.Replaced = append(d.Replaced, c.Name)
	return nil
}
