package hawsertest

import (
	"context"
	"fmt"
	"net"
	"net/netip"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// targetRules are about whom DialNet connects to.
func targetRules() []rule[*transport] {
	return []rule[*transport]{
		{"RemoteAddr is the address of the target", "ftp connects its data to the host of the control connection, which is not the proxy", toldAddresses},
		{"a name is dialed", "names may be known to the proxy or the jump host alone", dialsName},
		{"IPv6 is dialed or refused", "with an error that names the address; a way without IPv6 must not hang", dialsIPv6},
		{"tcp4 and tcp6 are kept to", "who asks for one must not get the other", keepsNetwork},
		{"a network that is not TCP is refused", "a driver's mistake must not become a connection of another kind", refusesNetwork},
		{"a target that nobody listens at is an error that names it", "a typing error in the port is told from trouble on the way, and from a job that was stopped", dialsUnused},
		{"an address that is none reaches no server", "a line end or a NUL in a host would say something else to a proxy than to whoever checked it", dialsNonsense},
		{"a proxy or a jump host that cannot be reached matches ErrProxy", "whoever reads the log looks at the right machine", wayUnreachable},
	}
}

func toldAddresses(s *transport) {
	server := s.target(echo)
	conn := s.dial(server.addr)
	require.NotNil(s, conn.RemoteAddr(), "RemoteAddr")
	assert.Equal(s, server.addr, conn.RemoteAddr().String(), "RemoteAddr")
	assert.Equal(s, "tcp", conn.RemoteAddr().Network(), "the network of RemoteAddr")
	require.NotNil(s, conn.LocalAddr(), "LocalAddr")
	assert.NotEmpty(s, conn.LocalAddr().String(), "LocalAddr")
}

// dialsName takes the name or an address of it for RemoteAddr: who resolves is
// the Transport's choice.
func dialsName(s *transport) {
	server := s.target(echo)
	conn := s.dial(server.name)
	s.works(conn, "the echo of "+server.name)
	require.NotNil(s, conn.RemoteAddr(), "RemoteAddr")
	remote := conn.RemoteAddr().String()
	if ip, err := netip.ParseAddrPort(remote); err == nil && ip.Addr().IsLoopback() {
		_, port, _ := net.SplitHostPort(server.name)
		assert.Equal(s, port, fmt.Sprint(ip.Port()), "the port of RemoteAddr %s", remote)
		return
	}
	assert.Equal(s, server.name, remote, "RemoteAddr is neither the name nor one of its addresses")
}

func dialsIPv6(s *transport) {
	server := s.target(echo)
	s.dial(server.addr)
	conn, err := s.attempt(s.ctx, prompt, s.to(server.six), "tcp", server.six)
	if err != nil {
		s.Logf("IPv6 is refused: %v", err)
		assert.ErrorContains(s, err, "::1", "the refusal names the address")
		notOfContext(s, err)
		return
	}
	s.works(conn, "the echo of "+server.six)
	require.NotNil(s, conn.RemoteAddr(), "RemoteAddr")
	assert.Equal(s, server.six, conn.RemoteAddr().String(), "RemoteAddr")
}

// notOfContext checks that err does not look like one of a job that was stopped.
func notOfContext(s *transport, err error) {
	s.Helper()
	assert.NotErrorIs(s, err, context.Canceled, "no context has ended")
	assert.NotErrorIs(s, err, context.DeadlineExceeded, "no context has ended")
}

func keepsNetwork(s *transport) {
	server := s.target(echo)
	conn, err := s.attempt(s.ctx, patience, s.to(server.addr), "tcp4", server.addr)
	require.NoError(s, err, "DialNet of %s by tcp4", server.addr)
	s.works(conn, "the echo of "+server.addr+" by tcp4")
	s.fails(s.ctx, "tcp6", server.addr)
	s.fails(s.ctx, "tcp4", server.six)
}

func refusesNetwork(s *transport) {
	if s.direct() {
		s.Skip("skipped: with neither a proxy nor a jump host, networks are those of package net")
	}
	server := s.target(echo)
	s.dial(server.addr)
	for _, network := range []string{"", "udp", "udp4", "unix", "ip", "TCP", "tcp5", "tcp4 ", "tcp\x00"} {
		s.fails(s.ctx, network, server.addr)
	}
	s.reachedOnlyTwice(server)
}

// reachedOnlyTwice checks that nothing came to server but a dial before and the
// one made here: connections are accepted in the order in which they were made.
func (s *transport) reachedOnlyTwice(server *target) {
	s.Helper()
	s.works(s.dial(server.addr), "the echo of "+server.addr)
	assert.Equal(s, 2, server.count(), "connections that reached the server, of which two are meant to")
}

func dialsUnused(s *transport) {
	s.dial(s.target(echo).addr)
	addr := unusedAddr(s)
	err := s.fails(s.ctx, "tcp", addr)
	assert.ErrorContains(s, err, addr, "the error names the target")
	notOfContext(s, err)
}

func dialsNonsense(s *transport) {
	server := s.target(echo)
	s.dial(server.addr)
	_, port, err := net.SplitHostPort(server.addr)
	require.NoError(s, err)
	for _, addr := range s.nonsense(port) {
		// Host and Port are right, so that the address alone is what is wrong.
		if _, err := s.attempt(s.ctx, prompt, s.to(server.addr), "tcp", addr); err == nil {
			assert.Fail(s, "DialNet succeeded", "of %q", addr)
		}
	}
	s.reachedOnlyTwice(server)
}

// nonsense returns what is no address of a server, most of it at port.
func (s *transport) nonsense(port string) []string {
	addrs := []string{
		"", "127.0.0.1", "localhost", "::1:" + port, "[::1:" + port, "127.0.0.1:" + port + ":" + port,
		"127.0.0.1:", "127.0.0.1:0", "127.0.0.1:70000", "127.0.0.1:-1", "127.0.0.1:x",
	}
	for _, host := range []string{
		"localhost\r\n", "\r\nlocalhost", "[localhost\r\nX: y]", "localhost\n", "localhost\x00", "localhost\x00.example", "127.0.0.1\x00",
		" localhost", "localhost ", "local host", "127.0.0.1 ", "127.0.0.1\t",
	} {
		addrs = append(addrs, host+":"+port)
	}
	if !s.direct() { // package net takes no host for this machine
		addrs = append(addrs, ":"+port, "[]:"+port)
	}
	return addrs
}

func wayUnreachable(s *transport) {
	ways := s.closedWays()
	if len(ways) == 0 {
		s.Skip("skipped: neither a proxy nor a jump host is on the way")
	}
	addr := s.target(echo).addr
	for what, c := range ways {
		_, err := s.attempt(s.ctx, patience, c, "tcp", addr)
		assert.ErrorIs(s, err, hawser.ErrProxy, "DialNet by %s that nobody listens at", what)
	}
}

// closedWays returns connections whose proxy, or whose nearest jump host, is at an
// address at which nobody listens.
func (s *transport) closedWays() map[string]hawser.Connection {
	s.Helper()
	ways := map[string]hawser.Connection{}
	at := s.to(unusedAddr(s))
	if s.Connection.Proxy.Type != "" {
		c := s.Connection.Clone()
		c.Proxy.Host, c.Proxy.Port = at.Host, at.Port
		ways["a proxy"] = c
	}
	if s.Connection.Via != "" && len(s.Connection.Hops) > 0 {
		c := s.Connection.Clone()
		c.Hops[0].Host, c.Hops[0].Port = at.Host, at.Port
		ways["a jump host"] = c
	}
	return ways
}
