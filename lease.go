package hawser

import (
	"context"
	"fmt"
	"net"
	"time"
)

// leased is a session that a Manager handed out. It intercepts Close and Ping
// alone.
type leased struct {
	Session
	session *pooled
	given   bool // back; guarded by Manager.mu
}

// Unwrap returns the driver's session; see [As].
func (l *leased) Unwrap() Session { return l.Session }

// Ping asks the server, unless the session was given back.
func (l *leased) Ping(ctx context.Context) error {
	m := l.session.m
	m.mu.Lock()
	given := l.given
	m.mu.Unlock()
	if given {
		return fmt.Errorf("ping: the session was given back: %w", net.ErrClosed)
	}
	return l.Session.Ping(ctx)
}

// Close gives the session back: to the pool, if it is fit to serve another, else
// it is closed. Its error is that of closing.
func (l *leased) Close() error {
	s, m, p := l.session, l.session.m, l.session.edition.pool
	m.mu.Lock()
	given := l.given
	l.given = true
	m.mu.Unlock()
	if given { // another may have it now
		return nil
	}
	fit := s.leasable != nil && s.leasable.Reusable()
	m.mu.Lock()
	s.used = time.Now()
	s.checked = s.used
	reason := l.parts(fit)
	if reason == nil {
		p.keep(s)
		m.returned(l)
		m.mu.Unlock()
		return nil
	}
	*reason++
	m.mu.Unlock()
	err := s.end()
	m.mu.Lock()
	defer m.mu.Unlock()
	p.free()
	m.returned(l)
	return err
}

// parts reports why the session of l, which is given back, does not stay; nil if it
// does. It must be called with mu held.
func (l *leased) parts(fit bool) *int64 {
	s, p := l.session, l.session.edition.pool
	switch {
	case s.leasable == nil:
		return &p.count.ClosedUsed
	case !fit:
		p.doubt()
		return &p.count.ClosedBroken
	case s.wears(s.used) != nil:
		return s.wears(s.used)
	case p.open-p.closing > p.limit:
		return &p.count.ClosedExcess
	}
	return nil
}

// returned lets a Shutdown that waits for l go on. It must be called with mu held.
func (m *Manager) returned(l *leased) {
	delete(m.leases, l)
	if len(m.leases) == 0 && m.drained != nil {
		close(m.drained)
	}
}

// handOut must be called with mu held.
func (m *Manager) handOut(d *definition, s *pooled) *leased {
	s.limits, s.timeout = d.conn.Limits.orDefaults(), d.conn.timeout()
	l := &leased{Session: s.session, session: s}
	if m.leases == nil {
		m.leases = map[*leased]struct{}{}
	}
	m.leases[l] = struct{}{}
	return l
}
