package etcd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/hawser/hawser"
)

// defaultTTL is what a zero LimiterOptions.TTL means.
const defaultTTL = 15 * time.Second

// LimiterOptions are those of a [Limiter]. The zero LimiterOptions work.
type LimiterOptions struct {
	// Prefix begins every key, as that of [Options]. Who shares it counts together.
	Prefix string
	// TTL is how long the places of a process stay taken after it was killed or cut
	// off, rounded up to seconds; zero is 15 s. A process that reaches etcd only
	// after that has lost its places.
	TTL time.Duration
	// Node names this process to people who look into etcd; "" is made of the host
	// name and the number of the process.
	Node string
}

// A Limiter is a hawser.Limiter that holds Limits.Sessions across all processes
// that use one etcd. Sessions count together that go to the same server, by
// protocol, address, login and way there; see [hawser.Limiter].
//
// Who waits is served in turn, across all processes. While somebody waits, places
// are recalled, the one that was held the longest first, and those of other
// processes before those of his own: as many as there are who wait, and one more
// for each second that one waits, because a place may be in long use. A
// process that is killed, or cut off from etcd, loses its places within TTL; in the
// second case they are recalled before etcd gives them to others.
//
// The limit is that of whoever asks. It is safe for concurrent use. One is enough
// for a process.
//
// No verb of fmt shows the password of its client. What goes by reflection through
// its fields does, such as the difference that an assertion of testify prints, so do
// not compare Limiters by that.
type Limiter struct {
	client *clientv3.Client
	prefix string // of the keys of places
	ended  string // of tombstones
	ttl    int64  // seconds
	node   string

	// spawn starts a goroutine whose context Close ends, and also the func returned.
	// It must be called with mu held while closed is not set.
	spawn    func(run func(ctx context.Context)) context.CancelFunc
	closing  <-chan struct{}
	end      func()        // ends those goroutines, and waits for them
	granting chan struct{} // holds a token while a lease is asked for
	wake     chan struct{} // holds a token while there is something to remove
	removal  func()        // starts remove, once

	mu       sync.Mutex // guards all below
	closed   bool
	made     int64  // places
	current  *lease // for new places; nil before the first
	leases   map[clientv3.LeaseID]*lease
	queues   map[string]*queue  // by the keys that theirs begin with
	removing map[string]removal // keys that are to be removed
}

var _ hawser.Limiter = (*Limiter)(nil)

// NewLimiter returns a Limiter in etcd. It asks nothing yet. The caller closes it,
// and client after it.
func NewLimiter(client *clientv3.Client, o LimiterOptions) (*Limiter, error) {
	if o.TTL < 0 {
		return nil, fmt.Errorf("etcd: limiter: %w", &hawser.FieldError{Field: "ttl", Problem: "is negative"})
	}
	if o.TTL == 0 {
		o.TTL = defaultTTL
	}
	if o.Node == "" {
		host, err := os.Hostname()
		if err != nil {
			host = "unknown"
		}
		o.Node = fmt.Sprintf("%s:%d", host, os.Getpid())
	}
	l := &Limiter{
		client: client, prefix: complete(o.Prefix) + "limits/", ended: complete(o.Prefix) + "ended/", node: o.Node,
		ttl:      int64((o.TTL + time.Second - 1) / time.Second),
		granting: make(chan struct{}, 1), wake: make(chan struct{}, 1),
		leases: map[clientv3.LeaseID]*lease{}, queues: map[string]*queue{}, removing: map[string]removal{},
	}
	l.own()
	return l, nil
}

// own prepares for the goroutines of l.
func (l *Limiter) own() {
	all, endAll := context.WithCancel(context.Background())
	var running sync.WaitGroup
	l.closing = all.Done()
	l.spawn = func(run func(ctx context.Context)) context.CancelFunc {
		ctx, cancel := context.WithCancel(all)
		running.Go(func() {
			defer cancel()
			run(ctx)
		})
		return cancel
	}
	l.end = func() {
		endAll()
		running.Wait()
	}
	l.removal = sync.OnceFunc(func() { l.spawn(l.remove) })
}

// Acquire waits for one of c.Limits.Sessions places; see [hawser.Limiter]. If ctx
// ends while it waits in turn, the error matches hawser.ErrBusy and the context's
// own. If etcd does not answer it fails with another error, when ctx ends or after
// ten seconds for each of the steps, of which there are three at most.
func (l *Limiter) Acquire(ctx context.Context, c hawser.Connection) (hawser.Place, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if c.Limits.Sessions < 1 {
		return nil, &hawser.FieldError{Field: "limits.sessions", Problem: "has to be 1 or more to be held"}
	}
	for pause := shortestPause; ; pause = min(2*pause, longestPause) {
		p, err := l.join(ctx, c)
		if err == nil {
			err = p.wait(ctx)
		}
		if err == nil {
			return p, nil
		}
		if p != nil {
			p.Release()
		}
		if !errors.Is(err, errAgain) {
			return nil, err
		}
		if !sleep(ctx, pause) {
			return nil, fmt.Errorf("etcd: %w: %w", err, ctx.Err())
		}
	}
}

// errAgain ends the wait of a place that was lost before it was given.
var errAgain = errors.New("the place in the queue was lost")

// Held counts the places that this Limiter has given and that are not released.
func (l *Limiter) Held() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	held := 0
	for _, q := range l.queues {
		for _, p := range q.places {
			if p.isGranted() {
				held++
			}
		}
	}
	return held
}

// Close gives all places back and recalls those that are held, so shut down who
// uses them before. It waits until nothing that the Limiter started is left, and
// for etcd at most five seconds; the error says that etcd was not told, and
// keeps the places for TTL. Acquire fails from now on with an error that matches
// net.ErrClosed; later calls of Close do nothing.
func (l *Limiter) Close() error {
	const closeWithin = 5 * time.Second
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	var leases []*lease
	for _, s := range l.leases {
		s.lose()
		leases = append(leases, s)
	}
	l.mu.Unlock()
	l.end()
	ctx, cancel := context.WithTimeout(context.Background(), closeWithin)
	defer cancel()
	var failed []error
	for _, s := range leases {
		failed = append(failed, s.revoke(ctx))
	}
	return errors.Join(failed...)
}

var errLimiterClosed = fmt.Errorf("etcd: limiter: %w", net.ErrClosed)

// Format writes where the limiter is, for every verb.
func (l *Limiter) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "limiter in etcd, %s below %s", strings.Join(l.client.Endpoints(), ", "), l.prefix)
}
