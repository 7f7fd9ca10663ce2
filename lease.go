package hawser

import (
	"context"
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
	m := l.session.edition.pool.m
	m.mu.Lock()
	given := l.given
	m.mu.Unlock()
	if given {
		return net.ErrClosed
	}
	return l.Session.Ping(ctx)
}

// Close gives the session back: to the pool, if it is fit to serve another, else
// it is closed. Its error is that of closing.
func (l *leased) Close() error {
	s := l.session
	p := s.edition.pool
	m := p.m
	fit := s.leasable != nil && s.leasable.Reusable()
	m.mu.Lock()
	if l.given {
		m.mu.Unlock()
		return nil
	}
	l.given = true
	now := time.Now()
	s.used, s.checked = now, now
	reason := s.wears(now)
	if !fit {
		reason = &p.count.ClosedBroken
		if s.leasable == nil {
			reason = &p.count.ClosedUsed
		}
	}
	if reason == nil && p.open-p.coming <= p.limit {
		p.keep(s)
		m.returned(l)
		m.mu.Unlock()
		return nil
	}
	if reason == nil {
		reason = &p.count.ClosedExcess
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

// returned lets a Shutdown that waits for l go on. It must be called with mu held.
func (m *Manager) returned(l *leased) {
	delete(m.leases, l)
	if len(m.leases) == 0 && m.idle != nil {
		close(m.idle)
	}
}
