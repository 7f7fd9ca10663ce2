package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/hawser/hawser"
)

// An admin edits connections while jobs use them.
type admin struct {
	m           *hawser.Manager
	connections *stored
	changed     <-chan hawser.Connection // what follow saw
	out         io.Writer
}

// move looks a connection up, changes its port, tests it before it is saved,
// and saves it.
func (a admin) move(ctx context.Context, name string, port uint16) error {
	c, err := a.connections.Lookup(ctx, name)
	if err != nil {
		return err
	}
	stale := c.Clone() // what somebody else has open in another editor
	fmt.Fprintf(a.out, "\n%q moves. The definition is edited: port %d becomes %d.\n", name, c.Port, port)
	c.Port = port
	if err := a.test(ctx, c); err != nil {
		return err
	}
	c, err = a.connections.Put(ctx, c) // saved only if nobody else was faster
	if err != nil {
		return err
	}
	fmt.Fprintf(a.out, "  Saved: revision %s becomes %s.\n", stale.Revision, c.Revision)
	if err := a.seen(ctx); err != nil {
		return err
	}
	return a.conflict(ctx, stale)
}

// test tests c as it is in the editor: no job sees it yet.
func (a admin) test(ctx context.Context, c hawser.Connection) error {
	fmt.Fprintln(a.out, "  Tested before it is saved:")
	report := a.m.Test(ctx, c)
	for _, step := range report.Steps {
		detail := step.Detail
		if step.Err != nil {
			detail = "FAILED"
		}
		if step.Hop != "" {
			detail = step.Hop + ": " + detail
		}
		fmt.Fprintf(a.out, "    %-8s %8s  %s\n", step.Phase, step.Took.Round(10*time.Microsecond), detail)
	}
	return report.Err
}

// seen waits until the watch has told of the change.
func (a admin) seen(ctx context.Context) error {
	select {
	case c, ok := <-a.changed:
		if !ok {
			return errors.New("the watch ended")
		}
		fmt.Fprintf(a.out, "  The watch tells: %q is now at %s, revision %s.\n", c.Name, c.Addr(), c.Revision)
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// conflict saves an edit of what has changed since it was read.
func (a admin) conflict(ctx context.Context, stale hawser.Connection) error {
	stale.Timeout = time.Minute
	_, err := a.connections.Put(ctx, stale)
	if !errors.Is(err, hawser.ErrConflict) {
		return fmt.Errorf("a stale edit was not refused: %w", err)
	}
	fmt.Fprintf(a.out, "  An edit of the old revision is refused: %v.\n\n", err)
	return nil
}

// follow sends each connection that changes to changed until ctx ends or the
// watch fails, and closes changed then. A program that goes on after a failure
// looks everything up anew and watches again.
func follow(ctx context.Context, r hawser.Registry, changes iter.Seq2[hawser.Change, error], changed chan<- hawser.Connection) {
	defer close(changed)
	for change, err := range changes {
		if err != nil {
			return
		}
		c, err := r.Lookup(ctx, change.Name)
		if err != nil {
			continue // it was deleted; nobody does that here
		}
		select {
		case changed <- c:
		case <-ctx.Done():
			return
		}
	}
}
