package etcd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

const (
	// pulseEvery lies between two looks whether a watch misses something.
	pulseEvery = 10 * time.Second
	// thoroughEvery is how many looks there are to one at which etcd reads all
	// connections, and does not only count them.
	thoroughEvery = 6
)

// A position is how far a watch has seen the connections of etcd.
type position struct {
	revision int64 // up to which all is known
	last     int64 // the greatest ModRevision of a connection
	many     int64 // connections
}

// position is that of etcd now.
func (r *Registry) position(ctx context.Context) (position, error) {
	got, err := ask(ctx, r.client, "watch", func(ctx context.Context) (*clientv3.GetResponse, error) {
		return r.client.Get(ctx, r.directory(), clientv3.WithPrefix(), clientv3.WithKeysOnly(),
			clientv3.WithSort(clientv3.SortByModRevision, clientv3.SortDescend), clientv3.WithLimit(1))
	})
	if err != nil {
		return position{}, err
	}
	at := position{revision: got.Header.Revision, many: got.Count}
	if len(got.Kvs) > 0 {
		at.last = got.Kvs[0].ModRevision
	}
	return at, nil
}

// count is position without last, which costs etcd little.
func (r *Registry) count(ctx context.Context) (position, error) {
	got, err := ask(ctx, r.client, "watch", func(ctx context.Context) (*clientv3.GetResponse, error) {
		return r.client.Get(ctx, r.directory(), clientv3.WithPrefix(), clientv3.WithCountOnly())
	})
	if err != nil {
		return position{}, err
	}
	return position{revision: got.Header.Revision, many: got.Count}, nil
}

// errMissed is where a watch has to go on from a later position, for what came
// before that cannot be had any more.
var errMissed = errors.New("changes were missed")

// follow adds all that changes after w.at, until ctx ends or etcd cannot be
// followed.
func (w *watch) follow(ctx context.Context) error {
	for {
		err := w.stream(ctx)
		if !errors.Is(err, errMissed) {
			return err
		}
		// First the position, and then the change: who looks up what is told finds
		// all that was before the position.
		if w.at, err = w.r.position(ctx); err != nil {
			return err
		}
		w.add("")
	}
}

// stream follows etcd by one watch of its client, which comes back by itself
// where it left off when a connection is lost.
func (w *watch) stream(ctx context.Context) error {
	inner, cancel := context.WithCancel(ctx)
	responses := make(chan clientv3.WatchResponse)
	var receiving sync.WaitGroup
	from := w.at.revision + 1
	receiving.Go(func() { receive(inner, w.r.client, w.r.directory(), from, responses) })
	defer receiving.Wait()
	defer cancel()
	pulse := time.NewTicker(w.r.pulse)
	defer pulse.Stop()
	var before suspicion
	for looks := 1; ; {
		select {
		case response, ok := <-responses:
			if !ok {
				return w.ended(ctx)
			}
			if err := w.heed(ctx, response); err != nil {
				return err
			}
		case <-pulse.C:
			now, err := w.suspect(ctx, looks%thoroughEvery == 0 || before.missing())
			looks++
			if err != nil {
				return err
			}
			if now.missing() && now == before {
				return errMissed
			}
			before = now
		}
	}
}

// receive passes on what etcd tells of keys that begin with prefix, from revision
// on, until ctx or the watch ends, and closes responses then. It is to be a
// goroutine of its own, for Watch itself waits for etcd.
func receive(ctx context.Context, client *clientv3.Client, prefix string, revision int64, responses chan<- clientv3.WatchResponse) {
	defer close(responses)
	// With a watcher of its own the stream to etcd ends with the watch. That of the
	// client stays where a context ends while the stream is being made.
	watcher := clientv3.NewWatcher(client)
	defer func() { _ = watcher.Close() }()
	// A member that lost its cluster ends the watch, and does not go on in silence.
	ctx = clientv3.WithRequireLeader(ctx)
	// Progress is only what etcd tells by itself. What it tells when it is asked
	// may come before changes that belong to it (etcd issue 15220), and the client
	// would go on behind them after a lost connection.
	told := watcher.Watch(ctx, prefix, clientv3.WithPrefix(), clientv3.WithRev(revision), clientv3.WithProgressNotify())
	for response := range told {
		select {
		case responses <- response:
		case <-ctx.Done():
			return
		}
	}
}

// ended is the error of a watch that ended without one.
func (w *watch) ended(ctx context.Context) error {
	return fmt.Errorf("etcd: watch: %w", explainOf(ctx, w.r.client, errors.New("ended by etcd's client")))
}

// heed adds what response tells.
func (w *watch) heed(ctx context.Context, response clientv3.WatchResponse) error {
	if response.CompactRevision != 0 {
		return errMissed
	}
	if err := response.Err(); err != nil {
		return fmt.Errorf("etcd: watch: %w", explainOf(ctx, w.r.client, err))
	}
	var names []string
	for _, event := range response.Events {
		names = append(names, strings.TrimPrefix(string(event.Kv.Key), w.r.directory()))
		w.at.revision = max(w.at.revision, event.Kv.ModRevision)
		switch {
		case event.Type == clientv3.EventTypeDelete:
			w.at.many--
			continue
		case event.IsCreate():
			w.at.many++
		}
		w.at.last = max(w.at.last, event.Kv.ModRevision)
	}
	if len(names) > 0 {
		w.add(names...)
	}
	return nil
}

// A suspicion is that etcd has what the watch did not tell. The second time in a
// row that is no delay any more.
type suspicion struct {
	known      position // to the watch
	last, many int64    // as etcd has it
	restored   bool     // etcd is at a revision before the one that is known
}

// missing reports whether there is a difference. The number of connections tells
// of a deletion, for the last that the watch knows of may be of one deleted since.
func (s suspicion) missing() bool {
	return s.restored || s.last > s.known.last || s.many != s.known.many
}

// suspect compares the position of the watch with that of etcd, thoroughly or by
// numbers alone. It also notices that etcd does not answer.
func (w *watch) suspect(ctx context.Context, thorough bool) (suspicion, error) {
	read := w.r.count
	if thorough {
		read = w.r.position
	}
	now, err := read(ctx)
	if !thorough {
		now.last = w.at.last
	}
	return suspicion{known: w.at, last: now.last, many: now.many, restored: now.revision < w.at.revision}, err
}
