package hawser

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// A Transport opens the byte streams that drivers speak over: each control
// connection and each ftp data connection. Package proxy and ssh.Jump are
// Transports. A nil Transport in a driver means [Direct]. Implementations are
// safe for concurrent use.
type Transport interface {
	// DialNet connects to addr, host:port of the target, for c. ctx bounds
	// DialNet alone. addr is always the target's, and so is RemoteAddr of the
	// result, even through a proxy. Errors match ErrProxy when the proxy or the
	// jump host, not the target, failed. The caller closes the result, which is
	// a [Binder] where the server can connect back the same way.
	DialNet(ctx context.Context, c Connection, network, addr string) (net.Conn, error)
}

// A Binder is a connection through a proxy that can have the server connect back,
// as active ftp needs it. It is an ability of what DialNet returns, and is safe for
// concurrent use.
type Binder interface {
	// Bind opens a port on the proxy, at which the peer of this connection may
	// connect once. ctx bounds Bind alone. Errors match ErrProxy, and
	// errors.ErrUnsupported where the proxy has no such ports. The caller closes
	// the Binding.
	Bind(ctx context.Context) (Binding, error)
}

// A Binding is a port that waits for one connection.
type Binding interface {
	// Addr is where the server is to connect to. Its address is unspecified where
	// the proxy does not tell which it has.
	Addr() netip.AddrPort
	// Accept waits for the connection, whose RemoteAddr is where it comes from.
	// It is called once. The caller closes the connection, with which the
	// Binding is closed too.
	Accept(ctx context.Context) (net.Conn, error)
	// Close gives up the port, and ends an Accept. Later calls do nothing.
	Close() error
}

// Direct is the Transport of this machine's own network. It refuses a
// Connection that has a Proxy or a Via, because going around them unasked
// would show traffic to networks that must not see it; a Transport that has
// dealt with them clears those fields before it calls Direct.
type Direct struct{}

var _ Transport = Direct{}

// DialNet resolves the host of addr and connects to it, to its IPv6 and IPv4
// addresses as RFC 8305 says.
func (Direct) DialNet(ctx context.Context, c Connection, network, addr string) (net.Conn, error) {
	if c.Proxy.Type != "" {
		return nil, &FieldError{Field: "proxy.type", Problem: "this program was built without a transport for proxies"}
	}
	if c.Via != "" {
		return nil, &FieldError{Field: "via", Problem: "this program was built without a transport for jump hosts"}
	}
	d := net.Dialer{ControlContext: resolveStep(ctx, c)}
	conn, err := d.DialContext(ctx, network, addr)
	if deadline, ok := ctx.Deadline(); err != nil && ok && !time.Now().Before(deadline) {
		// Package net looks at the deadline by itself, and calls it a timeout.
		return nil, &net.OpError{Op: "dial", Net: network, Err: context.DeadlineExceeded}
	}
	return conn, err
}

// resolveStep returns a hook of net.Dialer that reports the end of name
// resolution: it is called first when a socket for the first address is made.
func resolveStep(ctx context.Context, c Connection) func(context.Context, string, string, syscall.RawConn) error {
	if len(ContextTraces(ctx)) == 0 {
		return nil
	}
	var once sync.Once
	start := time.Now()
	return func(_ context.Context, _, address string, _ syscall.RawConn) error {
		once.Do(func() {
			reportStep(ctx, c.Name, Step{Phase: PhaseResolve, Took: time.Since(start), Detail: address})
		})
		return nil
	}
}
