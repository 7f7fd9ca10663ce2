package proxy

import (
	"context"
	"net"
	"strconv"
	"time"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/opening"
)

// A way leads through one proxy.
type way struct {
	c        hawser.Connection // whose proxy it is
	p        hawser.Proxy
	verifier hawser.Verifier
	known    *memory
	reach    func(context.Context) (net.Conn, error) // the proxy
}

// String is type and host:port of the proxy.
func (w *way) String() string { return string(w.p.Type) + " " + address(w.p) }

// address is host:port of p, with the default port where Port is 0.
func address(p hawser.Proxy) string {
	port := p.Port
	switch {
	case port != 0:
	case p.Type == hawser.ProxyHTTP:
		port = 8080
	case p.Type == hawser.ProxyHTTPS:
		port = 443
	default:
		port = 1080
	}
	return net.JoinHostPort(p.Host, strconv.Itoa(int(port)))
}

// connect is DialNet through the proxy.
func (w *way) connect(ctx context.Context, network, addr string) (net.Conn, error) {
	t, err := parseTarget(network, addr)
	if err != nil {
		return nil, err
	}
	if opening.IsOver(ctx) {
		return nil, opening.Ended(ctx)
	}
	switch w.p.Type {
	case hawser.ProxyHTTP, hawser.ProxyHTTPS:
		return w.connectHTTP(ctx, t)
	case hawser.ProxySOCKS4, hawser.ProxySOCKS4A:
		return w.connectSOCKS(ctx, t, socks4{})
	case hawser.ProxySOCKS5, hawser.ProxySOCKS5H:
		return w.connectSOCKS(ctx, t, socks5{})
	}
	return nil, &hawser.FieldError{Field: "proxy.type", Problem: "unknown proxy type " + strconv.Quote(string(w.p.Type))}
}

// fail is an Error of the proxy. Where ctx has ended, that is the cause.
func (w *way) fail(ctx context.Context, op string, t target, err error) *Error {
	if opening.IsOver(ctx) {
		err = opening.Ended(ctx)
	}
	return &Error{Proxy: w.String(), Target: t.addr, Op: op, Err: err}
}

// open connects to the proxy, and shakes hands if that is to be secure.
func (w *way) open(ctx context.Context, t target) (net.Conn, error) {
	conn, err := w.reach(ctx)
	if err != nil {
		return nil, w.fail(ctx, OpDial, t, err)
	}
	if w.p.Type != hawser.ProxyHTTPS {
		return conn, nil
	}
	secure, err := w.shake(ctx, conn)
	if err != nil {
		return nil, w.fail(ctx, OpTLS, t, err)
	}
	return secure, nil
}

// past is a deadline that ends every wait.
func past() time.Time { return time.Unix(1, 0) }

// converse runs say, which speaks to the proxy on conn, until ctx ends. On an error
// conn is closed.
func converse(ctx context.Context, conn net.Conn, say func() error) error {
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(past()) })
	err := say()
	if !stop() {
		err = opening.Ended(ctx)
	}
	if err != nil {
		_ = conn.Close()
	}
	return err
}
