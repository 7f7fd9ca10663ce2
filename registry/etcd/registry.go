package etcd

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/registry/seal"
)

// defaultPrefix is what an empty Prefix means.
const defaultPrefix = "/hawser/"

// Options of a [Registry]. The zero Options keep no literal secrets.
type Options struct {
	// Prefix begins every key; "" is "/hawser/". A "/" at its end is added if it
	// lacks.
	Prefix string
	// Key seals literal secrets. Without one they are refused, and those that are
	// sealed stay references.
	Key *seal.Key
}

// A Registry keeps connections in etcd. It is safe for concurrent use, also with
// other Registries of the same prefix, in this process and on other machines.
// What it returns is what etcd holds at that moment: reads are linearizable.
//
// An error that is not of the context, and matches none of hawser, says what is
// wrong with etcd. A Put or Delete that ends so, or with the context, may have
// been done.
//
// No verb of fmt shows the password of its client. What goes by reflection through
// its fields does, such as the difference that an assertion of testify prints, so do
// not compare Registries by that.
type Registry struct {
	client  *clientv3.Client
	prefix  string
	header  *header
	version atomic.Uint64
	pulse   time.Duration // between two looks whether a watch misses something

	mu       sync.Mutex // guards all below
	closed   bool
	watches  map[*watch]struct{}
	watching sync.WaitGroup // has no more to wait for once closed is set and all are over
}

var _ interface {
	hawser.Registry
	hawser.Writer
	hawser.Watcher
	hawser.Versioner
} = (*Registry)(nil)

// Open returns the registry below o.Prefix in etcd. The caller closes client, after
// the Registry. ctx bounds Open alone. If o.Key is not the key that the registry was
// sealed with, the error matches [seal.ErrKey].
func Open(ctx context.Context, client *clientv3.Client, o Options) (*Registry, error) {
	r := &Registry{
		client: client, prefix: complete(o.Prefix), watches: map[*watch]struct{}{}, pulse: pulseEvery,
	}
	opened, err := r.openHeader(ctx, o.Key)
	if err != nil {
		return nil, err
	}
	r.header = opened
	return r, nil
}

func complete(prefix string) string {
	if prefix == "" {
		return defaultPrefix
	}
	return strings.TrimSuffix(prefix, "/") + "/"
}

// Close ends all watches, and waits until nothing that they started is left. It
// leaves the client open. What is called later fails with an error that matches
// net.ErrClosed; later calls of Close do nothing.
func (r *Registry) Close() error {
	r.mu.Lock()
	r.closed = true
	for w := range r.watches {
		w.end(errClosed)
	}
	r.mu.Unlock()
	r.watching.Wait()
	return nil
}

var errClosed = fmt.Errorf("etcd: registry: %w", net.ErrClosed)

// Version grows with each change that this Registry made, or that one of its
// watches tells; see [hawser.Versioner].
func (r *Registry) Version() uint64 { return r.version.Load() }

// Format writes where the registry is, for every verb.
func (r *Registry) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "registry in etcd, %s below %s", strings.Join(r.client.Endpoints(), ", "), r.prefix)
}

// check returns why there is nothing to do with ctx.
func (r *Registry) check(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return errClosed
	}
	return nil
}

// directory begins the keys of connections.
func (r *Registry) directory() string { return r.prefix + "connections/" }

// key is that of the connection called name.
func (r *Registry) key(name string) string { return r.directory() + name }
