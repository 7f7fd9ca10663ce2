package hawsertest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// A target is a server of the suite, at 127.0.0.1, and at ::1 where the machine
// has that, because "localhost" may be either.
type target struct {
	addr, name, six string // host:port by IPv4, by name and by IPv6
	serve           func(p peer)
	running         sync.WaitGroup
	over            chan struct{} // closed when the server stops

	mu       sync.Mutex // guards all below
	conns    []net.Conn
	accepted int
}

// A peer is the server's end of a connection, which is closed when the func that
// serves it returns.
type peer struct {
	*net.TCPConn
	over <-chan struct{} // closed when the server stops
}

// target starts a server that lasts as long as the rule. serve runs for each of
// its connections at once.
func (s *transport) target(serve func(p peer)) *target {
	s.Helper()
	listeners := loopback(s)
	_, port, err := net.SplitHostPort(listeners[0].Addr().String())
	require.NoError(s, err)
	t := &target{
		addr: net.JoinHostPort("127.0.0.1", port), name: net.JoinHostPort("localhost", port), six: net.JoinHostPort("::1", port),
		serve: serve, over: make(chan struct{}),
	}
	for _, l := range listeners {
		t.running.Go(func() { t.accept(l) }) // ends with l
	}
	s.Cleanup(func() {
		close(t.over)
		for _, l := range listeners {
			_ = l.Close()
		}
		t.cut()
		t.running.Wait()
	})
	return t
}

// loopback returns a listener at each loopback address that there is, all of them
// at one port.
func loopback(t testing.TB) []net.Listener {
	t.Helper()
	var err error
	for range 20 { // the port of the first may be taken at the second address
		six, none := net.Listen("tcp6", "[::1]:0")
		if none != nil {
			four := must(net.Listen("tcp4", "127.0.0.1:0"))(t, "listen")
			return []net.Listener{four}
		}
		var four net.Listener
		if four, err = net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", six.Addr().(*net.TCPAddr).Port)); err == nil {
			return []net.Listener{four, six}
		}
		_ = six.Close()
	}
	require.NoError(t, err, "no port is free at both loopback addresses")
	return nil
}

// accept runs until l is closed.
func (t *target) accept(l net.Listener) {
	for conn, err := l.Accept(); err == nil; conn, err = l.Accept() {
		t.keep(conn)
		t.running.Go(func() { // ends with the connection or the server
			defer conn.Close()
			t.serve(peer{conn.(*net.TCPConn), t.over})
		})
	}
}

func (t *target) keep(conn net.Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.accepted++
	t.conns = append(t.conns, conn)
	select {
	case <-t.over:
		_ = conn.Close()
	default:
	}
}

// cut closes every connection.
func (t *target) cut() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, conn := range t.conns {
		_ = conn.Close()
	}
}

// count is how many connections have come in.
func (t *target) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.accepted
}

// echo sends back what comes in.
func echo(p peer) { _, _ = io.Copy(p, p) }

// deaf reads nothing.
func deaf(p peer) { <-p.over }

// converse sends out and receives in, both at once.
func converse(conn net.Conn, out, in []byte) error {
	var sending sync.WaitGroup
	var sendErr error
	sending.Go(func() { _, sendErr = conn.Write(out) })
	got := make([]byte, len(in))
	n, err := io.ReadFull(conn, got)
	sending.Wait()
	if err == nil {
		err = unequal(got[:n], in)
	}
	return errors.Join(sendErr, err)
}

// unequal says where got is not want.
func unequal(got, want []byte) error {
	if bytes.Equal(got, want) {
		return nil
	}
	at := 0
	for at < min(len(got), len(want)) && got[at] == want[at] {
		at++
	}
	return fmt.Errorf("%d bytes arrived where %d were sent; the first that differs is byte %d", len(got), len(want), at)
}

// noise returns size bytes, which differ by seed.
func noise(seed byte, size int) []byte {
	b := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(b) // never fails
	return b
}
