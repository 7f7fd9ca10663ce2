package etcd

import (
	"context"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// follow follows the queue in etcd until ctx ends. It is called without
// Limiter.mu, as all methods here.
func (q *queue) follow(ctx context.Context) {
	for pause := shortestPause; ; pause = min(2*pause, longestPause) {
		if q.stream(ctx) {
			pause = shortestPause
		}
		if !sleep(ctx, pause) {
			return
		}
		_ = q.list(ctx) // stream does it again
	}
}

// stream follows the queue until ctx or the watch ends, and reports whether it was
// told anything.
func (q *queue) stream(ctx context.Context) (told bool) {
	inner, cancel := context.WithCancel(ctx)
	responses := make(chan clientv3.WatchResponse)
	var receiving sync.WaitGroup
	from, _ := q.state()
	receiving.Go(func() { receive(inner, q.l.client, q.prefix, from+1, responses) })
	defer receiving.Wait()
	defer cancel()
	// What a watch misses, because it hangs, is seen then.
	list := time.NewTicker(time.Duration(q.l.ttl) * time.Second)
	defer list.Stop()
	for {
		var again <-chan time.Time
		if _, contended := q.state(); contended {
			again = time.After(recallEvery)
		}
		select {
		case response, ok := <-responses:
			if !ok || response.Err() != nil {
				return told
			}
			told = true
			q.update(func() { q.heed(response.Events) })
		case <-q.again:
			return told
		case <-list.C:
			_ = q.list(ctx) // what etcd does not answer now it does the next time
		case <-again:
			q.update(func() {})
		case <-ctx.Done():
			return told
		}
	}
}

func (q *queue) state() (revision int64, contended bool) {
	q.l.mu.Lock()
	defer q.l.mu.Unlock()
	return q.revision, q.contended
}

// update does what change learns.
func (q *queue) update(change func()) {
	q.l.mu.Lock()
	defer q.l.mu.Unlock()
	change()
	q.settle(time.Now())
}

// list asks for the whole queue.
func (q *queue) list(ctx context.Context) error {
	before := q.now()
	got, err := ask(ctx, q.l.client, "list the places of "+q.server, func(ctx context.Context) (*clientv3.GetResponse, error) {
		return q.l.client.Get(ctx, q.prefix, clientv3.WithPrefix())
	})
	if err == nil {
		q.update(func() { q.replace(got.Kvs, got.Header.Revision, before) })
	}
	return err
}
