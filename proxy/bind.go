package proxy

import (
	"context"
	"fmt"
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
	addr, err := w.reachable(ctx, raw, b)
	if err != nil {
		_ = raw.Close()
		return nil, w.fail(ctx, OpBind, t, err)
	}
	return &binding{w: w, t: t, v: v, raw: raw, addr: addr}, nil
}

// reachable is where b can be reached. Many proxies say 0.0.0.0 and mean the
// address at which they are reached themselves.
func (w *way) reachable(ctx context.Context, raw net.Conn, b bound) (netip.AddrPort, error) {
	host := b.name
	switch {
	case b.port == 0:
		return netip.AddrPort{}, fmt.Errorf("the proxy names no port")
	case host == "" && !b.ip.IsUnspecified():
		return netip.AddrPortFrom(b.ip, b.port), nil
	case host == "":
		if own, err := netip.ParseAddrPort(raw.RemoteAddr().String()); err == nil {
			return netip.AddrPortFrom(own.Addr().Unmap().WithZone(""), b.port), nil
		}
		host = w.p.Host // it is reached by name, through a tunnel
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return netip.AddrPort{}, err
	}
	return netip.AddrPortFrom(ips[0].Unmap(), b.port), nil
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
	remote := b.t
	if from.ip.IsValid() {
		remote.port = from.port
		remote = remote.at(from.ip)
	}
	return &conn{Conn: b.raw, remote: remote.remote()}, nil
}

// Close gives the port up, unless its connection was accepted: then that is closed.
func (b *binding) Close() error {
	var err error
	b.once.Do(func() { err = b.raw.Close() })
	return err
}
