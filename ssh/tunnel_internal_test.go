package ssh

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	xssh "golang.org/x/crypto/ssh"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/bounded"
)

// A deadChannel is one of a connection that has ended.
type deadChannel struct{ xssh.Channel }

func (deadChannel) Read([]byte) (int, error)  { return 0, io.EOF }
func (deadChannel) Write([]byte) (int, error) { return 0, io.EOF }
func (deadChannel) Close() error              { return nil }
func (deadChannel) CloseWrite() error         { return nil }

// A tunnel that opens while its session is being closed is over at once.
func TestTunnelOfAClosedSession(t *testing.T) {
	t.Parallel()
	client, server := net.Pipe()
	defer func() { _ = server.Close() }()
	s := &Session{socket: newSocket(client, nil), ended: make(chan struct{}), shut: make(chan struct{})}
	s.calls = &bounded.Caller{Timeout: time.Second}
	s.end(net.ErrClosed)
	s.calls.Wait()
	requests := make(chan *xssh.Request)
	close(requests)
	tunnel := s.newTunnel(deadChannel{}, requests, "hop", client.RemoteAddr(), func() {})
	require.NoError(t, tunnel.SetReadDeadline(time.Now().Add(10*time.Second)))
	_, err := tunnel.Read(make([]byte, 1))
	assert.ErrorIs(t, err, hawser.ErrLost)
}
