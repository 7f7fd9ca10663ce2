package testserver

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
)

// echoAfterEOF reads all, and only then says it back.
func echoAfterEOF(_ context.Context, c net.Conn) {
	all, err := io.ReadAll(c)
	if err == nil {
		_, _ = c.Write(all)
	}
}

// holdOpen says hello and reads until its ctx ends, whatever the peer does.
func holdOpen(ctx context.Context, c net.Conn) {
	_, _ = io.WriteString(c, "hello\n")
	<-ctx.Done()
}

// forwardTo maps every address to addr.
func forwardTo(addr string) func(string) (string, error) {
	return func(string) (string, error) { return addr, nil }
}

func TestSSHForwardsToTheAddressThatForwardReturns(t *testing.T) {
	target := startTCP(t, echoAfterEOF)
	asked := make(chan string, 1)
	s := startSSH(t, SSHConfig{Forward: func(addr string) (string, error) {
		asked <- addr
		return target.Addr(), nil
	}})
	c, err := dial(t, s, "ann").Dial("tcp", "server.example:2525")
	require.NoError(t, err)
	require.Equal(t, "server.example:2525", <-asked)
	require.Equal(t, 1, s.Tunnels())

	half, ok := c.(halfConn)
	require.True(t, ok)
	_, err = io.WriteString(half, "to the end")
	require.NoError(t, err)
	require.NoError(t, half.CloseWrite())
	got, err := io.ReadAll(half)
	require.NoError(t, err)
	require.Equal(t, "to the end", string(got))
	_ = c.Close() // The server may have closed it already.
	require.Eventually(t, func() bool { return s.Tunnels() == 0 && target.Open() == 0 }, patience, poll)
}

func TestSSHForwardDeliversWhatCameBeforeTheClose(t *testing.T) {
	got := make(chan int, 1)
	target := startTCP(t, func(_ context.Context, c net.Conn) {
		all, _ := io.ReadAll(c)
		got <- len(all)
	})
	s := startSSH(t, SSHConfig{Forward: forwardTo(target.Addr())})
	c, err := dial(t, s, "ann").Dial("tcp", "a.example:1")
	require.NoError(t, err)
	const size = 1 << 20
	_, err = c.Write(make([]byte, size))
	require.NoError(t, err)
	require.NoError(t, c.Close())
	require.Equal(t, size, <-got)
}

func TestSSHForwardEndsWithTheChannelThoughTheTargetHoldsOn(t *testing.T) {
	target := startTCP(t, holdOpen)
	s := startSSH(t, SSHConfig{Forward: forwardTo(target.Addr())})
	c, err := dial(t, s, "ann").Dial("tcp", "a.example:1")
	require.NoError(t, err)
	hello := make([]byte, 6)
	_, err = io.ReadFull(c, hello)
	require.NoError(t, err)
	require.NoError(t, c.Close())
	require.Eventually(t, func() bool { return s.Tunnels() == 0 }, patience, poll)
}

func TestSSHForwardEndsTheChannelWhenTheTargetIsCut(t *testing.T) {
	target := startTCP(t, holdOpen)
	s := startSSH(t, SSHConfig{Forward: forwardTo(target.Addr())})
	c, err := dial(t, s, "ann").Dial("tcp", "a.example:1")
	require.NoError(t, err)
	_, err = io.ReadFull(c, make([]byte, 6))
	require.NoError(t, err)
	target.Drop()
	_, err = c.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
}

func TestSSHCloseEndsTunnels(t *testing.T) {
	target := startTCP(t, holdOpen)
	s := startSSH(t, SSHConfig{Forward: forwardTo(target.Addr())})
	client := dial(t, s, "ann")
	for range 3 {
		_, err := client.Dial("tcp", "a.example:1")
		require.NoError(t, err)
	}
	require.Equal(t, 3, s.Tunnels())
	require.NoError(t, s.Close())
	require.Zero(t, s.Tunnels())
	require.Error(t, client.Wait())
}

func TestSSHForwardRefuses(t *testing.T) {
	for name, row := range map[string]struct {
		forward func(string) (string, error)
		reason  ssh.RejectionReason
		text    string
	}{
		"what it does not serve without Forward": {nil, ssh.UnknownChannelType, "only sessions are served"},
		"what Forward does not allow": {
			func(string) (string, error) { return "", errors.New("open failed") }, ssh.Prohibited, "open failed",
		},
		"a port that is closed": {forwardTo(ClosedAddr(t)), ssh.ConnectionFailed, "Connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			s := startSSH(t, SSHConfig{Forward: row.forward})
			_, err := dial(t, s, "ann").Dial("tcp", "a.example:1")
			var refused *ssh.OpenChannelError
			require.ErrorAs(t, err, &refused)
			require.Equal(t, row.reason, refused.Reason)
			require.Equal(t, row.text, refused.Message)
			require.Zero(t, s.Tunnels())
		})
	}
}
