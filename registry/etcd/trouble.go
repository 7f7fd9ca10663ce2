package etcd

import (
	"context"
	"crypto/tls"
	"net"
	"sync"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// trouble is why the last try to connect failed. etcd's client keeps trying and tells
// nobody, so that a certificate that is not trusted would look like silence. It is
// in the context of a client that Dial made.
type trouble struct {
	mu  sync.Mutex // guards err
	err error      // nil after a success
}

type troubleKey struct{}

// troubleOf is that of client, if Dial made it and the last try failed.
func troubleOf(client *clientv3.Client) error {
	t, ok := client.Ctx().Value(troubleKey{}).(*trouble)
	if !ok {
		return nil
	}
	return t.last()
}

func (t *trouble) last() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err == nil {
		return nil
	}
	return &rejection{t.err}
}

// noted keeps err unless the try was given up.
func (t *trouble) noted(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.err = err
}

// options have a client connect as it does by itself, and note how that ends.
func (t *trouble) options(config *tls.Config) []grpc.DialOption {
	dial := grpc.WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
		t.noted(ctx, err)
		return conn, err
	})
	if config == nil {
		return []grpc.DialOption{dial}
	}
	return []grpc.DialOption{dial, grpc.WithTransportCredentials(handshakes{credentials.NewTLS(config), t})}
}

// handshakes notes how handshakes of TLS end.
type handshakes struct {
	credentials.TransportCredentials
	trouble *trouble
}

func (h handshakes) ClientHandshake(ctx context.Context, authority string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	secure, info, err := h.TransportCredentials.ClientHandshake(ctx, authority, conn)
	h.trouble.noted(ctx, err)
	return secure, info, err
}

func (h handshakes) Clone() credentials.TransportCredentials {
	return handshakes{h.TransportCredentials.Clone(), h.trouble}
}
