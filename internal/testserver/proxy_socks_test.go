package testserver

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/proxy"
)

// socks5Ask is a request of SOCKS5, after a greeting that offers no login, for an address in its wire form.
func socks5Ask(command byte, kind byte, address string, port uint16) string {
	ask := append([]byte{5, 1, 0, 5, command, 0, kind}, address...)
	return string(binary.BigEndian.AppendUint16(ask, port))
}

// socks5Greeted is the answer to the greeting of socks5Ask.
const socks5Greeted = "\x05\x00"

func TestProxyServesBySOCKS5(t *testing.T) {
	t.Parallel()
	target := startTCP(t, echoAfterEOF)
	p := startOwnProxy(t, ProxyConfig{Hosts: map[string]string{"a.example": target.Addr(), "2001:db8::1": target.Addr()}})
	v6 := netip.MustParseAddr("2001:db8::1").As16()
	for name, row := range map[string]struct {
		kind    byte
		address string
		asked   string
	}{
		"an IPv4 address": {1, "\x7f\x00\x00\x01", target.Addr()},
		"an IPv6 address": {4, string(v6[:]), net.JoinHostPort("2001:db8::1", strconv.Itoa(int(target.Port())))},
		"a name":          {3, "\x09a.example", net.JoinHostPort("a.example", strconv.Itoa(int(target.Port())))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := dialProxy(t, p)
			c.say(t, socks5Ask(1, row.kind, row.address, target.Port()))
			require.Equal(t, socks5Greeted+"\x05\x00\x00\x01\x7f\x00\x00\x01", c.hear(t, 10))
			require.NotEqual(t, "\x00\x00", c.hear(t, 2))
			c.echoToTheEnd(t)
			require.Contains(t, p.Requests(), ProxyRequest{Protocol: ProxySOCKS5, Method: "CONNECT", Target: row.asked})
		})
	}
}

func TestProxyRefusesBySOCKS5(t *testing.T) {
	t.Parallel()
	closed := netip.MustParseAddrPort(ClosedAddr(t))
	p := startOwnProxy(t, ProxyConfig{NoBind: true, Deny: func(target string) bool { return target == "denied.example:1" }})
	for name, row := range map[string]struct {
		ask  string
		code byte
	}{
		"an empty name":              {socks5Ask(1, 3, "\x00", 1), 1},
		"what the list denies":       {socks5Ask(1, 3, "\x0edenied.example", 1), 2},
		"an address beyond loopback": {socks5Ask(1, 1, "\xc0\x00\x02\x01", 1), 3},
		"a name that is unknown":     {socks5Ask(1, 3, "\x0ano.example", 1), 4},
		"a port that is closed":      {socks5Ask(1, 1, "\x7f\x00\x00\x01", closed.Port()), 5},
		"BIND where there is none":   {socks5Ask(2, 1, "\x7f\x00\x00\x01", 1), 7},
		"UDP ASSOCIATE":              {socks5Ask(3, 1, "\x00\x00\x00\x00", 0), 7},
		"an unknown type of address": {socks5Ask(1, 9, "", 1), 8},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := dialProxy(t, p)
			c.say(t, row.ask)
			require.Equal(t, socks5Greeted+"\x05"+string(row.code)+"\x00\x01\x00\x00\x00\x00\x00\x00", c.hearAll(t))
		})
	}
}

func TestProxyServesTheSOCKS5ClientOfXNet(t *testing.T) {
	t.Parallel()
	target := startTCP(t, echoAfterEOF)
	p := startOwnProxy(t, ProxyConfig{
		User: "ann", Password: "secret", Hosts: map[string]string{"a.example:80": target.Addr()},
	})
	good, err := proxy.SOCKS5("tcp", p.Addr(), &proxy.Auth{User: "ann", Password: "secret"}, nil)
	require.NoError(t, err)
	c, err := good.Dial("tcp", "a.example:80")
	require.NoError(t, err)
	_, err = io.WriteString(c, "x")
	require.NoError(t, err)
	require.NoError(t, c.Close())

	_, err = good.Dial("tcp", "a.example:81")
	require.ErrorContains(t, err, "host unreachable")
	bad, err := proxy.SOCKS5("tcp", p.Addr(), &proxy.Auth{User: "ann", Password: "wrong"}, nil)
	require.NoError(t, err)
	_, err = bad.Dial("tcp", "a.example:80")
	require.ErrorContains(t, err, "authentication failed")
	nobody, err := proxy.SOCKS5("tcp", p.Addr(), nil, nil)
	require.NoError(t, err)
	_, err = nobody.Dial("tcp", "a.example:80")
	require.ErrorContains(t, err, "no acceptable authentication methods")
	require.Equal(t, []ProxyRequest{
		{Protocol: ProxySOCKS5, Method: "CONNECT", Target: "a.example:80", User: "ann", Scheme: "password"},
		{Protocol: ProxySOCKS5, Method: "CONNECT", Target: "a.example:81", User: "ann", Scheme: "password", Status: 4, Refused: true},
		{Protocol: ProxySOCKS5, User: "ann", Scheme: "password", Status: 255, Refused: true},
		{Protocol: ProxySOCKS5, Status: 255, Refused: true},
	}, p.Requests())
}

// socks4Ask is a request of SOCKS4 by the user me; name makes it one of 4a.
func socks4Ask(command byte, address string, port uint16, name string) string {
	ask := binary.BigEndian.AppendUint16([]byte{4, command}, port)
	ask = append(append(ask, address...), "me\x00"...)
	if name != "" {
		ask = append(append(ask, name...), 0)
	}
	return string(ask)
}

func TestProxyServesBySOCKS4(t *testing.T) {
	t.Parallel()
	target := startTCP(t, echoAfterEOF)
	p := startOwnProxy(t, ProxyConfig{User: "me", Hosts: map[string]string{"a.example": "127.0.0.1"}})
	for protocol, ask := range map[string]string{
		ProxySOCKS4:  socks4Ask(1, "\x7f\x00\x00\x01", target.Port(), ""),
		ProxySOCKS4a: socks4Ask(1, "\x00\x00\x00\x07", target.Port(), "a.example"),
	} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			c := dialProxy(t, p)
			c.say(t, ask)
			require.Equal(t, "\x00\x5a", c.hear(t, 2))
			require.NotEqual(t, "\x00\x00", c.hear(t, 2))
			require.Equal(t, "\x7f\x00\x00\x01", c.hear(t, 4))
			c.echoToTheEnd(t)
		})
	}
}

func TestProxyRefusesBySOCKS4(t *testing.T) {
	t.Parallel()
	closed := netip.MustParseAddrPort(ClosedAddr(t))
	deny := func(target string) bool { return target == "denied.example:1" }
	open, closedToMe := startOwnProxy(t, ProxyConfig{Deny: deny}), startOwnProxy(t, ProxyConfig{User: "another"})
	for name, row := range map[string]struct {
		proxy *Proxy
		ask   string
		code  byte
	}{
		"a port that is closed":  {open, socks4Ask(1, "\x7f\x00\x00\x01", closed.Port(), ""), 91},
		"what the list denies":   {open, socks4Ask(1, "\x00\x00\x00\x01", 1, "denied.example"), 91},
		"a name that is unknown": {open, socks4Ask(1, "\x00\x00\x00\x01", 1, "no.example"), 91},
		"an unknown command":     {open, socks4Ask(3, "\x7f\x00\x00\x01", 1, ""), 91},
		"another user":           {closedToMe, socks4Ask(1, "\x7f\x00\x00\x01", 1, ""), 93},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := dialProxy(t, row.proxy)
			c.say(t, row.ask)
			require.Equal(t, "\x00"+string([]byte{row.code})+"\x00\x00\x00\x00\x00\x00", c.hearAll(t))
		})
	}
}
