package hawser

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// askPatience is how long a Limiter may take before idle sessions, which hold
// places of it, make room.
const askPatience = 100 * time.Millisecond

// selfishPatience is how long a job that has a session in use itself waits for a
// Limiter: it could wait for itself.
const selfishPatience = time.Second

// place asks the Limiter for a place, or takes a session of d that is given back
// meanwhile. Without a Limiter it returns nothing.
func (m *Manager) place(ctx context.Context, d *definition, t *turn) (Place, grant, error) {
	if m.Limiter == nil {
		return nil, grant{}, nil
	}
	start := time.Now()
	m.mu.Lock()
	t.begin(m)
	nested := holds(ctx, d.edition.pool)
	m.mu.Unlock()
	bound := t.left(d.conn)
	if nested {
		bound = min(bound, selfishPatience)
	}
	asking, stop := context.WithTimeout(ctx, bound)
	defer stop()
	w := &waiter{edition: d.edition, conn: d.conn, nested: nested, turn: *t, told: make(chan grant, 1), stop: stop}
	place, err := m.ask(asking, w)
	select {
	case g := <-w.told:
		if place != nil {
			place.Release()
		}
		return nil, g, g.err
	default:
	}
	if err != nil {
		err = w.limiterError(ctx, err)
	}
	reportStep(ctx, d.conn.Name, Step{Phase: PhasePool, Took: time.Since(start), Detail: "place of the limiter", Err: err})
	return place, grant{}, err
}

// ask asks the Limiter, while w is listed among those who do.
func (m *Manager) ask(ctx context.Context, w *waiter) (Place, error) {
	c, leave := m.beginAsking(w)
	defer leave()
	return m.Limiter.Acquire(ctx, c)
}

// beginAsking lists w until leave is called, and returns what to ask for.
func (m *Manager) beginAsking(w *waiter) (c Connection, leave func()) {
	p := w.edition.pool
	m.mu.Lock()
	defer m.mu.Unlock()
	c = w.conn.Clone()
	c.Limits = c.Limits.orDefaults()
	c.Limits.Sessions = p.limit
	switch {
	case m.closed:
		w.tell(grant{err: errClosed(c)})
		return c, func() {}
	case w.edition.retired:
		w.tell(grant{err: errAgain})
		return c, func() {}
	}
	place := p.asking.PushBack(w)
	p.serve()
	patience := m.impatience(w)
	return c, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		w.left = true
		patience.Stop()
		p.asking.Remove(place) // does nothing if somebody took it out
	}
}

// impatience has a session of another edition, which holds a place of the Limiter,
// end now and then while w asks. It must be called with mu held.
func (m *Manager) impatience(w *waiter) *time.Timer {
	var timer *time.Timer
	timer = time.AfterFunc(askPatience, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if w.left {
			return
		}
		w.impatient = true
		w.edition.pool.serve()
		timer.Reset(askPatience)
	})
	return timer
}

// limiterError is the end of an asking that came to err.
func (w *waiter) limiterError(ctx context.Context, err error) error {
	c := w.conn
	limit := c.Limits.orDefaults().Sessions
	switch own := ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) && errors.Is(err, ErrBusy); {
	case own && w.nested:
		return selfish(c, limit)
	case own:
		return busy(c, limit, fmt.Sprintf("none was given back within limits.wait, %v, on any machine", c.Limits.orDefaults().Wait))
	}
	e := poolError(c, err)
	e.Temporary = ctx.Err() == nil && (errors.Is(err, ErrBusy) || Retryable(err))
	return e
}

// heedRecall ends s, at once or after its present use, when its place is
// recalled. It ends with s.
func (s *pooled) heedRecall() {
	select {
	case <-s.gone:
		return
	case <-s.place.Recalled():
	}
	p := s.edition.pool
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	s.recalled = true
	switch {
	case s.idle:
		p.drop(s, &p.count.ClosedRecalled)
	case slices.Contains(p.checking, s):
		s.m.spawn(func() { _ = s.end() }) // the check fails then, and accounts for it
	}
}
