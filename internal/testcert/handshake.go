package testcert

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Handshake is one over the loopback. It returns what the client saw and the
// errors of both sides. The client reads to the end, because a server of TLS 1.3
// judges the client's certificate when the client is done.
func Handshake(t testing.TB, server, client *tls.Config) (seen tls.ConnectionState, clientErr, serverErr error) {
	t.Helper()
	near, far := connect(t)
	ended := make(chan error, 1)
	go func() { // ends with the handshake, which the deadline bounds
		conn := tls.Server(far, server)
		err := conn.Handshake()
		_ = conn.Close()
		ended <- err
	}()
	conn := tls.Client(near, client)
	if clientErr = conn.Handshake(); clientErr == nil {
		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			clientErr = err
		}
	}
	_ = near.Close() // so that the server does not wait for what will not come
	serverErr = <-ended
	return conn.ConnectionState(), clientErr, serverErr
}

// connect returns both ends of a connection. Not of net.Pipe: there one side's
// alert waits for the rest of the other's flight, which waits for a reader.
func connect(t testing.TB) (near, far net.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	near, err = net.Dial("tcp", listener.Addr().String())
	require.NoError(t, err)
	far, err = listener.Accept()
	require.NoError(t, err)
	const patience = 10 * time.Second
	_ = near.SetDeadline(time.Now().Add(patience))
	_ = far.SetDeadline(time.Now().Add(patience))
	return near, far
}
