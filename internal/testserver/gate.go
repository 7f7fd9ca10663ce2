package testserver

import (
	"net"
	"sync"
)

// gate stops the bytes of any number of connections without closing them, as a stopped process or a dead link does.
type gate struct {
	mu   sync.Mutex // guards open
	open chan struct{}
}

func newGate() *gate {
	g := &gate{open: make(chan struct{})}
	close(g.open)
	return g
}

func (g *gate) freeze() {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-g.open:
		g.open = make(chan struct{})
	default:
	}
}

func (g *gate) thaw() {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-g.open:
	default:
		close(g.open)
	}
}

// wait blocks while the gate is shut, and returns [net.ErrClosed] if done is closed meanwhile.
func (g *gate) wait(done <-chan struct{}) error {
	g.mu.Lock()
	open := g.open
	g.mu.Unlock()
	select {
	case <-open:
		return nil
	default:
	}
	select {
	case <-open:
		return nil
	case <-done:
		return net.ErrClosed
	}
}

// gatedConn passes bytes while its gate is open.
type gatedConn struct {
	net.Conn
	gate *gate
	done chan struct{}
	once sync.Once
}

func (g *gate) wrap(c net.Conn) *gatedConn {
	return &gatedConn{Conn: c, gate: g, done: make(chan struct{})}
}

// Read checks the gate after reading: a Read that was waiting when the gate shut must not let its bytes through.
func (c *gatedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err != nil {
		return n, err
	}
	if err := c.gate.wait(c.done); err != nil {
		return 0, err
	}
	return n, nil
}

func (c *gatedConn) Write(b []byte) (int, error) {
	if err := c.gate.wait(c.done); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

func (c *gatedConn) Close() error {
	c.once.Do(func() { close(c.done) })
	return c.Conn.Close()
}

// CloseWrite ends the stream in one direction where the connection can, and closes it where it cannot.
func (c *gatedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Close()
}

// reset makes the later Close of a TCP connection a reset.
func (c *gatedConn) reset() { resetOnClose(c.Conn) }

// resetOnClose makes the later Close of a TCP connection drop what was not sent yet, and reset the peer.
func resetOnClose(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
}
