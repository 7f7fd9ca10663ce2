package hawser

import (
	"container/list"
	"slices"
	"time"
)

// A pool is the sessions to one server with one login, of whichever editions.
// All of it is guarded by Manager.mu, and its methods are called with that held.
type pool struct {
	m      *Manager
	server string                 // see serverOf
	names  map[string]*definition // what leads here now
	limit  int                    // the smallest Limits.Sessions of names
	idle   []*pooled              // the one that was used last is last
	open   int                    // sessions, and places of those that are being opened or closed
	coming int                    // of open: those that are checked or closed, and so come back by themselves
	queue  list.List              // of *waiter: who waits for a session or a place, the longest first
	asking list.List              // of *waiter: who has a place here and asks the Limiter for one

	count PoolStats // what is counted up
}

// join makes d what name means. A smaller limit takes effect on what is idle.
func (p *pool) join(name string, d *definition) {
	p.names[name] = d
	p.setLimit()
	for excess := p.open - p.coming - p.limit; excess > 0 && len(p.idle) > 0; excess-- {
		p.drop(p.idle[0], &p.count.ClosedExcess)
	}
	p.serve()
}

// setLimit makes limit that of the names that lead here.
func (p *pool) setLimit() {
	p.limit = 0
	for _, d := range p.names {
		if n := d.conn.Limits.orDefaults().Sessions; p.limit == 0 || n < p.limit {
			p.limit = n
		}
	}
}

// retire closes what is idle of e, and sends home who waits for it.
func (p *pool) retire(e *edition) {
	for _, s := range slices.Clone(p.idle) {
		if s.edition == e {
			p.drop(s, &p.count.ClosedChanged)
		}
	}
	p.sendHome(func(w *waiter) bool { return w.edition == e }, func(*waiter) error { return errAgain })
	p.serve()
}

// refuse closes what is idle, and sends home who waits.
func (p *pool) refuse() {
	for _, s := range slices.Clone(p.idle) {
		p.drop(s, &p.count.ClosedIdle)
	}
	p.sendHome(func(*waiter) bool { return true }, func(w *waiter) error { return errClosed(w.conn) })
}

// sendHome ends the waiting of those whom which names, with an error.
func (p *pool) sendHome(which func(*waiter) bool, why func(*waiter) error) {
	for _, waiting := range []*list.List{&p.queue, &p.asking} {
		for el := waiting.Front(); el != nil; {
			w, next := el.Value.(*waiter), el.Next()
			if which(w) {
				waiting.Remove(el)
				w.tell(grant{err: why(w)})
			}
			el = next
		}
	}
}

// take returns the session of e that was used last, or nil.
func (p *pool) take(e *edition) *pooled {
	for i, s := range slices.Backward(p.idle) {
		if s.edition == e {
			p.idle = slices.Delete(p.idle, i, i+1)
			s.timer.Stop()
			s.idle = false
			return s
		}
	}
	return nil
}

// keep makes s, which has been used until now, idle, for who waits or will come.
func (p *pool) keep(s *pooled) {
	s.idle = true
	s.rest()
	i, _ := slices.BinarySearchFunc(p.idle, s, func(a, b *pooled) int { return a.used.Compare(b.used) })
	for i < len(p.idle) && !p.idle[i].used.After(s.used) {
		i++
	}
	p.idle = slices.Insert(p.idle, i, s)
	p.serve()
}

// drop closes s, which is idle. Its place is free once it is closed, for a
// server counts it until then.
func (p *pool) drop(s *pooled, reason *int64) {
	p.remove(s)
	p.coming++
	*reason++
	p.m.spawn(func() {
		_ = s.end()
		p.m.mu.Lock()
		defer p.m.mu.Unlock()
		p.coming--
		p.free()
	})
}

// remove takes s out of what is idle, if it is there.
func (p *pool) remove(s *pooled) {
	p.idle = slices.DeleteFunc(p.idle, func(other *pooled) bool { return other == s })
	s.timer.Stop()
	s.idle = false
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

// serve gives what is idle and what is free to who waits, in turn.
func (p *pool) serve() {
	p.serveAsking()
	for p.queue.Len() > 0 {
		front := p.queue.Front()
		w := front.Value.(*waiter)
		g, ok := p.grant(w.edition)
		if !ok {
			return
		}
		p.queue.Remove(front)
		p.count.Waited += time.Since(w.since)
		w.tell(g)
	}
}

// serveAsking gives sessions that are idle to who would open another, if only
// the Limiter let him. One of another edition makes room for who asks for long.
func (p *pool) serveAsking() {
	for el := p.asking.Front(); el != nil && len(p.idle) > 0; {
		w, next := el.Value.(*waiter), el.Next()
		if s := p.take(w.edition); s != nil {
			p.asking.Remove(el)
			w.tell(grant{session: s})
		} else if w.impatient {
			w.impatient = false
			p.drop(p.idle[0], &p.count.ClosedExcess)
		}
		el = next
	}
}

// grant is a session, or a place to open one, or nothing yet. In the last case
// an idle session of another edition makes room.
func (p *pool) grant(e *edition) (g grant, ok bool) {
	if s := p.take(e); s != nil {
		return grant{session: s}, true
	}
	if p.open < p.limit {
		p.open++
		return grant{}, true
	}
	if len(p.idle) > 0 && p.open-p.coming >= p.limit {
		p.drop(p.idle[0], &p.count.ClosedExcess)
	}
	return grant{}, false
}
