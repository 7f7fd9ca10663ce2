package ssh_test

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/nettest"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/ssh"
)

// anywhere is the Forward of a jump host that lets anybody tunnel to anywhere.
func anywhere(addr string) (string, error) { return addr, nil }

// bastion starts a jump host in this process.
func bastion(t testing.TB) *testserver.SSH {
	t.Helper()
	return start(t, testserver.SSHConfig{Forward: anywhere})
}

// A targetHost is a server behind a jump host, which hands out its connections.
type targetHost struct {
	*testserver.TCP
	conns chan net.Conn
}

// startTarget starts a server whose connections are the test's to use, and stay
// open until the test ends.
func startTarget(t testing.TB) *targetHost {
	t.Helper()
	h := &targetHost{conns: make(chan net.Conn, 64)}
	h.TCP = startTCP(t, func(ctx context.Context, c net.Conn) {
		h.conns <- c
		<-ctx.Done()
	})
	return h
}

// startEcho starts a server that sends back what it is sent, and then ends.
func startEcho(t testing.TB) *testserver.TCP {
	t.Helper()
	return startTCP(t, func(_ context.Context, c net.Conn) { _, _ = io.Copy(c, c) })
}

// dialTunnel opens a tunnel for the length of the test.
func dialTunnel(t testing.TB, s *ssh.Session, addr string) net.Conn {
	t.Helper()
	c, err := s.DialContext(t.Context(), "tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// closeWrite ends c in one direction.
func closeWrite(t testing.TB, c net.Conn) {
	t.Helper()
	half, ok := c.(interface{ CloseWrite() error })
	require.True(t, ok, "%T has no CloseWrite", c)
	require.NoError(t, half.CloseWrite())
}

// noise is n bytes that are the same in each run.
func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

func TestTunnelIsAConn(t *testing.T) {
	t.Parallel()
	s := login(t, to(bastion(t)))
	target := startTarget(t)
	nettest.TestConn(t, func() (net.Conn, net.Conn, func(), error) {
		c1, err := s.DialContext(t.Context(), "tcp", target.Addr())
		if err != nil {
			return nil, nil, nil, err
		}
		c2 := <-target.conns
		return c1, c2, func() { _ = c1.Close(); _ = c2.Close() }, nil
	})
}

func TestTunnelThroughOpenSSHIsAConn(t *testing.T) {
	t.Parallel()
	server := testserver.OpenSSH(t, testserver.OpenSSHConfig{})
	s := login(t, withPassword(real(server), server.Password))
	target := startTarget(t)
	nettest.TestConn(t, func() (net.Conn, net.Conn, func(), error) {
		c1, err := s.DialContext(t.Context(), "tcp", target.Addr())
		if err != nil {
			return nil, nil, nil, err
		}
		c2 := <-target.conns
		return c1, c2, func() { _ = c1.Close(); _ = c2.Close() }, nil
	})
}

func TestTunnels(t *testing.T) {
	t.Parallel()
	t.Run("its addresses are what was dialed, and the socket of the session", func(t *testing.T) {
		t.Parallel()
		target := startTarget(t)
		s := login(t, to(start(t, testserver.SSHConfig{Forward: func(string) (string, error) { return target.Addr(), nil }})))
		for _, row := range []struct {
			addr  string
			isTCP bool
		}{
			{"192.0.2.1:25", true},
			{"[2001:db8::1]:25", true},
			{"[2001:DB8:0::1]:25", false}, // not as package net writes it
			{"mail.example.com:25", false},
		} {
			c := dialTunnel(t, s, row.addr)
			assert.Equal(t, row.addr, c.RemoteAddr().String())
			assert.Equal(t, "tcp", c.RemoteAddr().Network())
			_, isTCP := c.RemoteAddr().(*net.TCPAddr)
			assert.Equal(t, row.isTCP, isTCP, row.addr)
			assert.Regexp(t, `^127\.0\.0\.1:\d+$`, c.LocalAddr().String())
		}
	})
	t.Run("each direction ends alone", func(t *testing.T) {
		t.Parallel()
		target := startTarget(t)
		c := dialTunnel(t, login(t, to(bastion(t))), target.Addr())
		far := <-target.conns
		_, err := io.WriteString(c, "question")
		require.NoError(t, err)
		closeWrite(t, c)
		got, err := io.ReadAll(far)
		require.NoError(t, err)
		assert.Equal(t, "question", string(got))
		_, err = c.Write([]byte("more"))
		require.ErrorIs(t, err, io.ErrClosedPipe)
		_, err = io.WriteString(far, "answer")
		require.NoError(t, err)
		closeWrite(t, far)
		got, err = io.ReadAll(c)
		require.NoError(t, err)
		assert.Equal(t, "answer", string(got))
		require.NoError(t, c.Close())
	})
	t.Run("the other direction ends alone", func(t *testing.T) {
		t.Parallel()
		target := startTarget(t)
		c := dialTunnel(t, login(t, to(bastion(t))), target.Addr())
		far := <-target.conns
		closeWrite(t, far)
		_, err := c.Read(make([]byte, 1))
		require.Equal(t, io.EOF, err)
		_, err = io.WriteString(c, "still")
		require.NoError(t, err)
		require.NoError(t, c.Close())
		got, err := io.ReadAll(far)
		require.NoError(t, err)
		assert.Equal(t, "still", string(got))
	})
	t.Run("what was written before Close arrives, though Close does not wait", func(t *testing.T) {
		t.Parallel()
		target := startTarget(t)
		s := login(t, to(bastion(t)))
		c := dialTunnel(t, s, target.Addr())
		far := <-target.conns
		want := noise(8 << 20)
		sent := make(chan struct{})
		go func() { // ends when far has read enough
			defer close(sent)
			_, err := c.Write(want)
			assert.NoError(t, err)
			begun := time.Now()
			assert.NoError(t, c.Close())
			requireSoon(t, begun)
		}()
		got, err := io.ReadAll(far)
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, got))
		<-sent
		_, err = c.Write(want)
		require.ErrorIs(t, err, net.ErrClosed)
		_, err = c.Read(make([]byte, 1))
		require.ErrorIs(t, err, net.ErrClosed)
		require.ErrorIs(t, c.Close(), net.ErrClosed)
		require.ErrorIs(t, c.SetDeadline(time.Now()), net.ErrClosed)
	})
	t.Run("Writes are not mixed", func(t *testing.T) {
		t.Parallel()
		target := startTarget(t)
		c := dialTunnel(t, login(t, to(bastion(t))), target.Addr())
		far := <-target.conns
		const writers, size = 8, 1 << 20
		var writing sync.WaitGroup
		for i := range writers {
			writing.Go(func() {
				_, err := c.Write(bytes.Repeat([]byte{byte(i)}, size))
				assert.NoError(t, err)
			})
		}
		seen := map[byte]bool{}
		part := make([]byte, size)
		for range writers {
			_, err := io.ReadFull(far, part)
			require.NoError(t, err)
			require.True(t, bytes.Equal(part, bytes.Repeat(part[:1], size)), "a Write of %d is mixed with another", part[0])
			seen[part[0]] = true
		}
		assert.Len(t, seen, writers)
		writing.Wait()
	})
	t.Run("a session with a tunnel is not Reusable", func(t *testing.T) {
		t.Parallel()
		target := startTarget(t)
		s := login(t, to(bastion(t)))
		require.True(t, s.Reusable())
		c := dialTunnel(t, s, target.Addr())
		assert.False(t, s.Reusable())
		require.NoError(t, c.Close())
		assert.Eventually(t, s.Reusable, soon, time.Millisecond)
	})
}

func TestManyTunnels(t *testing.T) {
	t.Parallel()
	server := bastion(t)
	s := login(t, to(server))
	echo := startEcho(t)
	carry := func(size int) {
		c, err := s.DialContext(t.Context(), "tcp", echo.Addr())
		if !assert.NoError(t, err) {
			return
		}
		want := noise(size)
		go func() { // ends with c
			_, _ = c.Write(want)
			if half, ok := c.(interface{ CloseWrite() error }); ok {
				_ = half.CloseWrite()
			}
		}()
		got, err := io.ReadAll(c)
		assert.NoError(t, err)
		assert.True(t, bytes.Equal(want, got), "%d bytes of %d", len(got), size)
		assert.NoError(t, c.Close())
	}
	t.Run("200 in sequence", func(t *testing.T) {
		for i := range 200 {
			carry(i * 997)
		}
	})
	t.Run("50 at once", func(t *testing.T) {
		var running sync.WaitGroup
		for i := range 50 {
			running.Go(func() { carry(i * 20_011) })
		}
		running.Wait()
	})
	assert.Eventually(t, func() bool { return s.Reusable() && server.Tunnels() == 0 }, soon, time.Millisecond)
	assert.Equal(t, 1, server.Accepted())
}

func TestTunnelWireLog(t *testing.T) {
	t.Parallel()
	target := startTarget(t)
	s := login(t, to(bastion(t)))
	var r recorder
	ctx := hawser.WithTrace(t.Context(), r.trace())
	c, err := s.DialContext(ctx, "tcp", target.Addr())
	require.NoError(t, err)
	require.NoError(t, c.Close())
	_, err = s.DialContext(ctx, "tcp", testserver.ClosedAddr(t))
	require.Error(t, err)
	assert.Contains(t, r.text(), "> CHANNEL_OPEN direct-tcpip "+target.Addr()+"\n< CHANNEL_OPEN_CONFIRMATION")
	assert.Contains(t, r.text(), "< CHANNEL_OPEN_FAILURE connect failed: Connection refused")
}
