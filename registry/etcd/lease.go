package etcd

import (
	"context"
	"errors"
	"fmt"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// A lease is what the keys of a Limiter hang on: etcd removes them when it ends. It
// is lost when etcd says so, or when it may have ended for all that is known here.
// One that is lost is kept alive as long as etcd has it and places of it are in
// use, so that they count until they are released.
type lease struct {
	l   *Limiter
	id  clientv3.LeaseID
	ttl time.Duration // as etcd gave it

	// Guarded by Limiter.mu:
	until      time.Time // when it ends at the earliest, unless it is kept alive
	isLost     bool
	isRetired  bool // new places get another
	tombstones int
}

// lease returns the one for new places, and asks for one if there is none.
func (l *Limiter) lease(ctx context.Context) (*lease, error) {
	bounded, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	select {
	case l.granting <- struct{}{}:
		defer func() { <-l.granting }()
	case <-bounded.Done():
		return nil, fmt.Errorf("etcd: grant a lease: %w", explainOf(ctx, l.client, bounded.Err()))
	}
	l.mu.Lock()
	s, closed := l.current, l.closed
	known := s != nil && !s.isLost && !s.isRetired
	l.mu.Unlock()
	if closed {
		return nil, errLimiterClosed
	}
	if known {
		return s, nil
	}
	asked := time.Now()
	granted, err := persist(ctx, l.client, "grant a lease", func(ctx context.Context) (*clientv3.LeaseGrantResponse, error) {
		return l.client.Grant(ctx, l.ttl)
	})
	if err != nil {
		return nil, err
	}
	ttl := time.Duration(granted.TTL) * time.Second
	return l.begin(&lease{l: l, id: granted.ID, ttl: ttl, until: asked.Add(ttl)})
}

func (l *Limiter) begin(s *lease) (*lease, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed { // and etcd ends it by itself
		return nil, errLimiterClosed
	}
	l.current = s
	l.leases[s.id] = s
	l.spawn(s.keep)
	l.removal()
	return s, nil
}

// keep keeps s alive until it is of no more use.
func (s *lease) keep(ctx context.Context) {
	var k keeper
	defer k.drop()
	for pause := s.rest(); sleep(ctx, pause); {
		s.expire()
		if s.isUseless() {
			_ = s.revoke(ctx)
			s.forget()
			return
		}
		asked := time.Now()
		ttl, err := k.renew(ctx, s)
		if errors.Is(err, rpctypes.ErrLeaseNotFound) {
			s.forget()
			return
		}
		if err == nil {
			s.kept(asked.Add(ttl))
			pause = s.rest()
			continue
		}
		s.expire()
		pause = min(s.ttl/20, longestPause)
		if left := s.left(); left > 0 {
			pause = min(pause, left)
		}
	}
}

// rest is how long to wait until s is renewed: a third of its time, or of what is
// left of that where the answer of etcd was slow.
func (s *lease) rest() time.Duration {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	if s.isLost {
		return s.ttl / 3
	}
	return min(s.ttl, max(0, time.Until(s.until))) / 3
}

// expire loses s if it may have ended.
func (s *lease) expire() {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	if !s.isLost && time.Until(s.until) <= 0 {
		s.lose()
	}
}

// bury counts one more tombstone. It must be called with Limiter.mu held.
func (s *lease) bury() {
	s.tombstones++
	s.isRetired = s.isRetired || s.tombstones >= mostTombstones
}

// left is how long s lasts for certain; 0 if it is lost.
func (s *lease) left() time.Duration {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	if s.isLost {
		return 0
	}
	return time.Until(s.until)
}

func (s *lease) kept(until time.Time) {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	s.until = until
}

// lose recalls all places of s. It must be called with Limiter.mu held.
func (s *lease) lose() {
	s.isLost = true
	for _, q := range s.l.queues {
		for _, p := range q.places {
			if p.lease == s {
				p.recall()
			}
		}
	}
}

// forget is for a lease that etcd has ended, and all its keys with it.
func (s *lease) forget() {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	s.lose()
	delete(s.l.leases, s.id)
	for _, q := range s.l.queues {
		q.revision = 0 // an etcd that was restored counts from an earlier one
	}
	for key, r := range s.l.removing {
		if r.lease == s {
			delete(s.l.removing, key)
		}
	}
}

// isUseless reports whether s is lost or retired and has no more keys. It is lost
// then, so that none is made any more.
func (s *lease) isUseless() bool {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	if !s.isLost && !s.isRetired {
		return false
	}
	for _, r := range s.l.removing {
		if r.lease == s {
			return false
		}
	}
	for _, q := range s.l.queues {
		for _, p := range q.places {
			if p.lease == s {
				return false
			}
		}
	}
	s.isLost = true
	return true
}

// revoke ends s in etcd, and its keys.
func (s *lease) revoke(ctx context.Context) error {
	_, err := persist(ctx, s.l.client, "give all places back", func(ctx context.Context) (*clientv3.LeaseRevokeResponse, error) {
		return s.l.client.Revoke(ctx, s.id)
	})
	if err == nil || errors.Is(err, rpctypes.ErrLeaseNotFound) {
		return nil
	}
	return fmt.Errorf("%w; etcd takes them back by itself within %v", err, s.ttl)
}

// A keeper has the stream by which a lease is kept alive. That of etcd's client does
// not tell when it asked, and its KeepAliveOnce asks again without a pause while
// etcd is down, and logs in each time.
type keeper struct {
	stream pb.Lease_LeaseKeepAliveClient // nil: none is open
	cancel context.CancelFunc
}

// renew asks etcd once to let s last longer, and returns how long.
func (k *keeper) renew(ctx context.Context, s *lease) (time.Duration, error) {
	if k.stream == nil {
		ctx, k.cancel = context.WithCancel(ctx)
	}
	within := s.ttl / 3
	if left := s.left(); left > 0 {
		within = min(within, left)
	}
	timer := time.AfterFunc(within, k.cancel)
	defer timer.Stop()
	response, err := k.ask(ctx, s)
	if err != nil {
		k.drop()
		return 0, err
	}
	if response.TTL <= 0 {
		return 0, rpctypes.ErrLeaseNotFound
	}
	return time.Duration(response.TTL) * time.Second, nil
}

func (k *keeper) ask(ctx context.Context, s *lease) (*pb.LeaseKeepAliveResponse, error) {
	if k.stream == nil {
		stream, err := pb.NewLeaseClient(s.l.client.ActiveConnection()).LeaseKeepAlive(ctx)
		if err != nil {
			return nil, err
		}
		k.stream = stream
	}
	if err := k.stream.Send(&pb.LeaseKeepAliveRequest{ID: int64(s.id)}); err != nil {
		return nil, err
	}
	return k.stream.Recv()
}

// drop ends the stream.
func (k *keeper) drop() {
	if k.cancel != nil {
		k.cancel()
	}
	k.stream, k.cancel = nil, nil
}
