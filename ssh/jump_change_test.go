package ssh_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/ssh"
)

// A session that goes through a jump host, such as that of ftp, opens more tunnels
// under the definition that it began with. They go through the session that is there,
// also when others use a newer definition meanwhile.
func TestJumpServesWhatStillUsesAnOldDefinition(t *testing.T) {
	t.Parallel()
	server, echo, j := bastion(t), startEcho(t), newJump(t)
	before, after := via(to(server)), via(to(server))
	after.Hops[0].SSH.KeepAlive = -2
	first := jumpTo(t, j, before, echo.Addr())
	for range 5 {
		require.NoError(t, jumpTo(t, j, after, echo.Addr()).Close())
		require.NoError(t, jumpTo(t, j, before, echo.Addr()).Close())
	}
	assert.Equal(t, 2, server.Accepted())
	require.NoError(t, first.Close())
	assert.Eventually(t, func() bool { return server.Sessions() == 1 }, 10*time.Second, time.Millisecond, "the old one ends with its last user")
}

// Where the target's time is the shorter one, it is still the jump host that is silent.
func TestJumpGivesUpASilentJumpHost(t *testing.T) {
	t.Parallel()
	server, inner, j := bastion(t), start(t, testserver.SSHConfig{}), newJump(t)
	_, hop := startRelay(t, server, testserver.RelayConfig{})
	way := via(hop)
	way.Hops[0].Timeout = 2 * time.Second
	c := to(inner)
	c.Via, c.Hops, c.Timeout = way.Via, way.Hops, 1500*time.Millisecond
	s, err := ssh.Dialer{Transport: j}.Open(t.Context(), c)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	server.Freeze()
	for range 2 {
		_, err = ssh.Dialer{Transport: j}.Open(t.Context(), c)
		require.Error(t, err)
	}
	assert.Greater(t, server.Accepted(), 1, "the next one tries another session")
	server.Thaw()
}
