package hawser

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"reflect"
	"slices"
	"sync"
	"time"
)

// A Manager opens sessions by connection name. It is safe for concurrent use
// while nobody changes its fields, and must not be copied. Every open looks
// the name up anew, so a changed connection is followed from the next open on.
//
// An open goes: look up, validate, fill in Hops, resolve secrets, dial.
type Manager struct {
	Registry Registry
	Dialer   Dialer
	Secrets  SecretResolver // nil: LocalSecrets

	mu     sync.Mutex // guards all below
	open   map[*leased]struct{}
	closed bool          // refuses new opens
	ended  bool          // Close was called
	idle   chan struct{} // set by Shutdown; closed when open is empty
}

// Use opens name, calls fn with the capability T, and gives the session back:
// it is the form to prefer. T is [FileSystem], [Runner], [Mailer], another
// interface, or a driver's own type; a session that is no T gives an error
// that matches errors.ErrUnsupported. The T must not be used after fn returned.
// The error is that of opening or of fn.
func Use[T any](ctx context.Context, m *Manager, name string, fn func(context.Context, T) error) error {
	s, err := m.Open(ctx, name)
	if err != nil {
		return err
	}
	// What fn had to know is in the results of its own calls: a file, for one,
	// is complete when its Close returned nil, not when its session's does.
	defer s.Close()
	t, ok := As[T](s)
	if !ok {
		return fmt.Errorf("%w: connection %s is no %v", errors.ErrUnsupported, name, reflect.TypeFor[T]())
	}
	return fn(ctx, t)
}

// Open opens a session to the connection called name. ctx bounds Open alone.
// The error is an [*Error] that says which phase failed. The caller closes the
// Session; see [As] for what it can do.
func (m *Manager) Open(ctx context.Context, name string) (Session, error) {
	start := time.Now()
	c, err := m.lookup(ctx, name)
	if err != nil {
		err = &Error{Op: "open", Phase: PhaseLookup, Name: name, Err: err}
	} else {
		err = m.complete(ctx, &c)
	}
	reportStep(ctx, name, Step{Phase: PhaseLookup, Took: time.Since(start), Err: err})
	if err != nil {
		return nil, err
	}
	return m.dial(ctx, c)
}

func (m *Manager) lookup(ctx context.Context, name string) (Connection, error) {
	if m.Registry == nil {
		return Connection{}, errors.New("manager has no Registry")
	}
	return m.Registry.Lookup(ctx, name)
}

// dial opens a session to c, which is complete.
func (m *Manager) dial(ctx context.Context, c Connection) (Session, error) {
	c = c.Clone()
	if err := m.resolve(ctx, &c); err != nil {
		return nil, err
	}
	s, err := m.Dialer.Dial(ctx, c)
	if err != nil {
		return nil, err
	}
	return m.lease(s, c)
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

func errClosed(c Connection) error {
	return &Error{Op: "open", Name: c.Name, Protocol: c.Protocol, Err: fmt.Errorf("manager is closed: %w", net.ErrClosed)}
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

// lease wraps s so that m knows of it until it is closed. The pool will take
// it back here.
func (m *Manager) lease(s Session, c Connection) (Session, error) {
	l := &leased{Session: s, m: m}
	if !m.hold(l) {
		_ = s.Close()
		return nil, errClosed(c)
	}
	return l, nil
}

// hold reports whether m is open and now knows of l.
func (m *Manager) hold(l *leased) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return false
	}
	if m.open == nil {
		m.open = map[*leased]struct{}{}
	}
	m.open[l] = struct{}{}
	return true
}

// Shutdown refuses new opens and waits until every session that was handed out
// is closed or ctx ends; then it closes what is left and the Dialer, if that
// is an io.Closer. Its error is the context's if it had to cut sessions off.
func (m *Manager) Shutdown(ctx context.Context) error {
	m.mu.Lock()
	m.closed = true
	if m.idle == nil {
		m.idle = make(chan struct{})
		if len(m.open) == 0 {
			close(m.idle)
		}
	}
	idle := m.idle
	m.mu.Unlock()
	select {
	case <-idle:
		return m.Close()
	case <-ctx.Done():
		return errors.Join(ctx.Err(), m.Close())
	}
}

// Close refuses new opens and closes every session, also those in use, and the
// Dialer, if that is an io.Closer. Later calls close nothing more.
func (m *Manager) Close() error {
	m.mu.Lock()
	ended := m.ended
	m.closed, m.ended = true, true
	open := slices.Collect(maps.Keys(m.open))
	m.mu.Unlock()
	if ended {
		return nil
	}
	for _, l := range open {
		_ = l.Session.Close()
	}
	if closer, ok := m.Dialer.(io.Closer); ok {
		return closer.Close()
	}
	return nil
}

// leased is a session that m handed out. It intercepts Close alone.
type leased struct {
	Session
	m *Manager
}

// Unwrap returns the driver's session; see [As].
func (l *leased) Unwrap() Session { return l.Session }

// Close closes the session and lets a Shutdown that waits for it go on.
func (l *leased) Close() error {
	err := l.Session.Close()
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	if _, mine := l.m.open[l]; !mine {
		return nil
	}
	delete(l.m.open, l)
	if len(l.m.open) == 0 && l.m.idle != nil {
		close(l.m.idle)
	}
	return err
}
