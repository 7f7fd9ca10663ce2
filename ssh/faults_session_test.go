package ssh_test

import (
	"context"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	xssh "golang.org/x/crypto/ssh"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/ssh"
)

// halting is a server that logs anybody in, accepts channels if accept is set,
// and answers no request. stopped is told of each channel.
func halting(t testing.TB, accept bool, stopped func()) *testserver.TCP {
	t.Helper()
	config := &xssh.ServerConfig{NoClientAuth: true}
	config.AddHostKey(newSigner(t))
	return startTCP(t, func(_ context.Context, c net.Conn) {
		conn, channels, requests, err := xssh.NewServerConn(c, config)
		if err != nil {
			return
		}
		var running sync.WaitGroup
		running.Go(func() {
			for range requests { // never answered
			}
		})
		for offered := range channels {
			if !accept {
				stopped()
				continue
			}
			_, asked, err := offered.Accept()
			if err != nil {
				break
			}
			running.Go(func() {
				for range asked {
					stopped()
				}
			})
		}
		_ = conn.Wait()
		running.Wait()
	})
}

func TestServersThatStopInASession(t *testing.T) {
	t.Parallel()
	var table timings
	table.log(t)
	run := func(ctx context.Context, s *ssh.Session) error {
		return s.Run(ctx, &hawser.Command{Line: "x", Grace: time.Millisecond})
	}
	for _, row := range []struct {
		name   string
		accept bool
		call   func(context.Context, *ssh.Session) error
		asks   bool // the server sees it coming
	}{
		{"channel open", false, run, true},
		{"exec request", true, run, true},
		{"subsystem request", true, func(ctx context.Context, s *ssh.Session) error {
			_, err := s.Subsystem(ctx, "sftp")
			return err
		}, true},
		{"env request", true, func(ctx context.Context, s *ssh.Session) error {
			return s.Run(ctx, &hawser.Command{Line: "x", Env: map[string]string{"A": "b"}})
		}, true},
		{"Ping", false, func(ctx context.Context, s *ssh.Session) error { return s.Ping(ctx) }, false},
	} {
		t.Run(row.name+": a context that ends is the error, soon", func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ended := make(chan time.Time, 1)
			stop := sync.OnceFunc(func() { ended <- time.Now(); cancel() })
			server := halting(t, row.accept, stop)
			s := loginBy(t, trusting(), at(server.Host(), server.Port()))
			if !row.asks {
				time.AfterFunc(20*time.Millisecond, stop)
			}
			err := row.call(ctx, s)
			table.add(row.name, requireSoon(t, <-ended))
			require.ErrorIs(t, err, context.Canceled)
			var e *hawser.Error
			assert.ErrorAs(t, err, &e)
		})
		t.Run(row.name+": Timeout ends the session where the context has no end", func(t *testing.T) {
			t.Parallel()
			server := halting(t, row.accept, func() {})
			c := at(server.Host(), server.Port())
			c.Timeout = 400 * time.Millisecond
			s := loginBy(t, trusting(), c)
			begun := time.Now()
			err := row.call(t.Context(), s)
			table.add(row.name+" with a Timeout of 400 ms", requireSoon(t, begun)-c.Timeout)
			require.ErrorIs(t, err, hawser.ErrLost)
			assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
			assert.False(t, s.Reusable())
		})
		t.Run(row.name+": Close unblocks", func(t *testing.T) {
			t.Parallel()
			waiting := make(chan struct{})
			stop := sync.OnceFunc(func() { close(waiting) })
			server := halting(t, row.accept, stop)
			s := loginBy(t, trusting(), at(server.Host(), server.Port()))
			if !row.asks {
				stop()
			}
			result := make(chan error, 1)
			go func() { result <- row.call(t.Context(), s) }()
			<-waiting
			begun := time.Now()
			require.NoError(t, s.Close())
			require.ErrorIs(t, <-result, net.ErrClosed)
			table.add(row.name+", Close", requireSoon(t, begun))
		})
	}
	t.Run("a channel that was given up and is still not open after Timeout ends the session", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		server := halting(t, false, cancel)
		c := at(server.Host(), server.Port())
		c.Timeout = 400 * time.Millisecond
		s := loginBy(t, trusting(), c)
		require.ErrorIs(t, run(ctx, s), context.Canceled)
		select {
		case <-s.Ended():
			assert.ErrorIs(t, s.Cause(), hawser.ErrLost)
		case <-time.After(c.Timeout + soon):
			t.Fatal("the session lives on")
		}
	})
	t.Run("a channel that was given up and opens late is closed", func(t *testing.T) {
		t.Parallel()
		server := start(t, testserver.SSHConfig{})
		s := login(t, to(server))
		server.Freeze()
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		require.ErrorIs(t, run(ctx, s), context.DeadlineExceeded)
		server.Thaw()
		require.NoError(t, s.Run(t.Context(), &hawser.Command{Line: "true"}))
		assert.True(t, s.Reusable())
	})
	t.Run("the middle of a command's output: a context that ends is the error, soon", func(t *testing.T) {
		t.Parallel()
		server, s, midway := talking(t)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		result := make(chan error, 1)
		go func() {
			result <- s.Run(ctx, &hawser.Command{Line: "x", Stdout: midway, Grace: time.Millisecond})
		}()
		<-midway.reached
		server.Freeze()
		begun := time.Now()
		cancel()
		require.ErrorIs(t, <-result, context.Canceled)
		table.add("the middle of output", requireSoon(t, begun))
		assert.False(t, s.Reusable(), "while the server has not closed the channel")
	})
	t.Run("the middle of a command's output: Close unblocks", func(t *testing.T) {
		t.Parallel()
		server, s, midway := talking(t)
		result := make(chan error, 1)
		go func() { result <- s.Run(t.Context(), &hawser.Command{Line: "x", Stdout: midway}) }()
		<-midway.reached
		server.Freeze()
		begun := time.Now()
		require.NoError(t, s.Close())
		require.ErrorIs(t, <-result, net.ErrClosed)
		table.add("the middle of output, Close", requireSoon(t, begun))
	})
	t.Run("the middle of a command's output: a server that drops the connection is lost", func(t *testing.T) {
		t.Parallel()
		server, s, midway := talking(t)
		result := make(chan error, 1)
		go func() { result <- s.Run(t.Context(), &hawser.Command{Line: "x", Stdout: midway}) }()
		<-midway.reached
		begun := time.Now()
		server.Drop()
		err := <-result
		require.ErrorIs(t, err, hawser.ErrLost)
		table.add("the middle of output, drop", requireSoon(t, begun))
		assert.False(t, s.Reusable())
		assert.ErrorIs(t, s.Ping(t.Context()), hawser.ErrLost)
		assert.ErrorIs(t, s.Lease(t.Context(), hawser.Connection{}), hawser.ErrLost)
	})
}

// A mark is a writer that tells when half a MiB was written to it.
type mark struct {
	reached chan struct{}
	n       int
}

func (m *mark) Write(p []byte) (int, error) {
	before := m.n
	m.n += len(p)
	if before < 1<<19 && m.n >= 1<<19 {
		close(m.reached)
	}
	return len(p), nil
}

// talking is a server whose commands write without end, and a session with it.
func talking(t *testing.T) (*testserver.SSH, *ssh.Session, *mark) {
	t.Helper()
	server := start(t, testserver.SSHConfig{Exec: func(c *testserver.Command) int {
		_, _ = io.Copy(c.Stdout, zeroes{})
		return 0
	}})
	return server, login(t, to(server)), &mark{reached: make(chan struct{})}
}

func TestCallsOfABrokenSessionMatchErrLost(t *testing.T) {
	t.Parallel()
	for range 20 { // x/crypto tells the calls of it before it tells Wait
		server := start(t, testserver.SSHConfig{Exec: func(c *testserver.Command) int { <-c.Context.Done(); return 0 }})
		s := login(t, to(server))
		var calls sync.WaitGroup
		for _, call := range []func() error{
			func() error { return s.Ping(t.Context()) },
			func() error { return s.Run(t.Context(), &hawser.Command{Line: "x"}) },
			func() error { return s.Run(t.Context(), &hawser.Command{Line: "x", Stdin: zeroes{}}) },
			func() error { _, err := s.Subsystem(t.Context(), "sftp"); return err },
		} {
			calls.Go(func() {
				for {
					if err := call(); err != nil {
						assert.ErrorIs(t, err, hawser.ErrLost)
						return
					}
				}
			})
		}
		server.Drop()
		calls.Wait()
		require.NoError(t, server.Close())
	}
}
