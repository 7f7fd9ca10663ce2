package testserver

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"strconv"
)

// The first byte of a request.
const (
	socks4Version = 4
	socks5Version = 5
)

// The commands of SOCKS, the same in both versions.
const (
	socksConnect = 1
	socksBind    = 2
)

// command serves a request that is understood, and whose client is let in.
func (s *proxySession) command(ctx context.Context, r ProxyRequest, answer proxyAnswer) {
	switch r.Method {
	case "CONNECT":
		s.connect(ctx, r, answer)
	case "BIND":
		s.bind(ctx, r, answer)
	default:
		s.refuse(r, answer, errProxyCommand)
	}
}

// socksMethod is what [ProxyRequest] calls a command.
func socksMethod(command byte) string {
	switch command {
	case socksConnect:
		return "CONNECT"
	case socksBind:
		return "BIND"
	}
	return strconv.Itoa(int(command))
}

// take reads n bytes.
func (s *proxySession) take(n int) ([]byte, error) {
	b := make([]byte, n)
	_, err := io.ReadFull(s.in, b)
	return b, err
}

// appendAddrPort appends the address and the port in the order of the network.
func appendAddrPort(b []byte, addr netip.AddrPort) []byte {
	b = append(b, addr.Addr().AsSlice()...)
	return binary.BigEndian.AppendUint16(b, addr.Port())
}

// socks5Code is the reply of SOCKS5 (RFC 1928, section 6).
func socks5Code(err error) byte {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errProxyRequest):
		return 1
	case errors.Is(err, errProxyDenied):
		return 2
	case errors.Is(err, errProxyUnreachable):
		return 3
	case errors.Is(err, errProxyNoHost):
		return 4
	case errors.Is(err, errProxyCommand):
		return 7
	case errors.Is(err, errProxyAddress):
		return 8
	}
	return 5
}

// socks4Code is the reply of SOCKS4. The user id is refused as by a server that asked identd.
func socks4Code(err error) byte {
	switch {
	case err == nil:
		return 90
	case errors.Is(err, errProxyLogin):
		return 93
	}
	return 91
}
