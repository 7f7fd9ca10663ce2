package hawsertest

import (
	"context"
	"io"
	"net"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A TransportHarness is a Transport and the Connection it is asked to dial for,
// with its Proxy, Via and Hops filled in and secrets resolved, as a Manager does.
// Host and Port are replaced by those of the suite's own servers on the loopback,
// which the proxy or the jump host must be able to reach as 127.0.0.1 and as
// "localhost". Secrets of eight bytes or more are no words of the protocol,
// because errors are searched for them.
type TransportHarness struct {
	Transport  hawser.Transport
	Connection hawser.Connection
	// NoHalfClose says that the proxy ends both directions as soon as either end
	// closes one, as squid, tinyproxy and microsocks do.
	NoHalfClose bool
}

// TestTransport checks a [hawser.Transport] and the connections that it opens:
// bytes, which pass unchanged both ways and at once, from the server's greeting to
// its end; half close, where the connection has CloseWrite; RemoteAddr, which is
// the target's; names and IPv6; deadlines; Close, which unblocks; contexts, which
// bound DialNet alone; targets that nobody listens at, and addresses that are
// refused before anything is sent; errors, which hold no secret, and match
// [hawser.ErrProxy] where the proxy or the jump host cannot be reached; dials at
// once; and that no goroutine is left.
//
// A Connection with neither Proxy nor Via may be dialed with any address and
// network that package net knows, as [hawser.Direct] does. What a Transport keeps
// between dials, such as the session of a jump host, does not count as left.
func TestTransport(t *testing.T, h TransportHarness) {
	t.Helper()
	require.NotNil(t, h.Transport, "the harness has no Transport")
	run(t, transportRules(), func(t *testing.T) *transport { return newTransport(t, h) })
}

func transportRules() []rule[*transport] {
	return slices.Concat(targetRules(), boundDialRules(), byteRules(), endRules(), deadlineRules(), discretionRules())
}

// transport is the subject of the rules.
type transport struct {
	*testing.T
	TransportHarness
	ctx context.Context // of the rule; ends after patience
}

func newTransport(t *testing.T, h TransportHarness) *transport {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return &transport{T: t, TransportHarness: h, ctx: ctx}
}

// direct reports whether there is neither a proxy nor a jump host on the way.
func (s *transport) direct() bool { return s.Connection.Proxy.Type == "" && s.Connection.Via == "" }

// to is the connection to the server of addr. One that is not host:port leaves
// Host and Port as they are.
func (s *transport) to(addr string) hawser.Connection {
	c := s.Connection.Clone()
	host, text, err := net.SplitHostPort(addr)
	port, portErr := strconv.ParseUint(text, 10, 16)
	if err == nil && portErr == nil {
		c.Host, c.Port = host, uint16(port)
	}
	return c
}

// attempt calls DialNet, which must come back within limit, with a connection or
// with an error. The connection is closed with the rule.
func (s *transport) attempt(ctx context.Context, limit time.Duration, c hawser.Connection, network, addr string) (net.Conn, error) {
	s.Helper()
	type result struct {
		conn     net.Conn
		err      error
		panicked any
	}
	got := within(s, limit, "DialNet of "+strconv.Quote(addr), func() (r result) {
		defer func() { r.panicked = recover() }()
		r.conn, r.err = s.Transport.DialNet(ctx, c, network, addr)
		return r
	})
	require.Nil(s, got.panicked, "DialNet of %q made the program panic", addr)
	if got.err != nil {
		require.Nil(s, got.conn, "DialNet of %q returned a connection beside the error %v", addr, got.err)
		return nil, got.err
	}
	require.NotNil(s, got.conn, "DialNet of %q returned neither connection nor error", addr)
	s.closeLater(got.conn)
	return got.conn, nil
}

// dial connects to addr, which must succeed.
func (s *transport) dial(addr string) net.Conn {
	s.Helper()
	conn, err := s.attempt(s.ctx, patience, s.to(addr), "tcp", addr)
	require.NoError(s, err, "DialNet of %q", addr)
	return conn
}

// fails dials addr, which must be refused soon, and returns the error. A first
// dial may take longer, where it opens a jump host.
func (s *transport) fails(ctx context.Context, network, addr string) error {
	s.Helper()
	_, err := s.attempt(ctx, prompt, s.to(addr), network, addr)
	assert.Error(s, err, "DialNet of %q by %s succeeded", addr, network)
	return err
}

// usual is how long a dial of addr, a server that echoes, takes when it is not the
// first one. All that the two dials start, here and at the server, runs by then.
func (s *transport) usual(addr string) (took time.Duration) {
	s.Helper()
	for range 2 {
		start := time.Now()
		conn := s.dial(addr)
		took = time.Since(start)
		s.works(conn, "the echo of "+addr)
	}
	return took
}

// works checks that conn leads to a server that echoes.
func (s *transport) works(conn net.Conn, what string) {
	s.Helper()
	line := []byte("are you there?\n")
	err := within(s, prompt, what, func() error { return converse(conn, line, line) })
	require.NoError(s, err, what)
}

// closeLater closes c with the rule, and does not wait for a Close that hangs:
// other rules tell of that.
func (s *transport) closeLater(c io.Closer) {
	s.Cleanup(func() {
		closed := make(chan struct{})
		go func() { // ends with Close
			defer close(closed)
			_ = c.Close()
		}()
		select {
		case <-closed:
		case <-time.After(prompt):
			s.Logf("Close of the connection: still not back after %v", prompt)
		}
	})
}
