package hawsertest

import (
	"errors"
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/require"
)

// listen returns a listener on the loopback, closed with the rule.
func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// unusedAddr is an address at which nobody listens.
func unusedAddr(t testing.TB) string {
	t.Helper()
	l := listen(t)
	require.NoError(t, l.Close())
	return l.Addr().String()
}

// local is Good, but at addr of this machine.
func (d *dialer) local(addr string) hawser.Connection {
	d.Helper()
	if d.Good.Proxy.Type != "" || d.Good.Via != "" {
		d.Skip("skipped: the connection has a proxy or a jump host, which may not reach this machine")
	}
	host, port, err := net.SplitHostPort(addr)
	require.NoError(d, err)
	number, err := strconv.ParseUint(port, 10, 16)
	require.NoError(d, err)
	c := d.Good.Clone()
	if encrypted(c) && c.Protocol != hawser.SSH && c.Protocol != hawser.SFTP && c.TLS.ServerName == "" {
		c.TLS.ServerName = c.Host
	}
	c.Host, c.Port = host, uint16(number)
	return c
}

// relayed logs in through a relay to the harness's server, or skips the rule.
func (d *dialer) relayed(timeout time.Duration) (*relay, hawser.Session) {
	d.Helper()
	r := newRelay(d, d.Good.Addr())
	c := d.local(r.listener.Addr().String())
	c.Timeout = timeout
	s, err := d.Dialer.Dial(d.ctx, c)
	if errors.Is(err, hawser.ErrUntrusted) {
		d.Skipf("skipped: the Dialer does not trust the server at another address: %v", err)
	}
	require.NoError(d, err, "Dial through a relay on this machine")
	d.closeLater(s)
	return r, s
}

// A relay passes bytes on to a server, until it falls silent or is cut.
type relay struct {
	listener net.Listener
	target   string
	silent   atomic.Bool
	running  sync.WaitGroup

	mu     sync.Mutex // guards all below
	conns  []net.Conn
	closed bool
}

// newRelay starts a relay that is closed with the rule.
func newRelay(t testing.TB, target string) *relay {
	t.Helper()
	r := &relay{listener: listen(t), target: target}
	r.running.Go(r.accept)
	t.Cleanup(func() {
		_ = r.listener.Close()
		r.cut()
		r.running.Wait()
	})
	return r
}

// silence drops what the server says from now on.
func (r *relay) silence() { r.silent.Store(true) }

// cut closes every connection, also those to come.
func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	for _, conn := range r.conns {
		_ = conn.Close()
	}
}

// accept runs until the listener is closed.
func (r *relay) accept() {
	for {
		client, err := r.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", r.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		r.keep(client, server)
		r.running.Go(func() { pass(server, client) })
		r.running.Go(func() { pass(quiet{client, &r.silent}, server) })
	}
}

func (r *relay) keep(conns ...net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.conns = append(r.conns, conns...)
	if !r.closed {
		return
	}
	for _, conn := range conns {
		_ = conn.Close()
	}
}

// pass copies until either end is closed, and closes both.
func pass(to io.WriteCloser, from net.Conn) {
	_, _ = io.Copy(to, from)
	_ = to.Close()
	_ = from.Close()
}

// quiet drops what is written while silent is set.
type quiet struct {
	net.Conn
	silent *atomic.Bool
}

func (q quiet) Write(p []byte) (int, error) {
	if q.silent.Load() {
		return len(p), nil
	}
	return q.Conn.Write(p)
}
