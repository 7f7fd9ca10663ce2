package etcd

import (
	"cmp"
	"context"
	"encoding/json"
	"math"
	"slices"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/hawser/hawser"
)

// A queue is what a Limiter knows of the places of one server: all keys, of all
// processes, by the revisions at which they were made. The first of them are held.
// What it knows may be old; keys before one only become fewer, so one that had its
// turn then has it now.
//
// All of it is guarded by Limiter.mu, and its methods are called with that held
// unless they say otherwise.
type queue struct {
	l      *Limiter
	prefix string // of the keys
	server string // as errors say it
	places map[string]*place
	stop   context.CancelFunc // of follow; nil before it is started

	moment                  // at which entries was true
	again     chan struct{} // holds a token while follow has to begin again
	entries   []entry       // by turn
	contended bool          // somebody waits, and a place here may be recalled for him
}

// A moment is one of etcd. Its revisions begin again at an earlier one when it is
// restored from a backup.
type moment struct {
	revision int64
	restored int // how many times that was noticed
}

// An entry is a key of a queue.
type entry struct {
	key      string
	created  int64 // the revision, which is the turn
	lease    clientv3.LeaseID
	sessions int       // the limit of who made it
	seen     time.Time // for the first time
}

// queueOf finds or makes that of c.
func (l *Limiter) queueOf(c hawser.Connection) *queue {
	prefix := l.prefix + serverKey(c) + "/"
	q := l.queues[prefix]
	if q == nil {
		q = &queue{l: l, prefix: prefix, server: serverName(c), places: map[string]*place{}, again: make(chan struct{}, 1)}
		l.queues[prefix] = q
	}
	return q
}

// sweep forgets a queue that has no places.
func (q *queue) sweep() {
	if len(q.places) > 0 || q.l.queues[q.prefix] != q {
		return
	}
	delete(q.l.queues, q.prefix)
	if q.stop != nil {
		q.stop()
	}
}

// now is called without Limiter.mu.
func (q *queue) now() moment {
	q.l.mu.Lock()
	defer q.l.mu.Unlock()
	return q.moment
}

// joined takes in what etcd listed when p was made; see replace. It is called
// without Limiter.mu.
func (q *queue) joined(p *place, listed []*mvccpb.KeyValue, revision int64, before moment) {
	q.l.mu.Lock()
	defer q.l.mu.Unlock()
	for _, kv := range listed {
		if string(kv.Key) == p.key {
			p.created = kv.CreateRevision
		}
	}
	if p.created == 0 { // somebody has removed it already
		p.recall()
	}
	if q.l.closed {
		return
	}
	q.replace(listed, revision, before)
	q.settle(time.Now())
	if q.stop == nil {
		q.stop = q.l.spawn(q.follow)
	}
}

// replace takes in all keys, as they were at revision. before is what was known when
// they were asked for, by a linearizable read: a revision that is earlier than that
// is of an etcd that was restored.
func (q *queue) replace(listed []*mvccpb.KeyValue, revision int64, before moment) {
	restored := before.restored == q.restored && revision < before.revision
	if revision <= q.revision && !restored {
		return
	}
	if restored {
		q.restore(listed)
	}
	seen := map[string]time.Time{}
	for _, e := range q.entries {
		seen[e.key] = e.seen
	}
	q.entries, q.revision = nil, revision
	for _, kv := range listed {
		e := newEntry(kv)
		if before, ok := seen[e.key]; ok {
			e.seen = before
		}
		q.entries = append(q.entries, e)
	}
	slices.SortFunc(q.entries, func(a, b entry) int { return cmp.Compare(a.created, b.created) })
}

// restore recalls the places that a restored etcd has forgotten, and has follow begin
// again.
func (q *queue) restore(listed []*mvccpb.KeyValue) {
	q.restored++
	there := map[string]bool{}
	for _, kv := range listed {
		there[string(kv.Key)] = true
	}
	for key, p := range q.places {
		if p.created != 0 && !there[key] {
			p.recall()
		}
	}
	select {
	case q.again <- struct{}{}:
	default: // it does so already
	}
}

// newEntry takes a key that no Limiter has written for a place that is held.
func newEntry(kv *mvccpb.KeyValue) entry {
	e := entry{key: string(kv.Key), created: kv.CreateRevision, lease: clientv3.LeaseID(kv.Lease), sessions: math.MaxInt, seen: time.Now()}
	var a announcement
	if json.Unmarshal(kv.Value, &a) == nil && a.Sessions > 0 {
		e.sessions = a.Sessions
	}
	return e
}

// heed takes in what changed. Events of a revision come together, and in order.
func (q *queue) heed(events []*clientv3.Event) {
	before := q.revision
	for _, event := range events {
		if event.Kv.ModRevision <= before {
			continue // is in the list
		}
		q.revision = event.Kv.ModRevision
		i := slices.IndexFunc(q.entries, func(e entry) bool { return e.key == string(event.Kv.Key) })
		switch {
		case event.Type == clientv3.EventTypeDelete && i >= 0:
			q.entries = slices.Delete(q.entries, i, i+1)
		case event.Type == clientv3.EventTypePut && i < 0:
			q.entries = append(q.entries, newEntry(event.Kv)) // is the newest
		}
	}
}
