package testserver

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

// bind waits for the peer of a BIND and carries the tunnel (RFC 1928, section 4, and the same in SOCKS4): a first
// answer says where, a second who came.
func (s *proxySession) bind(ctx context.Context, r ProxyRequest, answer proxyAnswer) {
	peer, err := s.proxy.bindPeer(r.Target)
	if err != nil {
		s.refuse(r, answer, err)
		return
	}
	listener, err := net.Listen("tcp", netip.AddrPortFrom(s.proxy.bindAddr(peer), 0).String())
	if err != nil {
		s.refuse(r, answer, errProxyUnreachable)
		return
	}
	stop := context.AfterFunc(ctx, func() { _ = listener.Close() })
	defer stop()

	status, words := answer(nil, s.proxy.announced(proxyAddr(listener.Addr())))
	r.Status = status
	s.proxy.note(r)
	if _, err := s.conn.Write(s.odd(r.Target, words)); err != nil {
		_ = listener.Close()
		return
	}
	far, err := s.accept(listener)
	if err != nil {
		return
	}
	from := proxyAddr(far.RemoteAddr())
	if !peer.IsUnspecified() && from.Addr() != peer {
		_ = far.Close()
		_, words = answer(errProxyDenied, from)
		_, _ = s.conn.Write(words)
		return
	}
	_, words = answer(nil, from)
	s.carry(ctx, far, words)
}

// bindPeer is who may connect: the address that stands for target, or an unspecified one for everybody.
func (p *Proxy) bindPeer(target string) (netip.Addr, error) {
	switch {
	case p.cfg.NoBind:
		return netip.Addr{}, errProxyCommand
	case p.cfg.Deny != nil && p.cfg.Deny(target):
		return netip.Addr{}, errProxyDenied
	}
	host, _, err := net.SplitHostPort(target)
	if err != nil {
		return netip.Addr{}, errProxyNoHost
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.IsUnspecified() {
		return ip, nil
	}
	addr, err := p.resolve(target)
	if err != nil {
		return netip.Addr{}, err
	}
	host, _, err = net.SplitHostPort(addr)
	if err != nil {
		return netip.Addr{}, errProxyNoHost
	}
	if host == "localhost" {
		return netip.IPv4Unspecified(), nil // It may have two addresses.
	}
	peer, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}, errProxyNoHost
	}
	return peer.Unmap(), nil
}

// bindAddr is where the proxy listens for peer.
func (p *Proxy) bindAddr(peer netip.Addr) netip.Addr {
	switch {
	case p.cfg.External.IsLoopback():
		return p.cfg.External
	case peer.Is6():
		return netip.IPv6Loopback()
	}
	return netip.AddrFrom4([4]byte{127, 0, 0, 1})
}

// announced is what the client is told of the address at.
func (p *Proxy) announced(at netip.AddrPort) netip.AddrPort {
	switch {
	case p.cfg.Unspecified && at.Addr().Is6():
		return netip.AddrPortFrom(netip.IPv6Unspecified(), at.Port())
	case p.cfg.Unspecified:
		return netip.AddrPortFrom(netip.IPv4Unspecified(), at.Port())
	case p.cfg.External.IsValid():
		return netip.AddrPortFrom(p.cfg.External, at.Port())
	}
	return at
}

// accept waits for the peer for as long as the client does, and closes listener.
func (s *proxySession) accept(listener net.Listener) (netHalf, error) {
	var wg sync.WaitGroup
	wg.Go(func() {
		// What the client sends early stays in the reader. The deadline below ends this.
		if _, err := s.in.Peek(1); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			_ = listener.Close()
		}
	})
	c, err := listener.Accept()
	_ = listener.Close() // One peer alone may come.
	_ = s.conn.SetReadDeadline(time.Unix(1, 0))
	wg.Wait()
	_ = s.conn.SetReadDeadline(time.Time{})
	if err != nil {
		return nil, err
	}
	return asHalf(c)
}
