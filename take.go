package hawser

import (
	"cmp"
	"context"
	"time"
)

// take returns a session of d, from the pool or a new one. The error is errAgain
// if d, or what was in the pool, has become useless meanwhile.
func (m *Manager) take(ctx context.Context, d *definition) (*leased, error) {
	start := time.Now()
	g, waited, err := m.reserve(ctx, d)
	if err == errAgain {
		return nil, err
	}
	if g.session == nil {
		if waited { // which an open that neither waits nor finds a session has nothing to tell of
			reportStep(ctx, d.conn.Name, Step{Phase: PhasePool, Took: time.Since(start), Detail: "waited for a place", Err: err})
		}
		if err != nil {
			return nil, err
		}
		return m.fill(ctx, d)
	}
	l, err := m.lease(ctx, d, g.session)
	if err != errAgain {
		reportStep(ctx, d.conn.Name, Step{Phase: PhasePool, Took: time.Since(start), Detail: "session used again", Err: err})
	}
	return l, err
}

// lease hands s out, which was taken from the pool.
func (m *Manager) lease(ctx context.Context, d *definition, s *pooled) (*leased, error) {
	var err error
	if time.Since(s.checked) >= freshFor {
		err = s.ping(ctx)
	}
	if err == nil {
		err = s.leasable.Lease(ctx, d.conn)
	}
	p := s.edition.pool
	m.mu.Lock()
	defer m.mu.Unlock()
	reason := s.wears(time.Now())
	if err != nil || !s.leasable.Reusable() {
		reason = &p.count.ClosedBroken
	}
	if reason == nil {
		p.count.Reused++
		return m.handOut(d, s), nil
	}
	// It comes back as if it were idle, to be dropped at once.
	p.drop(s, reason)
	if ctx.Err() != nil {
		return nil, poolError(d.conn, ctx.Err())
	}
	return nil, errAgain
}

// handOut must be called with mu held.
func (m *Manager) handOut(d *definition, s *pooled) *leased {
	s.limits = d.conn.Limits.orDefaults()
	s.timeout = cmp.Or(d.conn.Timeout, DefaultTimeout)
	l := &leased{Session: s.session, session: s}
	if m.leases == nil {
		m.leases = map[*leased]struct{}{}
	}
	m.leases[l] = struct{}{}
	return l
}

// fill opens a session in the place that was reserved for it.
func (m *Manager) fill(ctx context.Context, d *definition) (*leased, error) {
	p := d.edition.pool
	place, g, err := m.place(ctx, d)
	if err == nil && g.session == nil {
		return m.fillPlace(ctx, d, place)
	}
	m.mu.Lock()
	p.free()
	m.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return m.lease(ctx, d, g.session)
}

func (m *Manager) fillPlace(ctx context.Context, d *definition, place Place) (*leased, error) {
	session, err := m.dial(ctx, d.conn)
	p := d.edition.pool
	m.mu.Lock()
	if err == nil && !m.closed && !d.edition.retired {
		defer m.mu.Unlock()
		return m.handOut(d, m.admit(d, session, place)), nil
	}
	useless := m.closed || d.edition.retired
	m.mu.Unlock()
	if err == nil {
		_ = session.Close()
	}
	if place != nil {
		place.Release()
	}
	m.mu.Lock()
	p.free()
	m.mu.Unlock()
	if useless {
		return nil, errAgain
	}
	return nil, err
}

// admit makes session one of the pool. It must be called with mu held.
func (m *Manager) admit(d *definition, session Session, place Place) *pooled {
	s := m.know(session)
	s.edition, s.place = d.edition, place
	s.leasable, _ = As[Leasable](session)
	d.edition.pool.count.Opened++
	if place != nil {
		m.spawn(s.heedRecall)
	}
	return s
}

// know has Close close session. It must be called with mu held.
func (m *Manager) know(session Session) *pooled {
	s := &pooled{m: m, session: session, born: time.Now(), gone: make(chan struct{})}
	if m.all == nil {
		m.all = map[*pooled]struct{}{}
	}
	m.all[s] = struct{}{}
	return s
}

// A single is a session beside the pool.
type single struct {
	Session
	s *pooled
}

// Unwrap returns the driver's session; see [As].
func (s single) Unwrap() Session { return s.Session }

// Close closes the session.
func (s single) Close() error { return s.s.end() }

// beside has Close close session, which is none of the pool, until it is closed.
func (m *Manager) beside(session Session, c Connection) (Session, error) {
	m.mu.Lock()
	if !m.closed {
		defer m.mu.Unlock()
		return single{session, m.know(session)}, nil
	}
	m.mu.Unlock()
	_ = session.Close()
	return nil, errClosed(c)
}
