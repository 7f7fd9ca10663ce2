package proxy

import (
	"context"
	"net"
	"net/url"
	"time"

	xproxy "golang.org/x/net/proxy"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/opening"
)

// A Dialer connects through one proxy. It is a ContextDialer of
// golang.org/x/net/proxy, and so the Forward of another one, nearer to the target.
// It is also a hawser.Transport, for programs whose every connection leaves through
// this proxy. It is safe for concurrent use while nobody changes its fields, and
// must not be copied after its first use.
type Dialer struct {
	Proxy    hawser.Proxy         // with a Type and a Host
	Forward  xproxy.ContextDialer // reaches the proxy; nil: this machine's network
	Verifier hawser.Verifier      // of an https proxy's certificate; nil: strict
	// Timeout bounds each dial, without the time that a person takes to judge a
	// certificate. Zero is hawser.DefaultTimeout.
	Timeout time.Duration

	known memory
}

var _ interface {
	xproxy.Dialer
	xproxy.ContextDialer
	hawser.Transport
} = (*Dialer)(nil)

// FromURL returns a [*Dialer] for a URL such as "socks5h://user:secret@proxy:1080",
// whose schemes are the values of hawser.ProxyType. It has the form that
// RegisterDialerType of golang.org/x/net/proxy wants; a forward that knows no
// context is left alone when one ends. Nil is this machine's network.
func FromURL(u *url.URL, forward xproxy.Dialer) (xproxy.Dialer, error) {
	p, err := fromURL(u)
	if err != nil {
		return nil, err
	}
	d := &Dialer{Proxy: p}
	switch forward := forward.(type) {
	case nil:
	case xproxy.ContextDialer:
		d.Forward = forward
	default:
		d.Forward = patient{forward}
	}
	return d, nil
}

// DialContext connects to addr, host:port, through the proxy. network is tcp, tcp4
// or tcp6. ctx bounds the dial alone. Errors are an [*Error], or of a field of Proxy
// that is wrong. The caller closes the result.
func (d *Dialer) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	if err := validate(d.Proxy); err != nil {
		return nil, err
	}
	c := hawser.Connection{Proxy: d.Proxy, Timeout: d.Timeout}
	o := opening.Start(ctx, c)
	defer o.Close()
	return d.way(c, d.forward).connect(o.Context(), network, addr)
}

// validate checks p as the proxy of a connection.
func validate(p hawser.Proxy) error {
	if p.Type == "" {
		return &hawser.FieldError{Field: "proxy.type", Problem: "is empty"}
	}
	c := hawser.Connection{Protocol: hawser.FTP, Host: "target", Proxy: p} // nothing else of it can be wrong
	c.Auth.Anonymous, c.TLS.Mode = true, hawser.TLSNone
	return c.Validate()
}

// Dial is DialContext without a context.
func (d *Dialer) Dial(network, addr string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, addr)
}

// DialNet is DialContext for c, which must have no Proxy and no Via: what they say
// would come after this proxy, so a [Transport] whose Base is this Dialer heeds
// them.
func (d *Dialer) DialNet(ctx context.Context, c hawser.Connection, network, addr string) (net.Conn, error) {
	if c.Proxy.Type != "" {
		return nil, &hawser.FieldError{Field: "proxy.type", Problem: "comes after another proxy; make that the Base of a proxy.Transport"}
	}
	if c.Via != "" {
		return nil, &hawser.FieldError{Field: "via", Problem: "comes after a proxy; make that the Base of an ssh.Jump"}
	}
	if err := validate(d.Proxy); err != nil {
		return nil, err
	}
	c.Proxy = d.Proxy
	return d.way(c, d.forward).connect(ctx, network, addr)
}

func (d *Dialer) way(c hawser.Connection, reach func(context.Context) (net.Conn, error)) *way {
	return &way{c: c, p: d.Proxy, verifier: d.Verifier, known: &d.known, reach: reach}
}

func (d *Dialer) forward(ctx context.Context) (net.Conn, error) {
	if d.Forward != nil {
		return d.Forward.DialContext(ctx, "tcp", address(d.Proxy))
	}
	return new(net.Dialer).DialContext(ctx, "tcp", address(d.Proxy))
}

// patient makes a ContextDialer of a Dialer that knows no context.
type patient struct{ xproxy.Dialer }

// DialContext returns when ctx ends; a connection that comes later is closed.
func (p patient) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	type result struct {
		conn net.Conn
		err  error
	}
	done := make(chan result, 1)
	go func() { // ends with Dial, which nothing else can end
		conn, err := p.Dial(network, addr)
		done <- result{conn, err}
	}()
	select {
	case r := <-done:
		return r.conn, r.err
	case <-ctx.Done():
		go func() { // as above
			if r := <-done; r.err == nil {
				_ = r.conn.Close()
			}
		}()
		return nil, opening.Ended(ctx)
	}
}
