package ssh_test

import (
	"context"
	"errors"
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	xssh "golang.org/x/crypto/ssh"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/ssh"
)

// refusedTunnel dials addr, which must fail.
func refusedTunnel(t testing.TB, s *ssh.Session, addr string) *ssh.TunnelError {
	t.Helper()
	c, err := s.DialContext(t.Context(), "tcp", addr)
	require.Error(t, err)
	require.Nil(t, c)
	var e *ssh.TunnelError
	require.ErrorAs(t, err, &e)
	return e
}

// rejecting is a session with a server that refuses every channel.
func rejecting(t testing.TB, reason xssh.RejectionReason, text string) *ssh.Session {
	t.Helper()
	config := &xssh.ServerConfig{NoClientAuth: true}
	config.AddHostKey(newSigner(t))
	server := startTCP(t, func(_ context.Context, c net.Conn) {
		conn, channels, requests, err := xssh.NewServerConn(c, config)
		if err != nil {
			return
		}
		go xssh.DiscardRequests(requests) // ends with conn
		for offered := range channels {
			_ = offered.Reject(reason, text)
		}
		_ = conn.Wait()
	})
	return loginBy(t, trusting(), at(server.Host(), server.Port()))
}

func TestTunnelsThatAreRefused(t *testing.T) {
	t.Parallel()
	const prefix = "jump host box: "
	const cure = "; the jump host must be set to allow it (OpenSSH: AllowTcpForwarding, PermitOpen)"
	for _, row := range []struct {
		name             string
		reason           xssh.RejectionReason
		text             string
		want             string
		proxy, temporary bool
	}{
		{"the target cannot be reached", xssh.ConnectionFailed, "No route to host", "cannot reach 192.0.2.1:25: No route to host", false, true},
		{"nor a reason be given", xssh.ConnectionFailed, "", "cannot reach 192.0.2.1:25: connect failed", false, true},
		{"tunnels are forbidden", xssh.Prohibited, "open failed", "refused a tunnel to 192.0.2.1:25: administratively prohibited: open failed" + cure, true, false},
		{"tunnels are unknown", xssh.UnknownChannelType, "", "refused a tunnel to 192.0.2.1:25: unknown channel type; this server has no tunnels", true, false},
		{"there are too many", xssh.ResourceShortage, "later", "refused a tunnel to 192.0.2.1:25: resource shortage: later", true, true},
		{"for a reason that nobody knows", 99, "so", "refused a tunnel to 192.0.2.1:25: unknown reason 99: so", true, false},
		{"for no reason", 0, "\x1b[2J", `refused a tunnel to 192.0.2.1:25: unknown reason 0: \x1b[2J`, true, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := rejecting(t, row.reason, row.text)
			e := refusedTunnel(t, s, "192.0.2.1:25")
			assert.EqualError(t, e, prefix+row.want)
			assert.Equal(t, row.proxy, errors.Is(e, hawser.ErrProxy), "ErrProxy")
			assert.Equal(t, row.temporary, e.Temporary(), "Temporary")
			assert.Equal(t, ssh.TunnelError{
				Host: "box", Addr: s.Addr(), Target: "192.0.2.1:25", Code: uint32(row.reason), Reason: hawser.Printable(row.text),
			}, *e)
			assert.True(t, s.Reusable())
		})
	}
}

func TestTunnelAddressesThatAreRefused(t *testing.T) {
	t.Parallel()
	s := login(t, to(bastion(t)))
	var r recorder
	ctx := hawser.WithTrace(t.Context(), r.trace())
	for _, row := range []struct{ network, addr, want string }{
		{"tcp", "host", `addr: "host" is not of the form host:port`},
		{"tcp", "::1", `addr: "::1" is not of the form host:port`},
		{"tcp", "host:", `addr: "host:" has no port from 1 to 65535`},
		{"tcp", "host:0", `addr: "host:0" has no port from 1 to 65535`},
		{"tcp", "host:65536", `addr: "host:65536" has no port from 1 to 65535`},
		{"tcp", "host:-1", `addr: "host:-1" has no port from 1 to 65535`},
		{"tcp", "host:smtp", `addr: "host:smtp" has no port from 1 to 65535`},
		{"tcp", ":25", `addr: ":25" has no host, or one that holds a space or a control character`},
		{"tcp", "ho st:25", `addr: "ho st:25" has no host, or one that holds a space or a control character`},
		{"tcp", "h\r\n:25", `addr: "h\r\n:25" has no host, or one that holds a space or a control character`},
		{"tcp", "h\x00:25", `addr: "h\x00:25" has no host, or one that holds a space or a control character`},
		{"tcp4", "[::1]:25", `addr: "[::1]:25" is not an address of tcp4`},
		{"tcp6", "127.0.0.1:25", `addr: "127.0.0.1:25" is not an address of tcp6`},
		{"tcp6", "[::ffff:127.0.0.1]:25", `addr: "[::ffff:127.0.0.1]:25" is not an address of tcp6`},
		{"udp", "host:25", `network: "udp" is none of tcp, tcp4 and tcp6; a tunnel carries nothing else`},
		{"", "host:25", `network: "" is none of tcp, tcp4 and tcp6; a tunnel carries nothing else`},
	} {
		_, err := s.DialContext(ctx, row.network, row.addr)
		require.EqualError(t, err, row.want)
		require.ErrorIs(t, err, hawser.ErrInvalid)
	}
	assert.Empty(t, r.text(), "nothing is sent")
}

func TestTunnelsOfOpenSSHThatAreRefused(t *testing.T) {
	t.Parallel()
	t.Run("a closed port is the target's failure", func(t *testing.T) {
		t.Parallel()
		server := testserver.OpenSSH(t, testserver.OpenSSHConfig{})
		e := refusedTunnel(t, login(t, withPassword(real(server), server.Password)), testserver.ClosedAddr(t))
		assert.NotErrorIs(t, e, hawser.ErrProxy)
		assert.True(t, e.Temporary())
		assert.EqualError(t, e, "jump host box: cannot reach "+e.Target+": Connection refused")
	})
	for name, line := range map[string]string{
		"without AllowTcpForwarding": "AllowTcpForwarding no",
		"with another PermitOpen":    "PermitOpen 127.0.0.1:1",
	} {
		t.Run("a tunnel is forbidden "+name, func(t *testing.T) {
			t.Parallel()
			server := testserver.OpenSSH(t, testserver.OpenSSHConfig{Lines: []string{line}})
			e := refusedTunnel(t, login(t, withPassword(real(server), server.Password)), testserver.ClosedAddr(t))
			assert.ErrorIs(t, e, hawser.ErrProxy)
			assert.ErrorContains(t, e, "AllowTcpForwarding")
			assert.False(t, e.Temporary())
			t.Log(e)
		})
	}
}
