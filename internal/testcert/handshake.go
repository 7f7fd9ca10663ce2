package testcert

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// Handshake is one over real bytes, in memory. It returns what the client saw
// and the errors of both sides. The client reads to the end, because a server
// of TLS 1.3 judges the client's certificate when the client is done.
func Handshake(t testing.TB, server, client *tls.Config) (seen tls.ConnectionState, clientErr, serverErr error) {
	t.Helper()
	near, far := net.Pipe()
	const patience = 10 * time.Second
	_ = near.SetDeadline(time.Now().Add(patience))
	_ = far.SetDeadline(time.Now().Add(patience))
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
