package testserver

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"strconv"
)

// Why a [Proxy] refuses. Whatever else a dial ends in is a port that refused, for it is one of the loopback.
var (
	errProxyDenied      = errors.New("not allowed")
	errProxyLogin       = errors.New("login refused")
	errProxyNoHost      = errors.New("unknown host")
	errProxyUnreachable = errors.New("network unreachable")
	errProxyCommand     = errors.New("unknown command")
	errProxyAddress     = errors.New("unknown type of address")
	errProxyRequest     = errors.New("bad request")
)

// proxySession is one client of a Proxy.
type proxySession struct {
	proxy *Proxy
	conn  netHalf
	in    *bufio.Reader // of conn
}

// proxyAnswer is how a protocol says what has become of a request: err is nil where it was granted, with the address
// that the protocol tells of.
type proxyAnswer func(err error, addr netip.AddrPort) (status int, words []byte)

func (p *Proxy) serve(ctx context.Context, c net.Conn) {
	conn, ok := c.(netHalf)
	if !ok {
		return
	}
	s := &proxySession{proxy: p, conn: conn, in: bufio.NewReader(conn)}
	first, err := s.in.Peek(1)
	if err != nil {
		return
	}
	switch {
	case first[0] == socks5Version && p.speaks(ProxySOCKS5):
		s.socks5(ctx)
	case first[0] == socks4Version && (p.speaks(ProxySOCKS4) || p.speaks(ProxySOCKS4a)):
		s.socks4(ctx)
	case p.speaks(ProxyHTTP):
		s.http(ctx)
	default:
		return
	}
	// A client that still sends must not have its answer lost to a reset. It ends this by closing, as it must.
	_ = conn.CloseWrite()
	_, _ = io.Copy(io.Discard, conn)
}

// refuse answers that the request is not granted.
func (s *proxySession) refuse(r ProxyRequest, answer proxyAnswer, err error) {
	status, words := answer(err, netip.AddrPortFrom(netip.IPv4Unspecified(), 0))
	r.Status, r.Refused = status, true
	s.proxy.note(r)
	if !errors.Is(err, errProxyLogin) {
		words = s.odd(r.Target, words)
	}
	_, _ = s.conn.Write(words)
}

// odd is what is said to a client that was let in: words, unless ProxyConfig.Answer has others.
func (s *proxySession) odd(target string, words []byte) []byte {
	if s.proxy.cfg.Answer == nil {
		return words
	}
	if other := s.proxy.cfg.Answer(target); other != nil {
		return other
	}
	return words
}

// connect dials the target of a CONNECT and carries the tunnel. It reports whether there was one.
func (s *proxySession) connect(ctx context.Context, r ProxyRequest, answer proxyAnswer) bool {
	far, err := s.proxy.dial(ctx, r.Target)
	if err != nil {
		s.refuse(r, answer, err)
		return false
	}
	status, words := answer(nil, proxyAddr(far.LocalAddr()))
	r.Status = status
	s.proxy.note(r)
	s.carry(ctx, far, s.odd(r.Target, words))
	return true
}

// carry says words and then carries the tunnel until it has ended. It closes far.
func (s *proxySession) carry(ctx context.Context, far netHalf, words []byte) {
	defer func() { _ = far.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = far.Close() })
	defer stop()
	if s.proxy.cfg.Together {
		first := make([]byte, 4<<10)
		n, _ := far.Read(first) // Whatever went wrong, the tunnel meets it again.
		words = append(words, first[:n]...)
	}
	if _, err := s.conn.Write(words); err != nil {
		return
	}
	// What the client sent too early is in the reader, and all else in conn.
	if early, _ := s.in.Peek(s.in.Buffered()); len(early) > 0 {
		if _, err := far.Write(early); err != nil {
			return
		}
	}
	newTunnel(s.conn, far).run(ctx)
}

// dial connects to what stands for target.
func (p *Proxy) dial(ctx context.Context, target string) (netHalf, error) {
	if p.cfg.Deny != nil && p.cfg.Deny(target) {
		return nil, errProxyDenied
	}
	addr, err := p.resolve(target)
	if err != nil {
		return nil, err
	}
	return dialHalf(ctx, addr)
}

// validTarget reports whether s is host:port, as the target of CONNECT must be (RFC 9112, section 3.2.3).
func validTarget(s string) bool {
	host, port, err := net.SplitHostPort(s)
	if err != nil || host == "" {
		return false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
}

// resolve returns the host:port that stands for target.
func (p *Proxy) resolve(target string) (string, error) {
	host, port, err := net.SplitHostPort(target)
	if err != nil {
		return "", errProxyNoHost
	}
	to, ok := p.cfg.Hosts[target]
	if !ok {
		to, ok = p.cfg.Hosts[host]
	}
	if ok {
		if _, _, err := net.SplitHostPort(to); err == nil {
			return to, nil
		}
		return net.JoinHostPort(to, port), nil
	}
	if host == "localhost" {
		return target, nil
	}
	ip, err := netip.ParseAddr(host)
	switch {
	case err != nil:
		return "", errProxyNoHost
	case !ip.Unmap().IsLoopback():
		return "", errProxyUnreachable
	}
	return target, nil
}

// proxyAddr is the address of a TCP connection.
func proxyAddr(addr net.Addr) netip.AddrPort {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	at := tcp.AddrPort()
	return netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
}
