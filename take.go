package hawser

import (
	"context"
	"time"
)

// take returns a session of d, from the pool or a new one. The error is errAgain
// if d, or what was in the pool, has become useless meanwhile.
func (m *Manager) take(ctx context.Context, d *definition, t *turn) (l *leased, err error) {
	start := time.Now()
	g, waited, err := m.reserve(ctx, d, t)
	switch {
	case err == errAgain:
		return nil, err
	case err != nil:
		reportStep(ctx, d.conn.Name, Step{Phase: PhasePool, Took: time.Since(start), Err: err})
		return nil, err
	case g.session == nil:
		return m.fill(ctx, d, t, waited, start)
	}
	l, err = m.lease(ctx, d, g.session)
	if err != errAgain {
		m.reportLease(ctx, d, l, Step{Phase: PhasePool, Took: time.Since(start), Detail: "session used again", Err: err})
	}
	return l, err
}

// reportLease reports a step, and gives l back if whoever is told panics.
func (m *Manager) reportLease(ctx context.Context, d *definition, l *leased, s Step) {
	told := false
	defer func() {
		if !told && l != nil {
			_ = l.Close()
		}
	}()
	reportStep(ctx, d.conn.Name, s)
	told = true
}

// lease hands s out, which was taken from the pool.
func (m *Manager) lease(ctx context.Context, d *definition, s *pooled) (*leased, error) {
	fit := m.prepare(ctx, d, s)
	p := s.edition.pool
	m.mu.Lock()
	defer m.mu.Unlock()
	reason := s.wears(time.Now())
	if !fit {
		reason = &p.count.ClosedBroken
		p.doubt()
	}
	switch {
	case reason == nil:
		p.count.Reused++
		return m.handOut(d, s), nil
	case ctx.Err() != nil:
		p.drop(s, reason)
		return nil, poolError(d.conn, ctx.Err())
	}
	p.drop(s, reason)
	return nil, errAgain
}

// prepare is s.prepare, and drops s if the driver panics.
func (m *Manager) prepare(ctx context.Context, d *definition, s *pooled) bool {
	calm := false
	defer func() {
		if !calm {
			m.mu.Lock()
			defer m.mu.Unlock()
			s.edition.pool.drop(s, &s.edition.pool.count.ClosedBroken)
		}
	}()
	fit := s.prepare(ctx, d.conn)
	calm = true
	return fit
}

// prepare reports whether s lives, and serves c's user from now on.
func (s *pooled) prepare(ctx context.Context, c Connection) bool {
	if time.Since(s.checked) >= freshFor && s.ping(ctx) != nil {
		return false
	}
	return s.leasable.Lease(ctx, c) == nil && s.leasable.Reusable()
}

// fill opens a session in the place that was reserved for it.
func (m *Manager) fill(ctx context.Context, d *definition, t *turn, waited bool, start time.Time) (l *leased, err error) {
	keeps := false
	var place Place
	defer func() { // also in a panic
		if keeps {
			return
		}
		if place != nil {
			place.Release()
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		d.edition.pool.free()
	}()
	if waited { // which an open that neither waits nor finds a session has nothing to tell of
		reportStep(ctx, d.conn.Name, Step{Phase: PhasePool, Took: time.Since(start), Detail: "waited for a place"})
	}
	place, g, err := m.place(ctx, d, t)
	switch {
	case err != nil:
		return nil, err
	case g.session != nil:
		return m.lease(ctx, d, g.session)
	}
	dialing, end := m.errand(ctx)
	defer end()
	session, err := m.dial(dialing, d.conn)
	l, err = m.admit(d, session, place, err)
	keeps = l != nil
	return l, err
}

// admit makes session, or err, of a dial for d, one of the pool.
func (m *Manager) admit(d *definition, session Session, place Place, err error) (*leased, error) {
	m.mu.Lock()
	useless := m.closed || d.edition.retired
	if err == nil && !useless {
		defer m.mu.Unlock()
		s := m.know(session)
		s.edition, s.place = d.edition, place
		s.leasable, _ = As[Leasable](session)
		d.edition.pool.count.Opened++
		if place != nil {
			m.spawn(s.heedRecall)
		}
		return m.handOut(d, s), nil
	}
	m.mu.Unlock()
	if err == nil {
		_ = session.Close()
	}
	if useless {
		return nil, errAgain
	}
	return nil, err
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
