package testserver

import (
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
)

// patience bounds what a busy machine may take.
const (
	patience = 10 * time.Second
	poll     = 5 * time.Millisecond
)

func TestSSHCountsAndDropsConnections(t *testing.T) {
	s := startSSH(t, SSHConfig{})
	first, second := dial(t, s, "ann"), dial(t, s, "bob")
	require.Equal(t, 2, s.Sessions())
	s.Drop()
	require.Error(t, first.Wait())
	require.Error(t, second.Wait())
	require.Eventually(t, func() bool { return s.Sessions() == 0 }, patience, poll)

	dial(t, s, "ann")
	require.Equal(t, 1, s.Sessions())
	require.Equal(t, 3, s.Accepted())
}

func TestSSHRefusesKeepalivesAsOpenSSHDoes(t *testing.T) {
	s := startSSH(t, SSHConfig{})
	ok, _, err := dial(t, s, "ann").SendRequest("keepalive@openssh.com", true, nil)
	require.NoError(t, err)
	require.False(t, ok)
	require.Equal(t, 1, s.Keepalives())
}

func TestSSHRefusesChannelsThatAreNotSessions(t *testing.T) {
	_, err := dial(t, startSSH(t, SSHConfig{}), "ann").Dial("tcp", "127.0.0.1:1")
	var refused *ssh.OpenChannelError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, ssh.UnknownChannelType, refused.Reason)
}

func TestSSHFrozenAnswersNothingUntilThawed(t *testing.T) {
	s := startSSH(t, SSHConfig{})
	client := dial(t, s, "ann")
	s.Freeze()
	answered := make(chan error, 1)
	go func() {
		_, _, err := client.SendRequest("keepalive@openssh.com", true, nil)
		answered <- err
	}()
	select {
	case err := <-answered:
		t.Fatalf("a frozen server answered: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	s.Thaw()
	require.NoError(t, <-answered)
}

func TestSSHClosesWhileFrozen(t *testing.T) {
	s := startSSH(t, SSHConfig{})
	client := dial(t, s, "ann")
	s.Freeze()
	require.NoError(t, s.Close())
	require.Error(t, client.Wait())
	require.NoError(t, s.Close(), "closing twice")
}

func TestSSHCloseRemovesItsOwnRootAlone(t *testing.T) {
	own, err := StartSSH(SSHConfig{})
	require.NoError(t, err)
	require.DirExists(t, own.Root())
	require.NoError(t, own.Close())
	require.NoDirExists(t, own.Root())

	given := t.TempDir()
	s, err := StartSSH(SSHConfig{Root: given})
	require.NoError(t, err)
	require.Equal(t, given, s.Root())
	require.NoError(t, s.Close())
	_, err = os.Stat(given)
	require.NoError(t, err)
}

func TestSSHRefusesASmallSFTPPacket(t *testing.T) {
	_, err := StartSSH(SSHConfig{SFTPPacket: 1})
	require.ErrorContains(t, err, "SFTPPacket is 1 bytes")
}

func TestSSHServesAPipeInsideABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := NewSSH(SSHConfig{Exec: func(c *Command) int {
			time.Sleep(time.Hour)
			return 7
		}})
		require.NoError(t, err)
		near, far := net.Pipe()
		go s.ServeConn(far)
		conn, channels, requests, err := ssh.NewClientConn(near, "pipe", &ssh.ClientConfig{
			User: "ann", HostKeyCallback: ssh.FixedHostKey(s.HostKey()),
		})
		require.NoError(t, err)
		client := ssh.NewClient(conn, channels, requests)

		session, err := client.NewSession()
		require.NoError(t, err)
		start := time.Now()
		var exit *ssh.ExitError
		require.ErrorAs(t, session.Run("x"), &exit)
		require.Equal(t, 7, exit.ExitStatus())
		require.Equal(t, time.Hour, time.Since(start))

		s.Freeze()
		stop := time.AfterFunc(time.Minute, func() { _ = client.Close() })
		defer stop.Stop()
		_, _, err = client.SendRequest("keepalive@openssh.com", true, nil)
		require.Error(t, err)
		require.Equal(t, time.Hour+time.Minute, time.Since(start))
		require.NoError(t, s.Close())
	})
}
