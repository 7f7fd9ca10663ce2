package hawser

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// A lookupError is a Registry that failed, and not what it said of a name.
type lookupError struct{ err error }

func (e *lookupError) Error() string { return e.err.Error() }
func (e *lookupError) Unwrap() error { return e.err }

// lookup asks the Registry. The error holds a [lookupError] unless the answer is
// that there is no such connection.
func (m *Manager) lookup(ctx context.Context, name string) (Connection, error) {
	if m.Registry == nil {
		return Connection{}, errors.New("manager has no Registry")
	}
	c, err := m.Registry.Lookup(ctx, name)
	if err != nil && !errors.Is(err, ErrNotFound) {
		err = &lookupError{err}
	}
	return c, err
}

// lookupWhole looks up name and what it leads through, and checks it.
func (m *Manager) lookupWhole(ctx context.Context, name string) (Connection, error) {
	c, err := m.lookup(ctx, name)
	if err != nil {
		return c, &Error{Op: "open", Phase: PhaseLookup, Name: name, Err: err}
	}
	err = m.complete(ctx, &c)
	return c, err
}

// complete checks c, which may come from a Registry or from a user, and fills
// in its Hops.
func (m *Manager) complete(ctx context.Context, c *Connection) error {
	m.mu.Lock()
	closed := m.closed
	m.mu.Unlock()
	if closed {
		return errClosed(*c)
	}
	err := c.Validate()
	if m.Dialer == nil {
		err = errors.New("manager has no Dialer")
	}
	if err == nil {
		err = m.fillHops(ctx, c)
	}
	if err != nil {
		return &Error{Op: "open", Phase: PhaseLookup, Name: c.Name, Protocol: c.Protocol, Err: err}
	}
	return nil
}

// fillHops looks up the connections that c.Via leads to, nearest first.
func (m *Manager) fillHops(ctx context.Context, c *Connection) error {
	seen := []string{c.Name}
	c.Hops = nil
	for via := c.Via; via != ""; {
		if slices.Contains(seen, via) {
			return &FieldError{Field: "via", Problem: fmt.Sprintf("leads in a circle: %q again", via)}
		}
		seen = append(seen, via)
		hop, err := m.lookup(ctx, via)
		if err != nil {
			return fmt.Errorf("via: %w", err)
		}
		if hop.Protocol != SSH {
			return &FieldError{Field: "via", Problem: fmt.Sprintf("%q is a connection of protocol %q; a hop is of protocol ssh", via, hop.Protocol)}
		}
		if err := hop.Validate(); err != nil {
			return fmt.Errorf("via %s: %w", via, err)
		}
		c.Hops = append(c.Hops, hop)
		via = hop.Via
	}
	return nil
}

// dial opens a session to c, which is complete.
func (m *Manager) dial(ctx context.Context, c Connection) (Session, error) {
	c = c.Clone()
	if err := m.resolve(ctx, &c); err != nil {
		return nil, err
	}
	return m.Dialer.Dial(ctx, c)
}

// resolve puts the secrets of c and its Hops in the place of their references.
func (m *Manager) resolve(ctx context.Context, c *Connection) error {
	start := time.Now()
	err := resolveSecrets(ctx, m.Secrets, c)
	for i := range c.Hops {
		if hopErr := resolveSecrets(ctx, m.Secrets, &c.Hops[i]); hopErr != nil {
			err = errors.Join(err, fmt.Errorf("via %s: %w", c.Hops[i].Name, hopErr))
		}
	}
	if err != nil {
		err = &Error{Op: "open", Phase: PhaseSecrets, Name: c.Name, Protocol: c.Protocol, Err: err}
	}
	reportStep(ctx, c.Name, Step{Phase: PhaseSecrets, Took: time.Since(start), Err: err})
	return err
}
