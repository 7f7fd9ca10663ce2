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
	// lookupPatience is how long an open that has a last good definition waits for
	// an answer, and lookupPause how long it does not ask after a failure.
	lookupPatience = time.Second
	lookupPause    = time.Second
)

// A definition is what a name means. Of one that is in Manager.names, the fields
// from stale on change, under its lock.
type definition struct {
	conn    Connection // complete
	edition *edition
	asked   uint64 // when it was asked for, counted in lookups
	version uint64 // of the Registry, before it was asked

	stale     bool      // a change was told since
	confirmed time.Time // when the Registry last stood by it
	failure   error     // of the last lookup, if that failed
	failedAt  time.Time
	failedFor uint64 // the version that was asked for then
}

// needs reports whether d was made of the connection called name.
func (d *definition) needs(name string) bool {
	return d.conn.Name == name || slices.ContainsFunc(d.conn.Hops, func(hop Connection) bool { return hop.Name == name })
}

// paused reports whether the Registry has just failed to say what d is at version.
func (d *definition) paused(version uint64) bool {
	return d.failure != nil && d.failedFor == version && time.Since(d.failedAt) < lookupPause
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
	d = m.names[name]
	switch {
	case m.closed:
		m.mu.Unlock()
		return nil, "", errClosed(Connection{Name: name})
	case d != nil && m.follow.live && !d.stale && d.version == version:
		m.mu.Unlock()
		return d, "", nil
	case d != nil && d.paused(version):
		defer m.mu.Unlock()
		return m.lastGood(d, d.failure)
	}
	asked := m.follow.ask(version)
	m.mu.Unlock()
	if d == nil {
		return m.lookUp(ctx, name, asked, lookupTimeout)
	}
	return m.lookUpPatiently(ctx, d, asked)
}

// lookUp asks the Registry what name means.
func (m *Manager) lookUp(ctx context.Context, name string, a asking, bound time.Duration) (*definition, string, error) {
	limited, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	c, err := m.lookupWhole(limited, name)
	if err != nil && ctx.Err() != nil { // the caller gave up, which says nothing of the Registry
		return nil, "", err
	}
	return m.settle(name, c, a, err)
}

// lookUpPatiently asks what d is now, and takes the last good one where the answer
// keeps the caller waiting.
func (m *Manager) lookUpPatiently(ctx context.Context, d *definition, a asking) (*definition, string, error) {
	type answer struct {
		d      *definition
		detail string
		err    error
	}
	answered := make(chan answer, 1)
	asking, end := m.errand(context.WithoutCancel(ctx)) // a late answer is worth having
	m.mu.Lock()
	m.spawn(func() {
		defer end()
		d, detail, err := m.lookUp(asking, d.conn.Name, a, shortLookup)
		answered <- answer{d, detail, err}
	})
	m.mu.Unlock()
	patience := time.NewTimer(patienceOf(ctx))
	defer patience.Stop()
	select {
	case got := <-answered:
		return got.d, got.detail, got.err
	case <-ctx.Done():
		return nil, "", &Error{Op: "open", Phase: PhaseLookup, Name: d.conn.Name, Err: ctx.Err()}
	case <-patience.C:
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	failure := &Error{Err: fmt.Errorf("no answer within %v", lookupPatience)}
	return m.failed(d.conn.Name, a, failure)
}

// patienceOf leaves most of a short time to what comes after the lookup.
func patienceOf(ctx context.Context) time.Duration {
	if end, ok := ctx.Deadline(); ok {
		return min(lookupPatience, time.Until(end)/2)
	}
	return lookupPatience
}

// settle makes c, or what err says, the meaning of name, unless somebody who
// asked later knows better.
func (m *Manager) settle(name string, c Connection, a asking, err error) (*definition, string, error) {
	var id identity
	if err == nil {
		id = identityOf(c)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	d := m.names[name]
	var failed *lookupError
	switch {
	case m.closed:
		return nil, "", errClosed(Connection{Name: name, Protocol: c.Protocol})
	case d != nil && d.asked > a.number:
		return d, "", nil
	case err == nil:
		return m.put(name, c, m.editionOf(id), a), "", nil
	case errors.As(err, &failed):
		return m.failed(name, a, err)
	}
	m.forget(name)
	return nil, "", err
}

// failed is what a lookup comes to that failed. It must be called with mu held.
func (m *Manager) failed(name string, a asking, err error) (*definition, string, error) {
	d := m.names[name]
	if d == nil {
		return nil, "", err
	}
	if m.follow.live && !d.stale { // then the watch stands by it
		d.confirmed = time.Now()
	}
	d.failure, d.failedAt, d.failedFor = err, time.Now(), a.version
	return m.lastGood(d, err)
}

// put must be called with mu held.
func (m *Manager) put(name string, c Connection, e *edition, a asking) *definition {
	m.startFollowing()
	m.sweepNames()
	d := &definition{
		conn: c, edition: e, asked: a.number, version: a.version,
		stale: a.changes != m.follow.changes, confirmed: time.Now(),
	}
	before := m.names[name]
	if m.names == nil {
		m.names = map[string]*definition{}
	}
	m.names[name] = d
	e.pool.join(name, d)
	if before != nil {
		m.leave(name, before)
	}
	if d.stale {
		m.follow.signal()
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

// sweepNames forgets, now and then, what nobody has asked for where no watch tells
// that it is gone. It must be called with mu held.
func (m *Manager) sweepNames() {
	if m.follow.live || len(m.names) < m.follow.sweepAt {
		return
	}
	for name, d := range m.names {
		if d.edition.pool.open == 0 && time.Since(d.confirmed) > m.staleness() {
			m.forget(name)
		}
	}
	m.follow.sweepAt = 2*len(m.names) + 100
}

// staleness is what m.Stale means.
func (m *Manager) staleness() time.Duration {
	if m.Stale == 0 {
		return defaultStale
	}
	return m.Stale
}

// lastGood returns d in place of what the Registry cannot say, for a while. It
// must be called with mu held.
func (m *Manager) lastGood(d *definition, failure error) (*definition, string, error) {
	age, stale := time.Since(d.confirmed).Round(time.Second), m.staleness()
	cause := failure
	if e := (*Error)(nil); errors.As(failure, &e) {
		cause = e.Err
	}
	var err error
	switch {
	case stale < 0:
		err = cause
	case age > stale:
		err = fmt.Errorf("the registry fails, and its last good answer is %v old, where Manager.Stale allows %v: %w", age, stale, cause)
	default:
		return d, fmt.Sprintf("last good definition, %v old, for the registry fails: %v", age, cause), nil
	}
	return nil, "", &Error{Op: "open", Phase: PhaseLookup, Name: d.conn.Name, Protocol: d.conn.Protocol, Err: err}
}
