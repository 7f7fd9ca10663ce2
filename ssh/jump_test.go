package ssh_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/nettest"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/hawsertest"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/ssh"
)

// newJump returns a Jump for the length of the test.
func newJump(t testing.TB) *ssh.Jump {
	t.Helper()
	j := &ssh.Jump{}
	t.Cleanup(func() { assert.NoError(t, j.Close()) })
	return j
}

// via is a connection called target whose way leads over hops, the nearest to the
// target first, as a Manager fills them in.
func via(hops ...hawser.Connection) hawser.Connection {
	c := hawser.Connection{Name: "target", Protocol: "x", Host: "target.example.com"}
	for i, hop := range hops {
		hop.Name = fmt.Sprintf("hop%d", i+1)
		if i+1 < len(hops) {
			hop.Via = fmt.Sprintf("hop%d", i+2)
		}
		c.Hops = append(c.Hops, hop)
	}
	c.Via = "hop1"
	return c
}

// jumpTo dials addr for the length of the test.
func jumpTo(t testing.TB, j *ssh.Jump, c hawser.Connection, addr string) net.Conn {
	t.Helper()
	conn, err := j.DialNet(t.Context(), c, "tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// requireEcho sends something through c, which an echo server answers.
func requireEcho(t testing.TB, c net.Conn, size int) {
	t.Helper()
	want := noise(size)
	go func() { // ends with c
		_, _ = c.Write(want)
		if half, ok := c.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite()
		}
	}()
	got, err := io.ReadAll(c)
	require.NoError(t, err)
	require.True(t, bytes.Equal(want, got), "%d bytes of %d", len(got), size)
}

func TestJumpIsATransportOfConns(t *testing.T) {
	t.Parallel()
	j, target := newJump(t), startTarget(t)
	c := via(to(bastion(t)), to(bastion(t)))
	nettest.TestConn(t, func() (net.Conn, net.Conn, func(), error) {
		c1, err := j.DialNet(t.Context(), c, "tcp", target.Addr())
		if err != nil {
			return nil, nil, nil, err
		}
		c2 := <-target.conns
		return c1, c2, func() { _ = c1.Close(); _ = c2.Close() }, nil
	})
}

func TestJumpSuite(t *testing.T) {
	hawsertest.TestTransport(t, hawsertest.TransportHarness{
		Transport: newJump(t), Connection: via(withPassword(to(bastion(t)), secret), to(bastion(t))),
	})
}

func TestJumpSuiteOpenSSH(t *testing.T) {
	server := testserver.OpenSSH(t, testserver.OpenSSHConfig{})
	hawsertest.TestTransport(t, hawsertest.TransportHarness{
		Transport: newJump(t), Connection: via(withPassword(real(server), server.Password)),
	})
}

func TestJump(t *testing.T) {
	t.Parallel()
	t.Run("20 dials at once open one session", func(t *testing.T) {
		t.Parallel()
		server, echo, j := bastion(t), startEcho(t), newJump(t)
		var dialing sync.WaitGroup
		for range 20 {
			dialing.Go(func() {
				c, err := j.DialNet(t.Context(), via(to(server)), "tcp", echo.Addr())
				if assert.NoError(t, err) {
					requireEcho(t, c, 1<<16)
					assert.NoError(t, c.Close())
				}
			})
		}
		dialing.Wait()
		assert.Equal(t, 1, server.Accepted())
	})
	t.Run("three in a row, and a session through them", func(t *testing.T) {
		t.Parallel()
		j := newJump(t)
		c := to(start(t, testserver.SSHConfig{}))
		way := via(to(bastion(t)), to(bastion(t)), to(bastion(t)))
		c.Via, c.Hops = way.Via, way.Hops
		var out strings.Builder
		s := loginBy(t, ssh.Dialer{Transport: j}, c)
		require.NoError(t, s.Run(t.Context(), &hawser.Command{Line: "echo hello", Stdout: &out}))
		assert.Equal(t, "hello\n", out.String())
	})
	t.Run("names are for the jump host to resolve", func(t *testing.T) {
		t.Parallel()
		echo, j := startEcho(t), newJump(t)
		server := start(t, testserver.SSHConfig{Forward: func(addr string) (string, error) {
			assert.Equal(t, "inside.example.com:25", addr)
			return echo.Addr(), nil
		}})
		c := jumpTo(t, j, via(to(server)), "inside.example.com:25")
		assert.Equal(t, "inside.example.com:25", c.RemoteAddr().String())
		requireEcho(t, c, 10)
	})
	t.Run("a connection without Via takes the Base", func(t *testing.T) {
		t.Parallel()
		echo, j := startEcho(t), newJump(t)
		requireEcho(t, jumpTo(t, j, hawser.Connection{}, echo.Addr()), 10)
		server := start(t, testserver.SSHConfig{})
		j.Base = pipe{server}
		c, err := j.DialNet(t.Context(), hawser.Connection{}, "tcp", "anywhere:1")
		require.NoError(t, err)
		assert.Equal(t, "pipe", c.RemoteAddr().Network())
		require.NoError(t, c.Close())
	})
	t.Run("what is not filled in is refused", func(t *testing.T) {
		t.Parallel()
		j := newJump(t)
		c := via(to(bastion(t)))
		other, proxied := c, c
		c.Hops = nil
		other.Via = "other"
		proxied.Proxy.Type = hawser.ProxyHTTP
		for _, row := range []struct {
			c    hawser.Connection
			want string
		}{
			{c, `via: "hop1" was not looked up; open the connection through a Manager, which does that`},
			{other, `via: "other" was not looked up; open the connection through a Manager, which does that`},
			{proxied, "proxy.type: this program was built without a transport for proxies"},
		} {
			_, err := j.DialNet(t.Context(), row.c, "tcp", "192.0.2.1:25")
			require.EqualError(t, err, row.want)
			require.ErrorIs(t, err, hawser.ErrInvalid)
		}
	})
	t.Run("each dial is a step, and the opening of the jump host the steps of that", func(t *testing.T) {
		t.Parallel()
		echo, j := startEcho(t), newJump(t)
		c := via(to(bastion(t)))
		steps := func(addr string) (names []string) {
			var mu sync.Mutex
			ctx := hawser.WithTrace(t.Context(), &hawser.Trace{Step: func(name string, s hawser.Step) {
				mu.Lock()
				defer mu.Unlock()
				names = append(names, fmt.Sprintf("%s %s %t", name, s.Phase, s.Err == nil))
				if name == "target" {
					assert.Equal(t, "jump host hop1", s.Detail)
					assert.Positive(t, s.Took)
				}
			}})
			conn, err := j.DialNet(ctx, c, "tcp", addr)
			if err == nil {
				require.NoError(t, conn.Close())
			}
			return names
		}
		assert.Equal(t, []string{"hop1 connect true", "hop1 trust true", "hop1 login true", "target proxy true"},
			filter(steps(echo.Addr()), "resolve"))
		assert.Equal(t, []string{"target proxy true"}, steps(echo.Addr()))
		assert.Equal(t, []string{"target proxy false"}, steps(testserver.ClosedAddr(t)))
	})
	t.Run("the name of a shared jump host is the user's own", func(t *testing.T) {
		t.Parallel()
		j, hop := newJump(t), to(bastion(t))
		jumpTo(t, j, via(hop), startEcho(t).Addr())
		c := via(hop)
		c.Via, c.Hops[0].Name = "other", "other"
		_, err := j.DialNet(t.Context(), c, "tcp", testserver.ClosedAddr(t))
		assert.ErrorContains(t, err, "jump host other: cannot reach")
	})
}

// filter returns the lines that do not contain word.
func filter(lines []string, word string) []string {
	var rest []string
	for _, line := range lines {
		if !strings.Contains(line, word) {
			rest = append(rest, line)
		}
	}
	return rest
}
