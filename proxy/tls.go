package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/opening"
	"github.com/hawser/hawser/internal/tlsconf"
)

// A secured is a TLS connection to a proxy. While it is open, others of the same
// hawser.Connection to that proxy need no new judgement.
type secured struct {
	net.Conn
	release func() // called once
	closed  atomic.Bool
}

// Read tells the end that Close makes from one that the target made: proxies answer
// the end of TLS before the socket is closed.
func (s *secured) Read(p []byte) (int, error) {
	n, err := s.Conn.Read(p)
	if err == io.EOF && s.closed.Load() {
		err = net.ErrClosed
	}
	return n, err
}

// Close closes the connection.
func (s *secured) Close() error {
	s.closed.Store(true)
	s.release()
	return s.Conn.Close()
}

// CloseWrite ends what is sent.
func (s *secured) CloseWrite() error { return s.Conn.(interface{ CloseWrite() error }).CloseWrite() }

// shake makes conn a TLS connection to the proxy, or closes it. The certificate is
// judged as that of any server, but by itself: nothing of c.TLS applies to it.
func (w *way) shake(ctx context.Context, conn net.Conn) (net.Conn, error) {
	client, release, err := w.known.judge(w)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	start := time.Now()
	t, err := client.Handshake(ctx, conn)
	const patience = time.Second
	if errors.Is(err, hawser.ErrLost) && time.Since(start) > patience && !opening.IsOver(ctx) {
		// The proxy may not have waited for the person who judged it. The answer is
		// known now.
		if conn, err = w.reach(ctx); err == nil {
			t, err = client.Handshake(ctx, conn)
		}
	}
	if err != nil {
		release()
		return nil, err
	}
	return &secured{Conn: t, release: release}, nil
}

// A meeting is of a hawser.Connection, by its name, with an https proxy.
type meeting struct{ connection, before, proxy string }

// A judge is what knows whether a proxy's certificate was accepted, for as long as
// somebody uses it.
type judge struct {
	client *tlsconf.Client
	uses   int
}

// judge returns what shakes hands for w. The caller releases it.
func (m *memory) judge(w *way) (client *tlsconf.Client, release func(), err error) {
	key := meeting{w.c.Name, w.before(), w.String()}
	m.mu.Lock()
	defer m.mu.Unlock()
	j := m.judges[key]
	if j == nil {
		client, err := tlsconf.New(w.c, tlsconf.Options{Addr: address(w.p), Verifier: w.verifier, Proxy: true})
		if err != nil {
			return nil, nil, err
		}
		if m.judges == nil {
			m.judges = map[meeting]*judge{}
		}
		j = &judge{client: client}
		m.judges[key] = j
	}
	j.uses++
	return j.client, sync.OnceFunc(func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if j.uses--; j.uses == 0 {
			delete(m.judges, key)
		}
	}), nil
}
