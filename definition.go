package hawser

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

const (
	// defaultStale is what a zero Manager.Stale means.
	defaultStale = 5 * time.Minute
	// lookupTimeout bounds one look up, and shortLookup one that has a last good
	// definition to fall back on.
	lookupTimeout = 30 * time.Second
	shortLookup   = 5 * time.Second
	// lookupPause is how long a Registry that failed is not asked again by opens
	// that have a last good definition.
	lookupPause = time.Second
)

// A definition is what a name means. Of one that is in Manager.names, stale and
// confirmed change, under its lock.
type definition struct {
	conn      Connection // complete
	edition   *edition
	asked     uint64    // when it was asked for, counted in lookups
	version   uint64    // of the Registry, before it was asked
	stale     bool      // a change was told since
	confirmed time.Time // when the Registry last stood by it
}

// needs reports whether d was made of the connection called name.
func (d *definition) needs(name string) bool {
	return d.conn.Name == name || slices.ContainsFunc(d.conn.Hops, func(hop Connection) bool { return hop.Name == name })
}

// define returns what name means now.
func (m *Manager) define(ctx context.Context, name string) (*definition, error) {
	start := time.Now()
	d, detail, err := m.defined(ctx, name)
	reportStep(ctx, name, Step{Phase: PhaseLookup, Took: time.Since(start), Detail: detail, Err: err})
	return d, err
}

func (m *Manager) defined(ctx context.Context, name string) (d *definition, detail string, err error) {
	if err := ctx.Err(); err != nil {
		return nil, "", &Error{Op: "open", Phase: PhaseLookup, Name: name, Err: err}
	}
	version := m.version()
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return nil, "", errClosed(Connection{Name: name})
	}
	d = m.names[name]
	if d != nil && m.follow.live && !d.stale && d.version == version {
		m.mu.Unlock()
		return d, "", nil
	}
	if d != nil && time.Now().Before(m.follow.pausedUntil) {
		defer m.mu.Unlock()
		return m.lastGood(d, m.follow.failure)
	}
	asked := m.follow.ask(version)
	m.mu.Unlock()
	c, err := m.lookupBounded(ctx, name, d != nil)
	return m.settle(ctx, name, c, asked, err)
}

func (m *Manager) lookupBounded(ctx context.Context, name string, fallback bool) (Connection, error) {
	bound := lookupTimeout
	if fallback {
		bound = shortLookup
	}
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	return m.lookupWhole(ctx, name)
}

// settle makes c, or what err says, the meaning of name, unless somebody who
// asked later knows better.
func (m *Manager) settle(ctx context.Context, name string, c Connection, a asking, err error) (*definition, string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d := m.names[name]
	var failed *lookupError
	switch {
	case m.closed:
		return nil, "", errClosed(c)
	case d != nil && d.asked > a.number:
		return d, "", nil
	case err == nil:
		m.follow.pausedUntil = time.Time{}
		return m.put(name, c, a), "", nil
	case ctx.Err() != nil: // the caller gave up, which says nothing of the Registry
		return nil, "", err
	case errors.As(err, &failed):
		if d == nil {
			return nil, "", err
		}
		m.follow.pausedUntil, m.follow.failure = time.Now().Add(lookupPause), err
		return m.lastGood(d, err)
	}
	m.forget(name)
	return nil, "", err
}

// put must be called with mu held.
func (m *Manager) put(name string, c Connection, a asking) *definition {
	m.startFollowing()
	d := &definition{
		conn: c, asked: a.number, version: a.version,
		stale: a.changes != m.follow.changes, confirmed: time.Now(),
	}
	d.edition = m.editionOf(c)
	before := m.names[name]
	if m.names == nil {
		m.names = map[string]*definition{}
	}
	m.names[name] = d
	d.edition.pool.join(name, d)
	if before != nil && before.edition != d.edition {
		m.leave(name, before)
	}
	return d
}

// forget drops what name meant. It must be called with mu held.
func (m *Manager) forget(name string) {
	d := m.names[name]
	delete(m.names, name)
	if d != nil {
		m.leave(name, d)
	}
}

// lastGood returns d in place of what the Registry cannot say, for a while. It
// must be called with mu held.
func (m *Manager) lastGood(d *definition, failure error) (*definition, string, error) {
	stale := m.Stale
	if stale == 0 {
		stale = defaultStale
	}
	age := time.Since(d.confirmed).Round(time.Second)
	var cause *lookupError
	errors.As(failure, &cause)
	if stale < 0 {
		return nil, "", &Error{Op: "open", Phase: PhaseLookup, Name: d.conn.Name, Protocol: d.conn.Protocol, Err: cause}
	}
	if age > stale {
		err := fmt.Errorf("the registry fails, and its last good answer is %v old, where Manager.Stale allows %v: %w", age, stale, cause)
		return nil, "", &Error{Op: "open", Phase: PhaseLookup, Name: d.conn.Name, Protocol: d.conn.Protocol, Err: err}
	}
	return d, fmt.Sprintf("last good definition, %v old, for the registry fails: %v", age, cause), nil
}
