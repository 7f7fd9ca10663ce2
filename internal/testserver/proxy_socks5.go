package testserver

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"strconv"
)

// How clients of SOCKS5 log in (RFC 1928, section 3).
const (
	socks5Nobody   = 0
	socks5Password = 2
	socks5None     = 255 // none of what the client offers
)

// The types of an address of SOCKS5 (RFC 1928, section 5).
const (
	socks5IPv4 = 1
	socks5Name = 3
	socks5IPv6 = 4
)

// socks5 serves a client of SOCKS5 (RFC 1928).
func (s *proxySession) socks5(ctx context.Context) {
	r := ProxyRequest{Protocol: ProxySOCKS5}
	if !s.socks5Login(&r) {
		return
	}
	head, err := s.take(3)
	if err != nil || head[0] != socks5Version || head[2] != 0 {
		return
	}
	r.Method = socksMethod(head[1])
	switch r.Target, err = s.socks5Target(); err {
	case nil:
		s.command(ctx, r, socks5Answer)
	case errProxyAddress, errProxyRequest:
		s.refuse(r, socks5Answer, err)
	}
}

// socks5Login agrees on a method and reports whether the client is let in.
func (s *proxySession) socks5Login(r *ProxyRequest) bool {
	head, err := s.take(2)
	if err != nil {
		return false
	}
	offered, err := s.take(int(head[1]))
	if err != nil {
		return false
	}
	method := byte(socks5Nobody)
	if s.proxy.cfg.User != "" {
		method = socks5Password
	}
	if !slices.Contains(offered, method) {
		r.Status, r.Refused = socks5None, true
		s.proxy.note(*r)
		_, _ = s.conn.Write([]byte{socks5Version, socks5None})
		return false
	}
	if _, err := s.conn.Write([]byte{socks5Version, method}); err != nil {
		return false
	}
	return method == socks5Nobody || s.socks5Password(r)
}

// socks5Password checks a user and password (RFC 1929).
func (s *proxySession) socks5Password(r *ProxyRequest) bool {
	version, err := s.take(1)
	if err != nil || version[0] != 1 {
		return false
	}
	user, err := s.socks5String()
	if err != nil {
		return false
	}
	password, err := s.socks5String()
	if err != nil {
		return false
	}
	r.User, r.Scheme = user, "password"
	if user != s.proxy.cfg.User || password != s.proxy.cfg.Password {
		r.Status, r.Refused = socks5None, true
		s.proxy.note(*r)
		_, _ = s.conn.Write([]byte{1, 1})
		return false
	}
	_, err = s.conn.Write([]byte{1, 0})
	return err == nil
}

// socks5String reads a length and as many bytes.
func (s *proxySession) socks5String() (string, error) {
	n, err := s.in.ReadByte()
	if err != nil {
		return "", err
	}
	text, err := s.take(int(n))
	return string(text), err
}

// socks5Target reads an address and a port (RFC 1928, section 5).
func (s *proxySession) socks5Target() (string, error) {
	kind, err := s.in.ReadByte()
	if err != nil {
		return "", err
	}
	var host string
	switch kind {
	case socks5IPv4, socks5IPv6:
		host, err = s.socks5IP(kind)
	case socks5Name:
		host, err = s.socks5String()
	default:
		return "", errProxyAddress
	}
	if err != nil {
		return "", err
	}
	port, err := s.take(2)
	if err != nil {
		return "", err
	}
	if host == "" {
		return "", errProxyRequest
	}
	return net.JoinHostPort(host, strconv.Itoa(int(binary.BigEndian.Uint16(port)))), nil
}

func (s *proxySession) socks5IP(kind byte) (string, error) {
	length := net.IPv4len
	if kind == socks5IPv6 {
		length = net.IPv6len
	}
	b, err := s.take(length)
	if err != nil {
		return "", err
	}
	ip, _ := netip.AddrFromSlice(b) // The length is right.
	return ip.String(), nil
}

func socks5Answer(err error, addr netip.AddrPort) (int, []byte) {
	kind := byte(socks5IPv4)
	if addr.Addr().Is6() {
		kind = socks5IPv6
	}
	code := socks5Code(err)
	return int(code), appendAddrPort([]byte{socks5Version, code, 0, kind}, addr)
}
