package testserver

import (
	"net"
	"testing"
)

// ClosedAddr returns an address of the loopback at which nobody listens, and nobody can until the test ends: its port is
// that of a connection's end. A port that was free a moment ago may be another server's by now.
func ClosedAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	held, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = held.Close() })
	other, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Close() })
	return held.LocalAddr().String()
}
