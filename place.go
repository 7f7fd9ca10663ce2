package hawser

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// askPatience is how long a Limiter may take before idle sessions, which hold
// places of it, make room.
const askPatience = 100 * time.Millisecond

// place asks the Limiter for a place, or takes a session of d that is given back
// meanwhile. Without a Limiter it returns nothing.
func (m *Manager) place(ctx context.Context, d *definition) (Place, grant, error) {
	if m.Limiter == nil {
		return nil, grant{}, nil
	}
	bound := d.conn.Limits.orDefaults().Wait
	start := time.Now()
	asking, stop := context.WithTimeout(ctx, bound)
	defer stop()
	w := &waiter{edition: d.edition, conn: d.conn, since: start, told: make(chan grant, 1), stop: stop}
	c, leave := m.ask(w)
	place, err := m.Limiter.Acquire(asking, c)
	leave()
	select {
	case g := <-w.told:
		if place != nil {
			place.Release()
		}
		return nil, g, g.err
	default:
	}
	if err != nil {
		err = limiterError(ctx, c, bound, err)
	}
	reportStep(ctx, c.Name, Step{Phase: PhasePool, Took: time.Since(start), Detail: "place of the limiter", Err: err})
	return place, grant{}, err
}

// ask lists w among those who ask the Limiter, until leave is called, and returns
// what to ask for.
func (m *Manager) ask(w *waiter) (c Connection, leave func()) {
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
		patience.Stop()
		m.mu.Lock()
		defer m.mu.Unlock()
		p.asking.Remove(place) // does nothing if somebody took it out
	}
}

// impatience has a session of another edition, which holds a place of the Limiter,
// end now and then while w asks.
func (m *Manager) impatience(w *waiter) *time.Timer {
	var timer *time.Timer
	timer = time.AfterFunc(askPatience, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		w.impatient = true
		w.edition.pool.serve()
		timer.Reset(askPatience)
	})
	return timer
}

// limiterError is the end of an asking that came to err.
func limiterError(ctx context.Context, c Connection, bound time.Duration, err error) error {
	if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) && errors.Is(err, ErrBusy) {
		return busy(c, c.Limits.Sessions, fmt.Sprintf("none was given back within limits.wait, %v, on any machine", bound))
	}
	e := poolError(c, err)
	e.Temporary = ctx.Err() == nil
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
	if s.idle {
		p.drop(s, &p.count.ClosedRecalled)
	}
}
