package ssh_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/ssh"
)

// startRelay stands in front of server for the length of the test.
func startRelay(t testing.TB, server *testserver.SSH, cfg testserver.RelayConfig) (*testserver.Relay, hawser.Connection) {
	t.Helper()
	r, err := testserver.StartRelay(server.Addr(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, r.Close()) })
	return r, at(r.Host(), r.Port(), server.HostKey())
}

// startSource starts a server that sends what, and then ends.
func startSource(t testing.TB, what []byte) *testserver.TCP {
	t.Helper()
	return startTCP(t, func(_ context.Context, c net.Conn) { _, _ = c.Write(what) })
}

func TestTunnelEndsAreTold(t *testing.T) {
	t.Parallel()
	want := noise(1 << 20)
	source := startSource(t, want)
	for name, flow := range map[string]testserver.Flow{
		"cut":     {Fault: testserver.Cut, After: 1 << 19},
		"reset":   {Fault: testserver.Reset, After: 1 << 19},
		"garbled": {Fault: testserver.Garble, After: 1 << 19},
	} {
		t.Run("a connection that is "+name+" is no end of the data", func(t *testing.T) {
			t.Parallel()
			server := bastion(t)
			for i := range 25 {
				flow.After += int64(i)
				_, c := startRelay(t, server, testserver.RelayConfig{Down: flow})
				s := login(t, c)
				tunnel, err := s.DialContext(t.Context(), "tcp", source.Addr())
				var got []byte
				if err == nil {
					got, err = io.ReadAll(tunnel)
				}
				require.ErrorIs(t, err, hawser.ErrLost, "after %d bytes", len(got))
				require.ErrorIs(t, err, hawser.ErrProxy)
				require.ErrorContains(t, err, "jump host box: ")
				require.True(t, bytes.HasPrefix(want, got))
				require.ErrorIs(t, s.Cause(), hawser.ErrLost)
			}
		})
	}
	t.Run("what the other side ended is", func(t *testing.T) {
		t.Parallel()
		s := login(t, to(bastion(t)))
		for range 100 {
			got, err := io.ReadAll(dialTunnel(t, s, source.Addr()))
			require.NoError(t, err)
			require.True(t, bytes.Equal(want, got))
		}
	})
	t.Run("what came before the loss is read first", func(t *testing.T) {
		t.Parallel()
		relay, c := startRelay(t, bastion(t), testserver.RelayConfig{})
		s := login(t, c)
		target := startTarget(t)
		tunnel := dialTunnel(t, s, target.Addr())
		_, err := (<-target.conns).Write(want)
		require.NoError(t, err)
		assert.Eventually(t, func() bool {
			_, down := relay.Bytes()
			return down > int64(len(want))
		}, soon, time.Millisecond)
		require.NoError(t, s.Ping(t.Context()), "its answer comes behind the data")
		relay.Drop()
		<-s.Ended()
		got, err := io.ReadAll(tunnel)
		require.ErrorIs(t, err, hawser.ErrLost)
		require.True(t, bytes.Equal(want, got), "%d bytes", len(got))
	})
	t.Run("what ended before the loss has its end, and nobody has to read it", func(t *testing.T) {
		t.Parallel()
		s := login(t, to(bastion(t)))
		tunnels := []net.Conn{dialTunnel(t, s, source.Addr()), dialTunnel(t, s, source.Addr())}
		for _, c := range tunnels {
			closeWrite(t, c)
		}
		assert.Eventually(t, s.Reusable, soon, time.Millisecond)
		require.NoError(t, s.Close())
		for _, c := range tunnels {
			got, err := io.ReadAll(c)
			require.NoError(t, err)
			require.True(t, bytes.Equal(want, got))
		}
	})
	t.Run("a session that is closed is no end of the data", func(t *testing.T) {
		t.Parallel()
		target := startTarget(t)
		s := login(t, to(bastion(t)))
		c := dialTunnel(t, s, target.Addr())
		require.NoError(t, s.Close())
		_, err := c.Read(make([]byte, 1))
		require.ErrorIs(t, err, hawser.ErrLost)
		_, err = c.Write(make([]byte, 1))
		require.ErrorIs(t, err, hawser.ErrLost)
		_, err = s.DialContext(t.Context(), "tcp", target.Addr())
		require.ErrorIs(t, err, net.ErrClosed)
		require.ErrorIs(t, err, hawser.ErrProxy)
	})
}

func TestTunnelWrites(t *testing.T) {
	t.Parallel()
	t.Run("to a target that hung up fail, though not the first", func(t *testing.T) {
		t.Parallel()
		s := login(t, to(bastion(t)))
		c := dialTunnel(t, s, startSource(t, nil).Addr())
		var err error
		for deadline := time.Now().Add(soon); err == nil && time.Now().Before(deadline); {
			_, err = c.Write([]byte("x"))
		}
		require.ErrorIs(t, err, io.ErrClosedPipe)
		assert.NotErrorIs(t, err, hawser.ErrLost)
	})
	t.Run("that cannot be sent are told by Close", func(t *testing.T) {
		t.Parallel()
		server := bastion(t)
		target := startTarget(t)
		s := login(t, to(server))
		c := dialTunnel(t, s, target.Addr())
		require.NoError(t, c.SetWriteDeadline(time.Now().Add(200*time.Millisecond)))
		_, err := io.Copy(c, zeroes{}) // nobody reads
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		server.Drop()
		<-s.Ended()
		require.NoError(t, c.SetWriteDeadline(time.Time{}))
		_, err = io.Copy(c, zeroes{})
		require.ErrorIs(t, err, hawser.ErrLost)
		require.ErrorIs(t, c.Close(), hawser.ErrLost)
	})
	t.Run("that nobody reads do not hold up Close, nor the session", func(t *testing.T) {
		t.Parallel()
		server := bastion(t)
		target := startTarget(t)
		c := to(server)
		c.Timeout = time.Second
		s := login(t, c)
		stuck := dialTunnel(t, s, target.Addr())
		require.NoError(t, stuck.SetWriteDeadline(time.Now().Add(200*time.Millisecond)))
		_, err := io.Copy(stuck, zeroes{})
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		begun := time.Now()
		require.NoError(t, stuck.Close())
		requireSoon(t, begun)
		dialTunnel(t, s, target.Addr())
		server.Freeze()
		begun = time.Now()
		require.NoError(t, s.Close())
		requireSoon(t, begun)
	})
}

func TestTunnelsThatDoNotOpen(t *testing.T) {
	t.Parallel()
	// deaf is a session with a jump host from which one target is not reached before
	// the test ends.
	deaf := func(t *testing.T) (*testserver.SSH, *ssh.Session) {
		ended := make(chan struct{})
		server := start(t, testserver.SSHConfig{Forward: func(addr string) (string, error) {
			if addr == "192.0.2.1:25" {
				<-ended
			}
			return addr, nil
		}})
		t.Cleanup(func() { close(ended) })
		c := to(server)
		c.Timeout = 400 * time.Millisecond
		return server, login(t, c)
	}
	t.Run("a target without answer is not the jump host's failure, and costs no session", func(t *testing.T) {
		t.Parallel()
		_, s := deaf(t)
		begun := time.Now()
		e := refusedTunnel(t, s, "192.0.2.1:25")
		requireSoon(t, begun)
		assert.EqualError(t, e, "jump host box: cannot reach 192.0.2.1:25: no answer within 400ms: i/o timeout")
		assert.NotErrorIs(t, e, hawser.ErrProxy)
		assert.ErrorIs(t, e, os.ErrDeadlineExceeded)
		assert.True(t, e.Temporary())
		assert.True(t, e.Timeout())
		dialTunnel(t, s, startTarget(t).Addr())
	})
	t.Run("a jump host without answer is lost", func(t *testing.T) {
		t.Parallel()
		server, s := deaf(t)
		server.Freeze()
		begun := time.Now()
		e := refusedTunnel(t, s, "192.0.2.1:25")
		requireSoon(t, begun)
		assert.ErrorIs(t, e, hawser.ErrProxy)
		assert.ErrorIs(t, e, hawser.ErrLost)
		assert.ErrorIs(t, e, os.ErrDeadlineExceeded)
		assert.ErrorIs(t, s.Cause(), hawser.ErrLost)
	})
	t.Run("a context that ends is the error, soon", func(t *testing.T) {
		t.Parallel()
		server, s := deaf(t)
		server.Freeze()
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(50*time.Millisecond, cancel)
		begun := time.Now()
		_, err := s.DialContext(ctx, "tcp", "192.0.2.1:25")
		requireSoon(t, begun)
		assert.ErrorIs(t, err, context.Canceled)
		assert.ErrorIs(t, err, hawser.ErrProxy, "nothing was heard of it")
		_, err = s.DialContext(ctx, "tcp", "192.0.2.1:25")
		assert.ErrorIs(t, err, context.Canceled)
		assert.NoError(t, s.Cause())
	})
	t.Run("a tunnel that was given up and opens late is closed", func(t *testing.T) {
		t.Parallel()
		server := bastion(t)
		target := startTarget(t)
		s := login(t, to(server))
		server.Freeze()
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := s.DialContext(ctx, "tcp", target.Addr())
		require.ErrorIs(t, err, context.DeadlineExceeded)
		server.Thaw()
		far := <-target.conns
		_, err = far.Read(make([]byte, 1))
		require.Equal(t, io.EOF, err)
		assert.True(t, s.Reusable())
	})
	t.Run("a session that breaks unblocks", func(t *testing.T) {
		t.Parallel()
		for range 20 {
			relay, c := startRelay(t, bastion(t), testserver.RelayConfig{})
			target := startTarget(t)
			s := login(t, c)
			var calls sync.WaitGroup
			for range 4 {
				calls.Go(func() {
					for {
						c, err := s.DialContext(t.Context(), "tcp", target.Addr())
						if err != nil {
							assert.ErrorIs(t, err, hawser.ErrLost)
							assert.ErrorIs(t, err, hawser.ErrProxy)
							return
						}
						_ = c.Close()
						<-target.conns
					}
				})
			}
			relay.Drop()
			calls.Wait()
		}
	})
}
