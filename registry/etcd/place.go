package etcd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/hawser/hawser"
)

// A place is a key in a queue: first of who waits, and then of who has a session.
type place struct {
	l        *Limiter
	q        *queue
	lease    *lease
	key      string
	sessions int
	unsure   bool          // etcd may still make the key, for an answer is missing
	granted  chan struct{} // closed when it is given
	recalled chan struct{} // closed when it is lost, or asked back
	release  func()        // works once

	// Guarded by Limiter.mu:
	created int64     // the revision, which is the turn; 0 before it is known
	since   time.Time // when it was given
}

// An announcement is the value of a key.
type announcement struct {
	Node     string    `json:"node"`
	Since    time.Time `json:"since"`
	Sessions int       `json:"sessions"` // the limit of who made the key
}

// Recalled is closed when the session should end; see [hawser.Place].
func (p *place) Recalled() <-chan struct{} { return p.recalled }

// Release gives the place back. It does not wait: etcd is told in the background,
// again and again until it has heard, or the lease has ended.
func (p *place) Release() { p.release() }

// join puts a place for c at the end of its queue. It may be returned beside an
// error.
func (l *Limiter) join(ctx context.Context, c hawser.Connection) (*place, error) {
	s, err := l.lease(ctx)
	if err != nil {
		return nil, err
	}
	p, err := l.newPlace(s, c)
	if err != nil {
		return nil, err
	}
	value, err := json.Marshal(announcement{Node: l.node, Since: time.Now().UTC().Round(time.Second), Sessions: p.sessions})
	if err != nil {
		return p, err
	}
	// Whoever asks once more, because the answer was lost, finds the key made. One
	// that etcd gets to only after the place was given up is not made any more.
	before := p.q.now()
	list := clientv3.OpGet(p.q.prefix, clientv3.WithPrefix())
	done, err := persist(ctx, l.client, "ask for a place of "+p.q.server, func(ctx context.Context) (*clientv3.TxnResponse, error) {
		done, err := l.client.Txn(ctx).If(absent(p.key), absent(l.tombstone(p.key))).
			Then(clientv3.OpPut(p.key, string(value), clientv3.WithLease(s.id)), list).
			Else(list).
			Commit()
		p.unsure = p.unsure || err != nil
		return done, err
	})
	if errors.Is(err, rpctypes.ErrLeaseNotFound) {
		s.forget()
		return p, errAgain
	}
	if err != nil {
		return p, err
	}
	answers := done.Responses
	p.q.joined(p, answers[len(answers)-1].GetResponseRange().Kvs, done.Header.Revision, before)
	return p, nil
}

func absent(key string) clientv3.Cmp {
	return clientv3.Compare(clientv3.CreateRevision(key), "=", 0)
}

// newPlace enters a place before etcd is asked, so that none is forgotten whose key
// is made and never answered for.
func (l *Limiter) newPlace(s *lease, c hawser.Connection) (*place, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, errLimiterClosed
	}
	l.made++
	q := l.queueOf(c)
	p := &place{
		l: l, q: q, lease: s, sessions: c.Limits.Sessions, key: fmt.Sprintf("%s%016x-%d", q.prefix, uint64(s.id), l.made),
		granted: make(chan struct{}), recalled: make(chan struct{}),
	}
	p.release = sync.OnceFunc(p.leave)
	q.places[p.key] = p
	if s.isLost {
		p.recall()
	}
	return p, nil
}

// wait waits until p is given.
func (p *place) wait(ctx context.Context) error {
	var err error
	select {
	case <-p.granted:
		return nil
	case <-p.recalled:
		err = errAgain
	case <-p.l.closing:
		err = errLimiterClosed
	case <-ctx.Done():
		err = p.gaveUp(ctx.Err())
	}
	if p.isGranted() && errors.Is(err, ctx.Err()) { // in the same moment
		return nil
	}
	return err
}

// gaveUp is the end of a wait by a context.
func (p *place) gaveUp(cause error) error {
	p.l.mu.Lock()
	defer p.l.mu.Unlock()
	// It is renewed after each third of its time.
	if silent := p.lease.ttl - time.Until(p.lease.until); silent > p.lease.ttl/2 {
		return fmt.Errorf("etcd: wait for a place of %s: no answer for %v: %w", p.q.server, silent.Round(time.Second), cause)
	}
	return fmt.Errorf("%w: all %d of limits.sessions of %s are in use, on all machines together: %w",
		hawser.ErrBusy, p.sessions, p.q.server, cause)
}

// isGranted reports whether p was given. It may be released or lost since.
func (p *place) isGranted() bool {
	select {
	case <-p.granted:
		return true
	default:
		return false
	}
}

// grant must be called with Limiter.mu held.
func (p *place) grant(now time.Time) {
	if !p.isGranted() && !p.isRecalled() {
		p.since = now
		close(p.granted)
	}
}

func (p *place) isRecalled() bool {
	select {
	case <-p.recalled:
		return true
	default:
		return false
	}
}

// recall must be called with Limiter.mu held.
func (p *place) recall() {
	if !p.isRecalled() {
		close(p.recalled)
	}
}

// leave takes p out of its queue.
func (p *place) leave() {
	p.l.mu.Lock()
	defer p.l.mu.Unlock()
	delete(p.q.places, p.key)
	p.l.discard(p.key, p.lease, p.unsure)
	p.q.sweep()
}
