package ssh_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	xssh "golang.org/x/crypto/ssh"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/ssh"
)

// refusedJump dials a target over c's hops, which must fail.
func refusedJump(t testing.TB, j *ssh.Jump, c hawser.Connection, addr string) *ssh.TunnelError {
	t.Helper()
	conn, err := j.DialNet(t.Context(), c, "tcp", addr)
	require.Error(t, err)
	require.Nil(t, conn)
	var e *ssh.TunnelError
	require.ErrorAs(t, err, &e)
	return e
}

// nobody is a connection to a port at which nobody listens.
func nobody(t testing.TB) hawser.Connection {
	t.Helper()
	addr, err := netip.ParseAddrPort(testserver.ClosedAddr(t))
	require.NoError(t, err)
	return at(addr.Addr().String(), addr.Port())
}

func TestJumpHostsThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	t.Run("a wrong password is refused once, and for all who wait", func(t *testing.T) {
		t.Parallel()
		var attempts tally
		server := start(t, testserver.SSHConfig{Passwords: map[string]string{user: secret}, ServerConfig: attempts.config})
		j := newJump(t)
		e := refusedJump(t, j, via(withPassword(to(server), "wrong")), "192.0.2.1:25")
		assert.ErrorIs(t, e, hawser.ErrAuth)
		assert.ErrorIs(t, e, hawser.ErrProxy)
		assert.False(t, e.Temporary())
		assert.Equal(t, 1, attempts.of("password"))
		assert.Equal(t, 1, server.Accepted())
		assert.Regexp(t, `^jump host hop1: open hop1: ssh 127\.0\.0\.1:\d+: login: `, e.Error())
		assert.Equal(t, server.Addr(), e.Addr)
		refusedJump(t, j, via(withPassword(to(server), "wrong")), "192.0.2.1:25")
		assert.Equal(t, 2, attempts.of("password"), "it is not remembered either")
	})
	t.Run("a server that hangs up during the login is not asked again", func(t *testing.T) {
		t.Parallel()
		var attempts tally
		config := func(c *xssh.ServerConfig) { attempts.config(c); c.MaxAuthTries = 1 }
		server := start(t, testserver.SSHConfig{Passwords: map[string]string{user: secret}, ServerConfig: config})
		e := refusedJump(t, newJump(t), via(withPassword(to(server), "wrong")), "192.0.2.1:25")
		t.Log(e)
		assert.ErrorIs(t, e, hawser.ErrProxy)
		assert.Equal(t, 1, server.Accepted())
	})
	t.Run("an unknown host key", func(t *testing.T) {
		t.Parallel()
		server := bastion(t)
		e := refusedJump(t, newJump(t), via(at(server.Host(), server.Port())), "192.0.2.1:25")
		assert.ErrorIs(t, e, hawser.ErrUntrusted)
		assert.ErrorIs(t, e, hawser.ErrProxy)
		assert.False(t, e.Temporary())
	})
	t.Run("a jump host that is not there, alone and behind another", func(t *testing.T) {
		t.Parallel()
		gone := nobody(t)
		e := refusedJump(t, newJump(t), via(gone), "192.0.2.1:25")
		assert.ErrorIs(t, e, hawser.ErrProxy)
		assert.True(t, e.Temporary())
		e = refusedJump(t, newJump(t), via(gone, to(bastion(t))), "192.0.2.1:25")
		assert.ErrorIs(t, e, hawser.ErrProxy)
		assert.True(t, e.Temporary())
		assert.EqualError(t, e, "jump host hop1: open hop1: ssh "+gone.Addr()+": connect: jump host hop2: cannot reach "+gone.Addr()+": Connection refused")
	})
	t.Run("the failure of a target behind them is the target's", func(t *testing.T) {
		t.Parallel()
		j := newJump(t)
		way := via(to(bastion(t)), to(bastion(t)))
		c := nobody(t)
		c.Via, c.Hops = way.Via, way.Hops
		opened := refused(t, ssh.Dialer{Transport: j}, c)
		assert.Equal(t, hawser.PhaseConnect, opened.Phase)
		assert.NotErrorIs(t, opened, hawser.ErrProxy)
		assert.True(t, hawser.Retryable(opened))
		assert.EqualError(t, opened, "open box: ssh "+c.Addr()+": connect: jump host hop1: cannot reach "+c.Addr()+": Connection refused")
	})
	t.Run("one that forbids tunnels says the cure", func(t *testing.T) {
		t.Parallel()
		server := start(t, testserver.SSHConfig{Forward: func(string) (string, error) { return "", errors.New("not you") }})
		c := to(server)
		way := via(to(server))
		c.Via, c.Hops = way.Via, way.Hops
		e := refused(t, ssh.Dialer{Transport: newJump(t)}, c)
		assert.Equal(t, hawser.PhaseProxy, e.Phase)
		assert.ErrorIs(t, e, hawser.ErrProxy)
		assert.ErrorContains(t, e, "not you; the jump host must be set to allow it (OpenSSH: AllowTcpForwarding, PermitOpen)")
		assert.False(t, hawser.Retryable(e))
	})
}

func TestJumpHostsThatAreSilent(t *testing.T) {
	t.Parallel()
	keyExchangeOnly, err := testserver.KeyExchangeOnly()
	require.NoError(t, err)
	var table timings
	table.log(t)
	for _, row := range []struct {
		name   string
		handle testserver.Handler
	}{
		{"at once", testserver.Silent},
		{"after the banner", testserver.BannerOnly},
		{"after the key exchange", keyExchangeOnly},
	} {
		t.Run(row.name+": its own Timeout is the error, not that of the target", func(t *testing.T) {
			t.Parallel()
			server := startTCP(t, row.handle)
			j := newJump(t)
			j.Dialer.Verifier = &verifier{}
			way := via(at(server.Host(), server.Port()))
			way.Hops[0].Timeout = 600 * time.Millisecond
			c := at("192.0.2.1", 22)
			c.Via, c.Hops, c.Timeout = way.Via, way.Hops, 100*time.Millisecond
			begun := time.Now()
			e := refused(t, ssh.Dialer{Transport: j}, c)
			table.add("silent "+row.name+", Timeout 600 ms", requireSoon(t, begun)-way.Hops[0].Timeout)
			assert.Equal(t, hawser.PhaseProxy, e.Phase)
			assert.ErrorIs(t, e, hawser.ErrProxy)
			assert.ErrorIs(t, e, os.ErrDeadlineExceeded)
			assert.ErrorContains(t, e, "600ms")
		})
		t.Run(row.name+": a context that ends is the error, soon", func(t *testing.T) {
			t.Parallel()
			server := startTCP(t, row.handle)
			j := newJump(t)
			j.Dialer.Verifier = &verifier{}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ended := make(chan time.Time, 1)
			time.AfterFunc(100*time.Millisecond, func() { ended <- time.Now(); cancel() })
			_, err := j.DialNet(ctx, via(at(server.Host(), server.Port())), "tcp", "192.0.2.1:25")
			table.add("silent "+row.name, requireSoon(t, <-ended))
			assert.ErrorIs(t, err, context.Canceled)
			assert.ErrorIs(t, err, hawser.ErrProxy)
		})
	}
	t.Run("once it is open: lost after its Timeout, and the next dial opens it anew", func(t *testing.T) {
		t.Parallel()
		server, echo, j := bastion(t), startEcho(t), newJump(t)
		c := via(to(server))
		c.Hops[0].Timeout = time.Second
		open := jumpTo(t, j, c, echo.Addr())
		server.Freeze()
		begun := time.Now()
		e := refusedJump(t, j, c, echo.Addr())
		table.add("silent once it is open, Timeout 1 s", time.Since(begun)-c.Hops[0].Timeout)
		assert.Less(t, time.Since(begun), c.Hops[0].Timeout+soon)
		assert.ErrorIs(t, e, hawser.ErrProxy)
		assert.ErrorIs(t, e, os.ErrDeadlineExceeded)
		_, err := open.Read(make([]byte, 1))
		require.ErrorIs(t, err, hawser.ErrLost)
		server.Thaw()
		requireEcho(t, jumpTo(t, j, c, echo.Addr()), 10)
	})
}

func TestJumpHostsThatBreak(t *testing.T) {
	t.Parallel()
	t.Run("the middle one of three, during a transfer", func(t *testing.T) {
		t.Parallel()
		j := newJump(t)
		endless := startTCP(t, func(_ context.Context, c net.Conn) { _, _ = io.Copy(c, zeroes{}) })
		middle, c := startRelay(t, bastion(t), testserver.RelayConfig{})
		way := via(to(bastion(t)), c, to(bastion(t)))
		transfer := jumpTo(t, j, way, endless.Addr())
		through := &mark{reached: make(chan struct{})}
		result := make(chan error, 1)
		go func() {
			_, err := io.Copy(through, transfer)
			result <- err
		}()
		<-through.reached
		begun := time.Now()
		middle.Drop()
		err := <-result
		requireSoon(t, begun)
		require.ErrorIs(t, err, hawser.ErrLost)
		t.Log(err)
		requireEcho(t, jumpTo(t, j, way, startEcho(t).Addr()), 1<<20)
	})
	t.Run("a loss costs no dial that comes after", func(t *testing.T) {
		t.Parallel()
		server, echo, j := bastion(t), startEcho(t), newJump(t)
		c := via(to(server))
		for range 30 {
			conn := jumpTo(t, j, c, echo.Addr())
			server.Drop() // the session does not know yet
			requireEcho(t, jumpTo(t, j, c, echo.Addr()), 10)
			require.NoError(t, conn.Close())
		}
	})
}
