package testserver

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

// bound is the address that an answer tells of.
func (c *proxyPeer) bound(t *testing.T, version byte) netip.AddrPort {
	t.Helper()
	if version == 4 {
		require.Equal(t, "\x00\x5a", c.hear(t, 2))
		port := binary.BigEndian.Uint16([]byte(c.hear(t, 2)))
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte([]byte(c.hear(t, 4)))), port)
	}
	require.Equal(t, "\x05\x00\x00", c.hear(t, 3))
	length := map[string]int{"\x01": 4, "\x04": 16}[c.hear(t, 1)]
	ip, ok := netip.AddrFromSlice([]byte(c.hear(t, length)))
	require.True(t, ok)
	return netip.AddrPortFrom(ip, binary.BigEndian.Uint16([]byte(c.hear(t, 2))))
}

// askBind asks for a port by either version, and returns where it is said to be.
func askBind(t *testing.T, p *Proxy, version byte, peer string) (*proxyPeer, netip.AddrPort) {
	t.Helper()
	c := dialProxy(t, p)
	if version == 4 {
		c.say(t, socks4Ask(2, peer, 21, ""))
	} else {
		c.say(t, socks5Ask(2, 1, peer, 21))
		require.Equal(t, socks5Greeted, c.hear(t, 2))
	}
	return c, c.bound(t, version)
}

func TestProxyBinds(t *testing.T) {
	t.Parallel()
	p := startOwnProxy(t, ProxyConfig{})
	for name, version := range map[string]byte{"by SOCKS4": 4, "by SOCKS5": 5} {
		for who, peer := range map[string]string{"for a peer": "\x7f\x00\x00\x01", "for anybody": "\x00\x00\x00\x00"} {
			t.Run(name+" "+who, func(t *testing.T) {
				t.Parallel()
				c, at := askBind(t, p, version, peer)
				require.Equal(t, "127.0.0.1", at.Addr().String())
				came := connect(t, at.String())
				require.Equal(t, came.LocalAddr().String(), c.bound(t, version).String())

				_, err := io.WriteString(came, "from the peer")
				require.NoError(t, err)
				require.Equal(t, "from the peer", c.hear(t, 13))
				c.say(t, "to the end")
				require.NoError(t, c.Conn.(*net.TCPConn).CloseWrite())
				got, err := io.ReadAll(came)
				require.NoError(t, err)
				require.Equal(t, "to the end", string(got))

				_, err = net.Dial("tcp", at.String())
				require.Error(t, err, "one peer alone")
			})
		}
	}
}

func TestProxyBindsForIPv6(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skip("this machine has no ::1")
	}
	require.NoError(t, listener.Close())
	c := dialProxy(t, startOwnProxy(t, ProxyConfig{}))
	peer := netip.IPv6Loopback().As16()
	c.say(t, socks5Ask(2, 4, string(peer[:]), 21))
	require.Equal(t, socks5Greeted, c.hear(t, 2))
	at := c.bound(t, 5)
	require.Equal(t, netip.IPv6Loopback(), at.Addr())
	came := connect(t, at.String())
	require.Equal(t, came.LocalAddr().String(), c.bound(t, 5).String())
}

func TestProxyAnnouncesWhatItIsToldTo(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		cfg  ProxyConfig
		want string
	}{
		"no address":       {ProxyConfig{Unspecified: true}, "0.0.0.0"},
		"an external one":  {ProxyConfig{External: netip.MustParseAddr("192.0.2.1")}, "192.0.2.1"},
		"one of many here": {ProxyConfig{External: netip.MustParseAddr("127.0.0.1")}, "127.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, at := askBind(t, startOwnProxy(t, row.cfg), 5, "\x7f\x00\x00\x01")
			require.Equal(t, row.want, at.Addr().String())
			came := connect(t, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), at.Port()).String())
			require.Equal(t, came.LocalAddr().String(), c.bound(t, 5).String())
		})
	}
}

func TestProxyBindRefusesAnotherPeer(t *testing.T) {
	t.Parallel()
	p := startOwnProxy(t, ProxyConfig{Hosts: map[string]string{"192.0.2.1": "127.0.0.9"}})
	for name, row := range map[string]struct {
		version byte
		answer  string
	}{
		"by SOCKS4": {4, "\x00\x5b"},
		"by SOCKS5": {5, "\x05\x02"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, at := askBind(t, p, row.version, "\xc0\x00\x02\x01")
			came := connect(t, at.String())
			require.Equal(t, row.answer, c.hearAll(t)[:2])
			_, err := io.ReadAll(came)
			require.NoError(t, err)
		})
	}
}

func TestProxyBindEndsWithItsClient(t *testing.T) {
	t.Parallel()
	p := startOwnProxy(t, ProxyConfig{})
	c, at := askBind(t, p, 5, "\x7f\x00\x00\x01")
	require.NoError(t, c.Close())
	require.Eventually(t, func() bool { return p.Open() == 0 }, patience, poll)
	_, err := net.Dial("tcp", at.String())
	require.Error(t, err)

	askBind(t, p, 5, "\x7f\x00\x00\x01")
	require.NoError(t, p.Close(), "with a BIND that waits")
}

func TestProxyBindKeepsWhatTheClientSaysEarly(t *testing.T) {
	t.Parallel()
	c, at := askBind(t, startOwnProxy(t, ProxyConfig{}), 5, "\x7f\x00\x00\x01")
	c.say(t, "early")
	came := connect(t, at.String())
	got := make([]byte, 5)
	_, err := io.ReadFull(came, got)
	require.NoError(t, err)
	require.Equal(t, "early", string(got))
}
