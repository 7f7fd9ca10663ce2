package proxy

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"

	"github.com/hawser/hawser"
)

// A binding is a port on a SOCKS proxy (RFC 1928, section 4, and SOCKS4).
type binding struct {
	w    *way
	t    target // who is to connect
	v    socks
	raw  net.Conn // to the proxy; what comes through the port
	addr netip.AddrPort
	once sync.Once
}

var _ hawser.Binding = (*binding)(nil)

// bind has the proxy open a port for t.
func (w *way) bind(ctx context.Context, t target, v socks) (hawser.Binding, error) {
	raw, b, err := w.ask(ctx, t, v, commandBind)
	if err != nil {
		return nil, err
	}
	addr := reachable(raw, b)
	if addr.Port() == 0 {
		_ = raw.Close()
		return nil, w.fail(ctx, OpBind, t, errors.New("the proxy names no port"))
	}
	return &binding{w: w, t: t, v: v, raw: raw, addr: addr}, nil
}

// reachable is where b can be reached. Many proxies say 0.0.0.0 and mean the
// address at which they are reached themselves, which is known unless that is a name
// too. No name is looked up: it may mean something else here.
func reachable(raw net.Conn, b bound) netip.AddrPort {
	if b.ip.IsValid() && !b.ip.IsUnspecified() {
		return netip.AddrPortFrom(b.ip, b.port)
	}
	own, err := netip.ParseAddrPort(raw.RemoteAddr().String())
	if err != nil || b.name != "" {
		return netip.AddrPortFrom(netip.IPv4Unspecified(), b.port)
	}
	return netip.AddrPortFrom(own.Addr().Unmap().WithZone(""), b.port)
}

// Addr is where the target is to connect to.
func (b *binding) Addr() netip.AddrPort { return b.addr }

// Accept waits for the second reply, which comes with the connection.
func (b *binding) Accept(ctx context.Context) (net.Conn, error) {
	var from bound
	err := converse(ctx, b.raw, func() error {
		var err error
		from, err = b.v.reply(b.w, b.raw, commandBind, b.t)
		return err
	})
	if err != nil {
		return nil, b.w.refine(ctx, OpBind, b.t, err)
	}
	return &conn{Conn: b.raw, remote: from.addr()}, nil
}

// Close gives the port up, unless its connection was accepted: then that is closed.
func (b *binding) Close() error {
	var err error
	b.once.Do(func() { err = b.raw.Close() })
	return err
}
