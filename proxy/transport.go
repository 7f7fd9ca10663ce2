package proxy

import (
	"context"
	"net"
	"time"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/opening"
)

// A Transport reaches the servers of connections through their Proxy. Its zero
// value works. It is safe for concurrent use while nobody changes its fields, and
// must not be copied after its first use.
//
// What DialNet returns for a SOCKS proxy is a hawser.Binder.
type Transport struct {
	// Base reaches the proxies, and the servers of connections that have none. It is
	// given the Connection without its Proxy, so that a Jump below reaches the proxy
	// through the jump host. Nil is hawser.Direct.
	Base hawser.Transport
	// Verifier judges the certificates of https proxies. Nil is strict.
	Verifier hawser.Verifier
	// Default chooses the proxy of a connection that has neither a Proxy nor a Via;
	// the zero Proxy is none. It is asked about the server, host:port of c, also for
	// the data connections of ftp, which take the same way. Nil is none for all.
	// [FromEnvironment] returns one.
	Default func(c hawser.Connection, addr string) (hawser.Proxy, error)

	known memory
}

var _ hawser.Transport = (*Transport)(nil)

// DialNet connects to addr through the proxy of c. network is tcp, tcp4 or tcp6.
// Errors of the proxy are an [*Error]. It reports the proxy as a step of the
// opening; ctx and result are as in [hawser.Transport].
func (t *Transport) DialNet(ctx context.Context, c hawser.Connection, network, addr string) (net.Conn, error) {
	base := t.Base
	if base == nil {
		base = hawser.Direct{}
	}
	p, err := t.choose(c, addr)
	if err != nil {
		return nil, err
	}
	if p.Type == "" {
		return base.DialNet(ctx, c, network, addr)
	}
	before := c
	before.Proxy = hawser.Proxy{}
	c.Proxy = p
	w := &way{
		c: c, p: p, verifier: t.Verifier, known: &t.known,
		reach: func(ctx context.Context) (net.Conn, error) {
			return base.DialNet(ctx, before, "tcp", address(p))
		},
	}
	start := time.Now()
	conn, err := w.connect(ctx, network, addr)
	if err != nil {
		return nil, err // which whoever opens the connection reports
	}
	opening.Report(ctx, c.Name, hawser.Step{Phase: hawser.PhaseProxy, Took: time.Since(start), Detail: w.String()})
	return conn, nil
}

// choose returns the proxy of c, whose Type is empty for none.
func (t *Transport) choose(c hawser.Connection, addr string) (hawser.Proxy, error) {
	if c.Proxy.Type != "" || c.Via != "" || t.Default == nil {
		return c.Proxy, nil
	}
	if c.Host != "" {
		addr = c.Addr()
	}
	p, err := t.Default(c, addr)
	if err == nil && p.Type != "" {
		err = validate(p)
	}
	return p, err
}
