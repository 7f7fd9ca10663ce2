package hawser

import (
	"context"
	"fmt"
	"time"
)

// reserve returns a session of d or a place to open one, and waits for either.
// waited is false if there was one at once.
func (m *Manager) reserve(ctx context.Context, d *definition, t *turn) (g grant, waited bool, err error) {
	m.mu.Lock()
	p := d.edition.pool
	switch {
	case m.closed:
		err = errClosed(d.conn)
	case d.edition.retired:
		err = errAgain
	case p.queue.Len() == 0 || t.before(p.queue.Front().Value.(*waiter).turn):
		var ok bool
		if g, ok = p.grant(d.edition); ok {
			m.mu.Unlock()
			return g, false, nil
		}
	}
	nested := holds(ctx, p)
	if err == nil && nested && p.settled() {
		err = selfish(d.conn, p.limit)
	}
	if err != nil {
		m.mu.Unlock()
		return g, true, err
	}
	t.begin(m)
	w := &waiter{edition: d.edition, conn: d.conn, turn: *t, nested: nested, told: make(chan grant, 1)}
	p.enqueue(w)
	m.mu.Unlock()
	g, err = m.wait(ctx, w)
	return g, true, err
}

// before reports whether t has begun to wait, and earlier than u.
func (t *turn) before(u turn) bool { return t.number != 0 && t.number < u.number }

// wait waits in the queue.
func (m *Manager) wait(ctx context.Context, w *waiter) (grant, error) {
	timer := time.NewTimer(w.turn.left(w.conn))
	defer timer.Stop()
	select {
	case g := <-w.told:
		return g, g.err
	case <-ctx.Done():
	case <-timer.C:
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	p := w.edition.pool
	if w.place != nil {
		p.dequeue(w.place)
		p.count.Waited += time.Since(w.turn.since)
		p.count.Refused++
		p.sweep()
		return grant{}, w.timeIsUp(ctx, p.limit)
	}
	g := <-w.told // in the same moment
	return g, g.err
}

// timeIsUp is the end of a wait by ctx or by Limits.Wait.
func (w *waiter) timeIsUp(ctx context.Context, limit int) error {
	if err := ctx.Err(); err != nil {
		return poolError(w.conn, fmt.Errorf("%w: all %d of limits.sessions are in use: %w", ErrBusy, limit, err))
	}
	return busy(w.conn, limit, fmt.Sprintf("none was given back within limits.wait, %v", w.conn.Limits.orDefaults().Wait))
}

// selfish says that a job would wait for what it has in its own hands.
func selfish(c Connection, limit int) error {
	return busy(c, limit, "this job has one of them in use itself, and could wait for itself; give that back first, or raise limits.sessions")
}

// busy says that all sessions are in use, and why there is no more waiting.
func busy(c Connection, limit int, why string) error {
	e := poolError(c, fmt.Errorf("%w: all %d of limits.sessions are in use, and %s", ErrBusy, limit, why))
	e.Temporary = true
	return e
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
