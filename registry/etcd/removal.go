package etcd

import (
	"context"
	"errors"
	"path"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// mostTombstones is how many a lease may have before new places get another, with
// which those of the old one can go.
const mostTombstones = 1000

// A removal is of a key that is to be removed.
type removal struct {
	lease *lease
	bury  bool // leave a tombstone
}

// tombstone is the key that stands for the end of that of a place: while it is
// there, etcd does not make the other any more. It hangs on the same lease, without
// which the other cannot be made either.
func (l *Limiter) tombstone(key string) string { return l.ended + path.Base(key) }

// discard has the key removed, unless its lease has ended; bury it if etcd may make
// it later. It must be called with mu held.
func (l *Limiter) discard(key string, s *lease, bury bool) {
	if l.leases[s.id] != s || l.closed {
		return
	}
	if bury {
		s.bury()
	}
	if _, known := l.removing[key]; !known {
		l.removing[key] = removal{s, bury}
	}
	select {
	case l.wake <- struct{}{}:
	default: // it is awake already
	}
}

// remove removes keys until ctx ends.
func (l *Limiter) remove(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.wake:
		}
		pause := shortestPause
		for s, some := l.discarded(); s != nil; s, some = l.discarded() {
			if err := l.removeKeys(ctx, s, some); err == nil {
				pause = shortestPause
				continue
			}
			if !sleep(ctx, pause) {
				return
			}
			pause = min(2*pause, longestPause)
		}
	}
}

// discarded returns some keys of a lease that are to be removed, not more than etcd
// takes in one transaction, and whether to bury them. The lease is nil if there are
// none.
func (l *Limiter) discarded() (s *lease, some map[string]bool) {
	const most = 50 // with their tombstones
	l.mu.Lock()
	defer l.mu.Unlock()
	some = map[string]bool{}
	for key, r := range l.removing {
		if s == nil {
			s = r.lease
		}
		if r.lease != s {
			continue
		}
		if some[key] = r.bury; len(some) == most {
			break
		}
	}
	return s, some
}

func (l *Limiter) removeKeys(ctx context.Context, s *lease, some map[string]bool) error {
	var ops []clientv3.Op
	for key, bury := range some {
		ops = append(ops, clientv3.OpDelete(key))
		if bury {
			ops = append(ops, clientv3.OpPut(l.tombstone(key), "", clientv3.WithLease(s.id)))
		}
	}
	_, err := ask(ctx, l.client, "give places back", func(ctx context.Context) (*clientv3.TxnResponse, error) {
		return l.client.Txn(ctx).Then(ops...).Commit()
	})
	if errors.Is(err, rpctypes.ErrLeaseNotFound) {
		s.forget()
		return nil
	}
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for key := range some {
		delete(l.removing, key)
	}
	return nil
}
