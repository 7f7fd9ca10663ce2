package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"

	"github.com/hawser/hawser"
)

// A conn leads through a proxy. It has no SetLinger: a reset would reach the proxy,
// and the target an orderly end.
type conn struct {
	net.Conn
	remote net.Addr // the target's

	mu   sync.Mutex // guards rest
	rest []byte     // what came with the proxy's answer, to be read first
}

// RemoteAddr is the target's address, not the proxy's.
func (c *conn) RemoteAddr() net.Addr { return c.remote }

// Read reads what the target sent.
func (c *conn) Read(p []byte) (int, error) {
	if n := c.take(p); n > 0 {
		return n, nil
	}
	return c.Conn.Read(p)
}

func (c *conn) take(p []byte) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n
}

func (c *conn) left() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.rest) > 0
}

// CloseWrite ends what is sent to the target.
func (c *conn) CloseWrite() error {
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok {
		return fmt.Errorf("%w: the way to the proxy cannot be closed in one direction", errors.ErrUnsupported)
	}
	return half.CloseWrite()
}

// TCPConn is the socket that everything from now on goes through as it is, for
// those who have the kernel move the bytes. Nil: there is none.
func (c *conn) TCPConn() *net.TCPConn {
	tcp, ok := c.Conn.(*net.TCPConn)
	if !ok || c.left() {
		return nil
	}
	return tcp
}

// SyscallConn is that of TCPConn.
func (c *conn) SyscallConn() (syscall.RawConn, error) {
	tcp := c.TCPConn()
	if tcp == nil {
		return nil, errors.ErrUnsupported
	}
	return tcp.SyscallConn()
}

// A bindable is a conn through a proxy that can bind.
type bindable struct {
	*conn
	bind func(ctx context.Context) (hawser.Binding, error)
}

var _ hawser.Binder = bindable{}

// Bind opens a port on the proxy for the target; see [hawser.Binder].
func (b bindable) Bind(ctx context.Context) (hawser.Binding, error) { return b.bind(ctx) }
