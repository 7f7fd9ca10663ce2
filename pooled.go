package hawser

import (
	"context"
	"slices"
	"time"
)

const (
	// freshFor is how long a session counts as living after it last did something.
	freshFor = 10 * time.Second
	// keepAliveAfter is how long one that is idle is left alone; it is less than
	// freshFor, so that what is taken from the pool need not be checked.
	keepAliveAfter = 8 * time.Second
)

// pooled is a session of a pool, or beside it, until it is closed.
type pooled struct {
	m        *Manager
	session  Session
	leasable Leasable // nil if it serves one user
	edition  *edition // nil beside the pool
	place    Place    // of the Limiter; nil without one
	born     time.Time

	// Guarded by Manager.mu:
	limits   Limits // of who used it last
	timeout  time.Duration
	idle     bool
	recalled bool
	used     time.Time // until when it was in use
	checked  time.Time // when it last showed that it lives
	timer    *time.Timer
	ending   bool // somebody closes it

	gone chan struct{} // closed when it is closed
	err  error         // of that
}

// end closes the session and gives its place of the Limiter back. Later calls wait
// for the first.
func (s *pooled) end() error {
	s.m.mu.Lock()
	mine := !s.ending
	s.ending = true
	s.m.mu.Unlock()
	if !mine {
		<-s.gone
		return s.err
	}
	defer close(s.gone)
	s.err = s.session.Close()
	if s.place != nil {
		s.place.Release()
	}
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	delete(s.m.all, s)
	return s.err
}

// wears reports why s should not be used again; nil if nothing speaks against it.
// It must be called with Manager.mu held.
func (s *pooled) wears(now time.Time) *int64 {
	p := s.edition.pool
	switch {
	case s.edition.retired:
		return &p.count.ClosedChanged
	case s.recalled:
		return &p.count.ClosedRecalled
	case s.m.closed, now.Sub(s.used) >= s.limits.Idle:
		return &p.count.ClosedIdle
	case s.limits.Lifetime > 0 && now.Sub(s.born) >= s.limits.Lifetime:
		return &p.count.ClosedLifetime
	}
	return nil
}

// rest sets the timer for the next that is to be done while s is idle. It must be
// called with Manager.mu held.
func (s *pooled) rest() {
	next := s.checked.Add(keepAliveAfter)
	if idle := s.used.Add(s.limits.Idle); idle.Before(next) {
		next = idle
	}
	if end := s.born.Add(s.limits.Lifetime); s.limits.Lifetime > 0 && end.Before(next) {
		next = end
	}
	d := time.Until(next)
	if s.timer == nil {
		s.timer = time.AfterFunc(d, s.wake)
		return
	}
	s.timer.Reset(d)
}

// wake closes s, if its time is over, or asks it whether it lives.
func (s *pooled) wake() {
	p := s.edition.pool
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	now := time.Now()
	if !s.idle || s.m.closed {
		return
	}
	if reason := s.wears(now); reason != nil {
		p.drop(s, reason)
		return
	}
	if now.Sub(s.checked) < keepAliveAfter {
		s.rest()
		return
	}
	p.remove(s)
	p.checking = append(p.checking, s)
	s.m.spawn(s.keepAlive)
}

// keepAlive asks s, which is in nobody's hands, whether it lives. Closing s ends it.
func (s *pooled) keepAlive() {
	err := s.ping(context.Background())
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	p := s.edition.pool
	i := slices.Index(p.checking, s)
	p.checking = slices.Delete(p.checking, i, i+1)
	now := time.Now()
	reason := s.wears(now)
	if reason == nil && err != nil {
		reason = &p.count.ClosedBroken
		p.doubt()
	}
	if reason != nil {
		p.drop(s, reason)
		p.serve()
		return
	}
	s.checked = now
	p.keep(s)
}

func (s *pooled) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	return s.session.Ping(ctx)
}
