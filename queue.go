package hawser

import (
	"container/list"
	"context"
	"time"
)

// A grant is what an open gets of a pool: a session, or, without one, a place to
// open one.
type grant struct {
	session *pooled
	err     error
}

// A turn is since when an open waits. It keeps its turn, and its time, when what it
// waits for is changed meanwhile. Its zero value is of one that has not waited yet.
type turn struct {
	number uint64
	since  time.Time
}

// begin must be called with Manager.mu held.
func (t *turn) begin(m *Manager) {
	if t.number == 0 {
		m.turns++
		t.number, t.since = m.turns, time.Now()
	}
}

// left is what is left of the time that c lets an open wait.
func (t *turn) left(c Connection) time.Duration {
	return max(0, c.Limits.orDefaults().Wait-time.Since(t.since))
}

// A waiter is an open that waits.
type waiter struct {
	edition *edition
	conn    Connection
	turn    turn
	nested  bool               // its job has a session of the pool in use
	place   *list.Element      // in the queue; nil: not any more
	told    chan grant         // has room for one; told once, by who takes it out of its list
	stop    context.CancelFunc // of the asking of a Limiter; nil without one

	impatient bool // it asks for long; guarded by Manager.mu, as left
	left      bool // it does not ask any more
}

// tell must be called with Manager.mu held.
func (w *waiter) tell(g grant) {
	w.told <- g
	if w.stop != nil {
		w.stop()
	}
}

// enqueue puts w behind those who have waited longer.
func (p *pool) enqueue(w *waiter) {
	if w.nested {
		p.nested++
	}
	p.count.Waits++
	for el := p.queue.Back(); el != nil; el = el.Prev() {
		if el.Value.(*waiter).turn.number < w.turn.number {
			w.place = p.queue.InsertAfter(w, el)
			return
		}
	}
	w.place = p.queue.PushFront(w)
}

// dequeue takes el out of the queue.
func (p *pool) dequeue(el *list.Element) *waiter {
	w := p.queue.Remove(el).(*waiter)
	w.place = nil
	if w.nested {
		p.nested--
	}
	return w
}

// serve gives what is idle and what is free to who waits, in turn.
func (p *pool) serve() {
	p.serveAsking()
	for p.queue.Len() > 0 {
		front := p.queue.Front()
		w := front.Value.(*waiter)
		g, ok := p.grant(w.edition)
		if !ok {
			break
		}
		p.dequeue(front)
		p.count.Waited += time.Since(w.turn.since)
		w.tell(g)
	}
	if p.nested > 0 && p.settled() {
		p.sendHome(func(w *waiter) bool { return w.nested && w.place != nil }, func(w *waiter) error { return selfish(w.conn, p.limit) })
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
	if len(p.idle) > 0 && p.open-p.closing >= p.limit {
		p.drop(p.idle[0], &p.count.ClosedExcess)
	}
	return grant{}, false
}

// sendHome ends the waiting of those whom which names, with an error.
func (p *pool) sendHome(which func(*waiter) bool, why func(*waiter) error) {
	for el := p.queue.Front(); el != nil; {
		next := el.Next()
		if w := el.Value.(*waiter); which(w) {
			p.dequeue(el)
			w.tell(grant{err: why(w)})
		}
		el = next
	}
	for el := p.asking.Front(); el != nil; {
		next := el.Next()
		if w := el.Value.(*waiter); which(w) {
			p.asking.Remove(el)
			w.tell(grant{err: why(w)})
		}
		el = next
	}
}
