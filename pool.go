package hawser

import (
	"container/list"
	"maps"
	"slices"
	"time"
)

// A pool is the sessions to one server with one login, of whichever editions.
// All of it is guarded by Manager.mu, and its methods are called with that held.
type pool struct {
	m        *Manager
	server   string                 // see serverOf
	names    map[string]*definition // what leads here now
	limits   map[int]int            // how many of names have each Limits.Sessions
	limit    int                    // the smallest of them
	editions map[editionKey]*edition

	idle     []*pooled // the one that was used last is last
	checking []*pooled // are asked whether they live, and come back by themselves
	open     int       // sessions, also those in use, and places of those being opened or closed
	closing  int       // of open: those being closed
	queue    list.List // of *waiter: who waits for a session or a place, the longest first
	nested   int       // of queue: those whose job has a session in use
	asking   list.List // of *waiter: who has a place here and asks the Limiter for one

	count PoolStats // what is counted up
}

// join makes d what name means. A smaller limit takes effect on what is idle.
func (p *pool) join(name string, d *definition) {
	p.names[name] = d
	d.edition.names++
	p.limits[d.conn.Limits.orDefaults().Sessions]++
	p.setLimit()
	for excess := p.open - p.closing - p.limit; excess > 0 && len(p.idle) > 0; excess-- {
		p.drop(p.idle[0], &p.count.ClosedExcess)
	}
	p.serve()
}

// leave ends what d was for name.
func (p *pool) leave(name string, d *definition) {
	if p.names[name] == d { // and not a newer one, of the same server
		delete(p.names, name)
	}
	d.edition.names--
	sessions := d.conn.Limits.orDefaults().Sessions
	if p.limits[sessions]--; p.limits[sessions] == 0 {
		delete(p.limits, sessions)
	}
	p.setLimit()
}

func (p *pool) setLimit() {
	p.limit = 0
	if len(p.limits) > 0 {
		p.limit = slices.Min(slices.Collect(maps.Keys(p.limits)))
	}
}

// retire closes what is not in use of e, and sends home who waits for it.
func (p *pool) retire(e *edition) {
	for _, s := range slices.Clone(p.idle) {
		if s.edition == e {
			p.drop(s, &p.count.ClosedChanged)
		}
	}
	for _, s := range p.checking {
		if s.edition == e {
			p.m.spawn(func() { _ = s.end() }) // the check fails then, and accounts for it
		}
	}
	p.sendHome(func(w *waiter) bool { return w.edition == e }, func(*waiter) error { return errAgain })
}

// refuse closes what is idle, and sends home who waits.
func (p *pool) refuse() {
	for _, s := range slices.Clone(p.idle) {
		p.drop(s, &p.count.ClosedIdle)
	}
	p.sendHome(func(*waiter) bool { return true }, func(w *waiter) error { return errClosed(w.conn) })
}

// take returns the session of e that was used last, or nil.
func (p *pool) take(e *edition) *pooled {
	for _, s := range slices.Backward(p.idle) {
		if s.edition == e {
			p.remove(s)
			return s
		}
	}
	return nil
}

// keep makes s, which has been used until now, idle, for who waits or will come.
func (p *pool) keep(s *pooled) {
	s.idle = true
	s.rest()
	i := len(p.idle)
	for i > 0 && p.idle[i-1].used.After(s.used) {
		i--
	}
	p.idle = slices.Insert(p.idle, i, s)
	p.serve()
}

// doubt has what is idle asked whether it lives before it is used again: another
// session of this server was lost.
func (p *pool) doubt() {
	for _, s := range p.idle {
		s.checked = time.Time{}
	}
}

// drop closes s, which is idle or in nobody's hands. Its place is free once it is
// closed, for a server counts it until then.
func (p *pool) drop(s *pooled, reason *int64) {
	p.remove(s)
	p.closing++
	*reason++
	p.m.spawn(func() {
		_ = s.end()
		p.m.mu.Lock()
		defer p.m.mu.Unlock()
		p.closing--
		p.free()
	})
}

// remove takes s out of what is idle, if it is there.
func (p *pool) remove(s *pooled) {
	if i := slices.Index(p.idle, s); i >= 0 {
		p.idle = slices.Delete(p.idle, i, i+1)
	}
	s.idle = false
	if s.timer != nil {
		s.timer.Stop()
	}
}

// free gives a place back.
func (p *pool) free() {
	p.open--
	p.serve()
	p.sweep()
}

// sweep forgets a pool that nobody needs.
func (p *pool) sweep() {
	if len(p.names) == 0 && p.open == 0 && p.queue.Len() == 0 && p.m.pools[p.server] == p {
		delete(p.m.pools, p.server)
	}
}

// settled reports whether no session comes back, and no place becomes free, but by
// who uses one.
func (p *pool) settled() bool { return p.closing == 0 && len(p.checking) == 0 }
