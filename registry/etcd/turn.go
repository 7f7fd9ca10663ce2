package etcd

import "time"

const (
	// recallAfter is how long somebody has to wait before a place is recalled for
	// him: most often one is given back anyway.
	recallAfter = 100 * time.Millisecond
	// recallMore is how much longer he has to wait for one more to be recalled.
	recallMore = time.Second
	// leastHold is how long a place is held at least until it is recalled, so that
	// not every use of a server that many want costs a new session.
	leastHold = 500 * time.Millisecond
	// recallEvery lies between two looks at who waits.
	recallEvery = 100 * time.Millisecond
)

// settle gives the places whose turn it is, and recalls others.
func (q *queue) settle(now time.Time) {
	if q.l.closed || q.l.queues[q.prefix] != q {
		return
	}
	there := map[string]bool{}
	for i, e := range q.entries {
		there[e.key] = true
		p := q.places[e.key]
		switch s := q.l.leases[e.lease]; {
		case p != nil && e.holds(i):
			p.grant(now)
		case p == nil && s != nil:
			// A key of this Limiter that nobody knows was made after it was removed.
			q.l.discard(e.key, s, false)
		}
	}
	for key, p := range q.places {
		if p.created != 0 && p.created <= q.revision && !there[key] {
			p.recall() // somebody else has removed it
		}
	}
	q.contended = q.recall(now)
}

// holds reports whether e, which is the i-th of its queue, is held. Once it is, it
// stays so, because only those before it can go.
func (e entry) holds(i int) bool { return i < e.sessions }

// recall recalls places for those who wait, and reports whether to look again. All
// Limiters choose from the same queue, so they choose the same places, but for
// what differs between their clocks.
func (q *queue) recall(now time.Time) (again bool) {
	chosen := map[string]bool{}
	waiting := false
	for i, w := range q.entries {
		if !w.holds(i) {
			waiting = true
			q.choose(w, now, chosen)
		}
	}
	if !waiting {
		return false
	}
	for key, p := range q.places {
		if !p.isGranted() || p.isRecalled() {
			continue
		}
		if chosen[key] && now.Sub(p.since) >= leastHold {
			p.recall()
		} else {
			again = true
		}
	}
	return again
}

// choose adds to chosen the places that are to be recalled for w.
func (q *queue) choose(w entry, now time.Time, chosen map[string]bool) {
	waits := now.Sub(w.seen)
	if waits < recallAfter {
		return
	}
	many := 1 + int((waits-recallAfter)/recallMore)
	for i, e := range q.entries {
		// A session that is idle beside w in his own process was offered to him there,
		// unless it is of no use to him.
		own := e.lease == w.lease && waits < recallMore
		if many == 0 || !e.holds(i) {
			return
		}
		if !own && !chosen[e.key] {
			chosen[e.key] = true
			many--
		}
	}
}
