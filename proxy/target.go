package proxy

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// A target is where a connection is to lead to.
type target struct {
	network string
	addr    string // host:port as asked for, or with the address that was found
	host    string // a name, or an IP address as text
	port    uint16
	ip      netip.Addr // of host, or what it was resolved to; else invalid
}

// parseTarget refuses what a proxy could misread, before anything is sent.
func parseTarget(network, addr string) (target, error) {
	if network != "tcp" && network != "tcp4" && network != "tcp6" {
		return target{}, &net.OpError{Op: "dial", Net: network, Err: net.UnknownNetworkError(network)}
	}
	wrong := func(problem string) error { return &net.AddrError{Err: problem, Addr: strconv.Quote(addr)} }
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return target{}, wrong("it is not of the form host:port")
	}
	port, err := strconv.ParseUint(text, 10, 16)
	switch {
	case err != nil || port == 0:
		return target{}, wrong("the port is no number from 1 to 65535")
	case host == "":
		return target{}, wrong("there is no host")
	case len(host) > 255:
		return target{}, wrong("the host is longer than 255 bytes")
	case strings.IndexFunc(host, isOdd) >= 0:
		return target{}, wrong("the host holds a space or a control character")
	}
	if host, err = asASCII(host); err != nil {
		return target{}, wrong("the host is no name that DNS has: " + err.Error())
	}
	t := target{network: network, addr: addr, host: host, port: uint16(port)}
	if ip, err := netip.ParseAddr(host); err == nil {
		t.ip = ip.Unmap()
		if !t.fits(t.ip) {
			return target{}, wrong("the address is none of " + network)
		}
	}
	return t, nil
}

// asASCII is host as DNS has it (RFC 5891): neither HTTP nor SOCKS has another.
func asASCII(host string) (string, error) {
	for _, r := range host {
		if r >= utf8.RuneSelf {
			return idna.Lookup.ToASCII(host)
		}
	}
	return host, nil
}

// isOdd reports whether r is in no host name.
func isOdd(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune("/\\@?#\"", r) }

// fits reports whether ip is of the network.
func (t target) fits(ip netip.Addr) bool {
	return t.network == "tcp" || ip.Is4() == (t.network == "tcp4")
}

// isName reports whether the host is one that nobody has resolved yet.
func (t target) isName() bool { return !t.ip.IsValid() }

// at is t at ip, one of its addresses.
func (t target) at(ip netip.Addr) target {
	t.ip = ip.Unmap()
	t.addr = netip.AddrPortFrom(t.ip, t.port).String()
	return t
}

// resolve returns t at each of the addresses that its name has here and that it may
// have in network.
func (t target) resolve(ctx context.Context, network string) ([]target, error) {
	ips, err := net.DefaultResolver.LookupNetIP(ctx, strings.Replace(network, "tcp", "ip", 1), t.host)
	if err != nil {
		return nil, err
	}
	var all []target
	for _, ip := range ips {
		all = append(all, t.at(ip))
	}
	return all, nil
}

// remote is what RemoteAddr of a connection to t returns.
func (t target) remote() net.Addr {
	if t.isName() {
		return name(t.addr)
	}
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(t.ip, t.port))
}

// A name is the address, host:port, of a server that the proxy resolves.
type name string

func (name) Network() string  { return "tcp" }
func (n name) String() string { return string(n) }

// requestHost is host:port as HTTP writes it.
func (t target) requestHost() string {
	host := t.host
	if t.ip.IsValid() {
		host = t.ip.WithZone("").String()
	}
	return net.JoinHostPort(host, fmt.Sprint(t.port))
}
