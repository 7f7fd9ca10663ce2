package ssh_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/ssh"
)

// telling is a Transport that tells when the connection is closed, of which it
// opens one.
type telling struct{ closed chan struct{} }

func (b telling) DialNet(ctx context.Context, c hawser.Connection, network, addr string) (net.Conn, error) {
	conn, err := hawser.Direct{}.DialNet(ctx, c, network, addr)
	if err != nil {
		return nil, err
	}
	return &tellingConn{Conn: conn, closed: b.closed}, nil
}

type tellingConn struct {
	net.Conn
	once   sync.Once
	closed chan struct{}
}

func (c *tellingConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

func TestJumpLife(t *testing.T) {
	t.Parallel()
	gone := func(t *testing.T, server *testserver.SSH) {
		t.Helper()
		assert.Eventually(t, func() bool { return server.Sessions() == 0 }, soon, time.Millisecond)
	}
	t.Run("a jump host without tunnels is closed after Limits.Idle, and opened anew", func(t *testing.T) {
		t.Parallel()
		server, echo, j := bastion(t), startEcho(t), newJump(t)
		c := via(to(server))
		c.Hops[0].Limits.Idle = 50 * time.Millisecond
		first, second := jumpTo(t, j, c, echo.Addr()), jumpTo(t, j, c, echo.Addr())
		requireEcho(t, first, 10)
		require.NoError(t, first.Close())
		requireEcho(t, second, 10)
		require.NoError(t, second.Close())
		gone(t, server)
		requireEcho(t, jumpTo(t, j, c, echo.Addr()), 10)
		assert.Equal(t, 2, server.Accepted())
	})
	t.Run("one with a tunnel that was closed, but that nobody reads, is closed as well", func(t *testing.T) {
		t.Parallel()
		server, target, j := bastion(t), startTarget(t), newJump(t)
		c := via(to(server))
		c.Hops[0].Timeout, c.Hops[0].Limits.Idle = time.Second, 50*time.Millisecond
		conn := jumpTo(t, j, c, target.Addr())
		require.NoError(t, conn.SetWriteDeadline(time.Now().Add(200*time.Millisecond)))
		_, err := io.Copy(conn, zeroes{})
		require.Error(t, err)
		require.NoError(t, conn.Close())
		assert.Eventually(t, func() bool { return server.Sessions() == 0 }, c.Hops[0].Timeout+soon, time.Millisecond)
	})
	t.Run("one that does not answer the close of a tunnel does not hold it up either", func(t *testing.T) {
		t.Parallel()
		server, target, j := bastion(t), startTarget(t), newJump(t)
		closed := make(chan struct{})
		j.Base = telling{closed}
		c := via(to(server))
		c.Hops[0].Timeout, c.Hops[0].Limits.Idle = time.Second, 50*time.Millisecond
		conn := jumpTo(t, j, c, target.Addr())
		server.Freeze()
		require.NoError(t, conn.Close())
		select {
		case <-closed:
		case <-time.After(c.Hops[0].Timeout + soon):
			t.Fatal("the session lives on")
		}
	})
	t.Run("a changed definition is for new tunnels, and the old one closes with its last", func(t *testing.T) {
		t.Parallel()
		before, after, echo, j := bastion(t), bastion(t), startEcho(t), newJump(t)
		old := jumpTo(t, j, via(to(before)), echo.Addr())
		changed := jumpTo(t, j, via(to(after)), echo.Addr())
		assert.Equal(t, 1, before.Sessions())
		requireEcho(t, old, 1<<20)
		requireEcho(t, changed, 1<<20)
		require.NoError(t, old.Close())
		gone(t, before)
		assert.Equal(t, 1, after.Sessions())
	})
	t.Run("an old definition without tunnels closes at once", func(t *testing.T) {
		t.Parallel()
		server, echo, j := bastion(t), startEcho(t), newJump(t)
		c := via(to(server))
		require.NoError(t, jumpTo(t, j, c, echo.Addr()).Close())
		c = via(withPassword(to(server), "another"))
		jumpTo(t, j, c, echo.Addr())
		assert.Eventually(t, func() bool { return server.Sessions() == 1 && server.Accepted() == 2 }, soon, time.Millisecond)
	})
	t.Run("Close ends what is open and being opened, and refuses what comes after", func(t *testing.T) {
		t.Parallel()
		server, echo, j := bastion(t), startEcho(t), &ssh.Jump{}
		silent := startTCP(t, testserver.Silent)
		open := jumpTo(t, j, via(to(server)), echo.Addr())
		waiting := make(chan error, 1)
		go func() {
			c := via(at(silent.Host(), silent.Port()))
			c.Via, c.Hops[0].Name = "silent", "silent"
			_, err := j.DialNet(t.Context(), c, "tcp", echo.Addr())
			waiting <- err
		}()
		assert.Eventually(t, func() bool { return silent.Open() == 1 }, soon, time.Millisecond)
		begun := time.Now()
		require.NoError(t, j.Close())
		requireSoon(t, begun)
		require.ErrorIs(t, <-waiting, net.ErrClosed)
		_, err := open.Read(make([]byte, 1))
		require.ErrorIs(t, err, hawser.ErrLost)
		_, err = j.DialNet(t.Context(), via(to(server)), "tcp", echo.Addr())
		require.ErrorIs(t, err, net.ErrClosed)
		require.NoError(t, j.Close())
		gone(t, server)
	})
	t.Run("Close while many dial", func(t *testing.T) {
		t.Parallel()
		echo := startEcho(t)
		server := bastion(t)
		for range 10 {
			j := &ssh.Jump{}
			var dialing sync.WaitGroup
			var dialed atomic.Int64
			for i := range 8 {
				dialing.Go(func() {
					hop := to(server)
					hop.Auth.User = fmt.Sprintf("user%d", i%3)
					for {
						c, err := j.DialNet(t.Context(), via(hop), "tcp", echo.Addr())
						if err != nil {
							assert.ErrorIs(t, err, net.ErrClosed)
							return
						}
						dialed.Add(1)
						_ = c.Close()
					}
				})
			}
			assert.Eventually(t, func() bool { return dialed.Load() > 10 }, soon, time.Millisecond)
			require.NoError(t, j.Close())
			dialing.Wait()
		}
		gone(t, server)
	})
}

// A watched context tells when somebody waits for it.
type watched struct {
	context.Context
	once  sync.Once
	waits chan struct{}
}

func (w *watched) Done() <-chan struct{} {
	w.once.Do(func() { close(w.waits) })
	return w.Context.Done()
}

func TestJumpWaits(t *testing.T) {
	t.Parallel()
	// asking is a Jump whose jump hosts wait for a person, who is told of each question.
	asking := func(t *testing.T) (j *ssh.Jump, asked chan struct{}, answers chan error) {
		asked, answers = make(chan struct{}, 8), make(chan error)
		j = newJump(t)
		j.Dialer.Verifier = &verifier{answer: func(ctx context.Context, _ hawser.Peer) error {
			asked <- struct{}{}
			select {
			case err := <-answers:
				return err
			case <-ctx.Done():
				return ctx.Err()
			}
		}}
		return j, asked, answers
	}
	hop := func(server *testserver.SSH) hawser.Connection { return via(at(server.Host(), server.Port())) }
	t.Run("one of two who wait gives up, which the other does not notice", func(t *testing.T) {
		t.Parallel()
		server, echo := bastion(t), startEcho(t)
		j, asked, answers := asking(t)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		first, second := make(chan error, 1), make(chan error, 1)
		go func() {
			_, err := j.DialNet(ctx, hop(server), "tcp", echo.Addr())
			first <- err
		}()
		<-asked
		other := &watched{Context: t.Context(), waits: make(chan struct{})}
		go func() {
			c, err := j.DialNet(other, hop(server), "tcp", echo.Addr())
			if err == nil {
				_ = c.Close()
			}
			second <- err
		}()
		<-other.waits
		cancel()
		err := <-first
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, hawser.ErrProxy)
		assert.EqualError(t, err, "jump host hop1: context canceled")
		answers <- nil
		require.NoError(t, <-second)
		assert.Equal(t, 1, server.Accepted())
	})
	t.Run("all give up, and the opening ends", func(t *testing.T) {
		t.Parallel()
		server, echo := bastion(t), startEcho(t)
		j, asked, _ := asking(t)
		ctx, cancel := context.WithCancel(t.Context())
		var waiting sync.WaitGroup
		for range 5 {
			waiting.Go(func() {
				_, err := j.DialNet(ctx, hop(server), "tcp", echo.Addr())
				assert.ErrorIs(t, err, context.Canceled)
			})
		}
		<-asked
		cancel()
		waiting.Wait()
		assert.Eventually(t, func() bool { return server.Sessions() == 0 }, soon, time.Millisecond)
	})
	t.Run("the time of the target stands still meanwhile", func(t *testing.T) {
		t.Parallel()
		j, asked, answers := asking(t)
		c := to(start(t, testserver.SSHConfig{}))
		way := hop(bastion(t))
		c.Via, c.Hops, c.Timeout = way.Via, way.Hops, 500*time.Millisecond
		opened := make(chan error, 1)
		go func() {
			s, err := ssh.Dialer{Transport: j}.Open(t.Context(), c)
			if err == nil {
				_ = s.Close()
			}
			opened <- err
		}()
		<-asked
		timer := time.NewTimer(2 * c.Timeout)
		defer timer.Stop()
		select {
		case err := <-opened:
			require.NoError(t, err)
		case <-timer.C:
		}
		answers <- nil
		require.NoError(t, <-opened)
	})
	t.Run("a question is asked with what the first who waits has", func(t *testing.T) {
		t.Parallel()
		type key struct{}
		j := newJump(t)
		j.Dialer.Verifier = &verifier{answer: func(ctx context.Context, _ hawser.Peer) error {
			assert.Equal(t, "ann", ctx.Value(key{}))
			return nil
		}}
		ctx := context.WithValue(t.Context(), key{}, "ann")
		c, err := j.DialNet(ctx, hop(bastion(t)), "tcp", startEcho(t).Addr())
		require.NoError(t, err)
		require.NoError(t, c.Close())
	})
}
