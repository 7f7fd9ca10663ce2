package ssh

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"unicode"

	xssh "golang.org/x/crypto/ssh"

	"github.com/hawser/hawser"
)

// A target is where a tunnel is to lead to.
type target struct {
	host string
	port uint16
	addr net.Addr
}

// A tunnelAddr is host:port as it was dialed, where host is a name.
type tunnelAddr string

func (tunnelAddr) Network() string  { return "tcp" }
func (a tunnelAddr) String() string { return string(a) }

// parseTarget refuses what a server could take for something else.
func parseTarget(network, addr string) (target, error) {
	host, portText, err := net.SplitHostPort(addr)
	if err != nil {
		return target{}, &hawser.FieldError{Field: "addr", Problem: fmt.Sprintf("%q is not of the form host:port", addr)}
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil || port == 0 {
		return target{}, &hawser.FieldError{Field: "addr", Problem: fmt.Sprintf("%q has no port from 1 to 65535", addr)}
	}
	strange := func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }
	if host == "" || strings.ContainsFunc(host, strange) {
		return target{}, &hawser.FieldError{Field: "addr", Problem: fmt.Sprintf("%q has no host, or one that holds a space or a control character", addr)}
	}
	ip, err := netip.ParseAddr(host)
	isIP := err == nil
	switch {
	case network != "tcp" && network != "tcp4" && network != "tcp6":
		return target{}, &hawser.FieldError{Field: "network", Problem: fmt.Sprintf("%q is none of tcp, tcp4 and tcp6; a tunnel carries nothing else", network)}
	case isIP && (network == "tcp4" && !ip.Unmap().Is4() || network == "tcp6" && ip.Unmap().Is4()):
		return target{}, &hawser.FieldError{Field: "addr", Problem: fmt.Sprintf("%q is not an address of %s", addr, network)}
	}
	t := target{host: host, port: uint16(port), addr: tunnelAddr(addr)}
	if tcp := net.TCPAddrFromAddrPort(netip.AddrPortFrom(ip, t.port)); isIP && tcp.String() == addr {
		t.addr = tcp
	}
	return t, nil
}

// message is what is specific to the type of channel (RFC 4254, section 7.2). Where
// the connection comes from is nobody's business.
func (t target) message() []byte {
	return xssh.Marshal(struct {
		Host       string
		Port       uint32
		Origin     string
		OriginPort uint32
	}{t.host, uint32(t.port), "0.0.0.0", 0})
}
