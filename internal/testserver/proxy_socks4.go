package testserver

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"strconv"
)

// socks4Longest is the longest user id or name that is read, in bytes.
const socks4Longest = 255

// socks4 serves a request of SOCKS4 or 4a. Neither has an RFC: the one is described by Ying-Da Lee's SOCKS4.protocol,
// the other by his SOCKS4A, which has a name follow where the address is 0.0.0.x.
func (s *proxySession) socks4(ctx context.Context) {
	head, err := s.take(8)
	if err != nil {
		return
	}
	user, ok := s.socks4String()
	if !ok {
		return
	}
	r := ProxyRequest{Protocol: ProxySOCKS4, Method: socksMethod(head[1]), User: user}
	if user != "" {
		r.Scheme = "userid"
	}
	ip := netip.AddrFrom4([4]byte(head[4:8]))
	host := ip.String()
	if head[4] == 0 && head[5] == 0 && head[6] == 0 && head[7] != 0 && s.proxy.speaks(ProxySOCKS4a) {
		r.Protocol = ProxySOCKS4a
		if host, ok = s.socks4String(); !ok {
			return
		}
	}
	r.Target = net.JoinHostPort(host, strconv.Itoa(int(binary.BigEndian.Uint16(head[2:4]))))
	switch {
	case !s.proxy.speaks(r.Protocol):
		s.refuse(r, socks4Answer, errProxyAddress)
	case s.proxy.cfg.User != "" && user != s.proxy.cfg.User:
		s.refuse(r, socks4Answer, errProxyLogin)
	default:
		s.command(ctx, r, socks4Answer)
	}
}

// socks4String reads up to a NUL.
func (s *proxySession) socks4String() (text string, ok bool) {
	var b []byte
	for len(b) <= socks4Longest {
		c, err := s.in.ReadByte()
		if err != nil {
			return "", false
		}
		if c == 0 {
			return string(b), true
		}
		b = append(b, c)
	}
	return "", false
}

// socks4Answer has no room for an address of IPv6, and says 0.0.0.0 then.
func socks4Answer(err error, addr netip.AddrPort) (int, []byte) {
	if !addr.Addr().Is4() {
		addr = netip.AddrPortFrom(netip.IPv4Unspecified(), addr.Port())
	}
	code := socks4Code(err)
	words := binary.BigEndian.AppendUint16([]byte{0, code}, addr.Port())
	return int(code), append(words, addr.Addr().AsSlice()...)
}
