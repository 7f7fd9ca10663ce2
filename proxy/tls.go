package proxy

import (
	"context"
	"net"
	"time"

	"github.com/hawser/hawser/internal/opening"
	"github.com/hawser/hawser/internal/tlsconf"
)

// shake makes conn a TLS connection to the proxy, or closes it. The certificate is
// judged as that of any server, but by itself: nothing of c.TLS applies to it. took
// is how long the Verifier did.
func (w *way) shake(ctx context.Context, conn net.Conn) (secure net.Conn, took time.Duration, err error) {
	client, err := w.client(func(judge func(context.Context) error) error {
		start := time.Now()
		defer func() { took += time.Since(start) }()
		return opening.Unhurried(ctx, judge)
	})
	if err != nil {
		_ = conn.Close()
		return nil, 0, err
	}
	t, err := client.Handshake(ctx, conn)
	if err != nil {
		return nil, took, err
	}
	return t, took, nil
}

func (w *way) client(unhurried func(func(context.Context) error) error) (*tlsconf.Client, error) {
	return tlsconf.New(w.c, tlsconf.Options{
		Addr: address(w.p), Verifier: w.verifier, Proxy: true, Unhurried: unhurried,
	})
}
