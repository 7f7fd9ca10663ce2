package ssh_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/ssh"
)

const interval = 10 * time.Second

// inBubble logs in to a server over a pipe, inside a synctest bubble.
func inBubble(t *testing.T, keepAlive time.Duration, exec func(*testserver.Command) int, test func(*testing.T, *testserver.SSH, *ssh.Session)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		server, err := testserver.NewSSH(testserver.SSHConfig{Exec: exec})
		require.NoError(t, err)
		c := at("pipe", 22)
		c.SSH.KeepAlive = keepAlive
		s, err := ssh.Dialer{Transport: pipe{server}, Verifier: &verifier{}}.Open(t.Context(), c)
		require.NoError(t, err)
		test(t, server, s)
		require.NoError(t, s.Close())
		require.NoError(t, server.Close())
	})
}

func TestKeepAlive(t *testing.T) {
	t.Parallel()
	t.Run("a black hole is lost after three misses, and a pending Run with it", func(t *testing.T) {
		t.Parallel()
		hang := func(c *testserver.Command) int { <-c.Context.Done(); return 0 }
		inBubble(t, interval, hang, func(t *testing.T, server *testserver.SSH, s *ssh.Session) {
			result := make(chan error, 1)
			go func() { result <- s.Run(t.Context(), &hawser.Command{Line: "x"}) }()
			synctest.Wait()
			server.Freeze()
			begun := time.Now()
			err := <-result
			require.ErrorIs(t, err, hawser.ErrLost)
			assert.ErrorContains(t, err, "no answer to 3 keepalives, one every 10s")
			assert.Equal(t, 4*interval, time.Since(begun), "asked after one, two and three intervals; given up after the fourth")
			assert.False(t, s.Reusable())
			assert.ErrorIs(t, s.Cause(), hawser.ErrLost)
		})
	})
	t.Run("zero means 30 seconds", func(t *testing.T) {
		t.Parallel()
		inBubble(t, 0, nil, func(t *testing.T, server *testserver.SSH, s *ssh.Session) {
			server.Freeze()
			begun := time.Now()
			<-s.Ended()
			assert.Equal(t, 2*time.Minute, time.Since(begun))
		})
	})
	t.Run("negative means never", func(t *testing.T) {
		t.Parallel()
		inBubble(t, -1, nil, func(t *testing.T, server *testserver.SSH, s *ssh.Session) {
			server.Freeze()
			time.Sleep(24 * time.Hour)
			assert.NoError(t, s.Cause())
			assert.True(t, s.Reusable())
			server.Thaw()
			assert.NoError(t, s.Ping(t.Context()))
			assert.Equal(t, 1, server.Keepalives(), "the Ping's")
		})
	})
	t.Run("a server that answers at once lives", func(t *testing.T) {
		t.Parallel()
		inBubble(t, interval, nil, func(t *testing.T, server *testserver.SSH, s *ssh.Session) {
			time.Sleep(time.Hour + interval/2)
			assert.NoError(t, s.Cause())
			assert.Equal(t, int(time.Hour/interval), server.Keepalives())
		})
	})
	t.Run("a server that answers late, but answers, lives", func(t *testing.T) {
		t.Parallel()
		inBubble(t, interval, nil, func(t *testing.T, server *testserver.SSH, s *ssh.Session) {
			for range 100 {
				server.Freeze()
				time.Sleep(3*interval + interval/2)
				server.Thaw()
				time.Sleep(interval / 4)
			}
			assert.NoError(t, s.Cause())
		})
	})
	t.Run("traffic is a sign of life", func(t *testing.T) {
		t.Parallel()
		chatter := func(c *testserver.Command) int {
			for range 1000 {
				time.Sleep(interval / 3)
				if _, err := c.Stdout.Write([]byte("x")); err != nil {
					return 1
				}
			}
			return 0
		}
		inBubble(t, interval, chatter, func(t *testing.T, server *testserver.SSH, s *ssh.Session) {
			require.NoError(t, s.Run(t.Context(), &hawser.Command{Line: "x"}))
			assert.Zero(t, server.Keepalives())
		})
	})
	t.Run("one question at a time, also for Pings", func(t *testing.T) {
		t.Parallel()
		inBubble(t, -1, nil, func(t *testing.T, server *testserver.SSH, s *ssh.Session) {
			server.Freeze()
			var pings sync.WaitGroup
			for range 5 {
				pings.Go(func() { assert.NoError(t, s.Ping(t.Context())) })
			}
			synctest.Wait()
			server.Thaw()
			pings.Wait()
			assert.Equal(t, 1, server.Keepalives())
		})
	})
	t.Run("a Ping without an answer ends the session after Timeout", func(t *testing.T) {
		t.Parallel()
		inBubble(t, -1, nil, func(t *testing.T, server *testserver.SSH, s *ssh.Session) {
			server.Freeze()
			begun := time.Now()
			require.ErrorIs(t, s.Ping(t.Context()), hawser.ErrLost)
			assert.Equal(t, hawser.DefaultTimeout, time.Since(begun))
			assert.False(t, s.Reusable())
		})
	})
}
