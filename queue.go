package hawser

import (
	"container/list"
	"context"
	"fmt"
	"time"
)

// A grant is what an open gets of a pool: a session, or, without one, a place to
// open one.
type grant struct {
	session *pooled
	err     error
}

// A waiter is an open that waits.
type waiter struct {
	edition *edition
	conn    Connection
	since   time.Time
	told    chan grant         // has room for one; told once, by who takes it out of its list
	stop    context.CancelFunc // of the asking of a Limiter; nil without one

	impatient bool // it asks for long; guarded by Manager.mu
}

// tell must be called with Manager.mu held.
func (w *waiter) tell(g grant) {
	w.told <- g
	if w.stop != nil {
		w.stop()
	}
}

// reserve returns a session of d or a place to open one, and waits for either.
// waited is false if there was one at once.
func (m *Manager) reserve(ctx context.Context, d *definition) (g grant, waited bool, err error) {
	m.mu.Lock()
	p := d.edition.pool
	switch {
	case m.closed:
		err = errClosed(d.conn)
	case d.edition.retired:
		err = errAgain
	case p.queue.Len() == 0:
		var ok bool
		if g, ok = p.grant(d.edition); ok {
			m.mu.Unlock()
			return g, false, nil
		}
	}
	if err == nil && p.coming == 0 && holds(ctx, p) {
		err = busy(d.conn, p.limit, "this job holds one of them itself, and would wait for itself; give that back first, or raise limits.sessions")
	}
	if err != nil {
		m.mu.Unlock()
		return g, true, err
	}
	w := &waiter{edition: d.edition, conn: d.conn, since: time.Now(), told: make(chan grant, 1)}
	place := p.queue.PushBack(w)
	p.count.Waits++
	m.mu.Unlock()
	return m.wait(ctx, w, place)
}

// wait waits in the queue, at place.
func (m *Manager) wait(ctx context.Context, w *waiter, place *list.Element) (g grant, waited bool, err error) {
	bound := w.conn.Limits.orDefaults().Wait
	timer := time.NewTimer(bound)
	defer timer.Stop()
	select {
	case g = <-w.told:
		return g, true, g.err
	case <-ctx.Done():
	case <-timer.C:
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	select {
	case g = <-w.told: // in the same moment
		return g, true, g.err
	default:
	}
	p := w.edition.pool
	p.queue.Remove(place)
	p.count.Waited += time.Since(w.since)
	p.count.Refused++
	p.sweep()
	if err := ctx.Err(); err != nil {
		return g, true, gaveUp(w.conn, p.limit, err)
	}
	return g, true, busy(w.conn, p.limit, fmt.Sprintf("none was given back within limits.wait, %v", bound))
}

// busy says that all sessions are in use, and why there is no more waiting.
func busy(c Connection, limit int, why string) error {
	e := poolError(c, fmt.Errorf("%w: all %d of limits.sessions are in use, and %s", ErrBusy, limit, why))
	e.Temporary = true
	return e
}

// gaveUp is the end of a wait by a context.
func gaveUp(c Connection, limit int, cause error) error {
	return poolError(c, fmt.Errorf("%w: all %d of limits.sessions are in use: %w", ErrBusy, limit, cause))
}

func poolError(c Connection, err error) *Error {
	return &Error{Op: "open", Phase: PhasePool, Name: c.Name, Protocol: c.Protocol, Addr: c.Addr(), Err: err}
}

type heldKey struct{}

// held is a lease of Use in the context of its function.
type held struct {
	lease *leased
	outer *held
}

func withLease(ctx context.Context, l *leased) context.Context {
	outer, _ := ctx.Value(heldKey{}).(*held)
	return context.WithValue(ctx, heldKey{}, &held{lease: l, outer: outer})
}

// holds reports whether the job of ctx has a session of p in use. It must be
// called with Manager.mu held.
func holds(ctx context.Context, p *pool) bool {
	h, _ := ctx.Value(heldKey{}).(*held)
	for ; h != nil; h = h.outer {
		if !h.lease.given && h.lease.session.edition.pool == p {
			return true
		}
	}
	return false
}
