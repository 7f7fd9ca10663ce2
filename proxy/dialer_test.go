package proxy_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	xproxy "golang.org/x/net/proxy"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/proxy"
)

// parse is a URL that a test is sure of.
func parse(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	require.NoError(t, err)
	return u
}

func TestFromURL(t *testing.T) {
	t.Parallel()
	target := serve(t, echo).Addr()
	p := start(t, testserver.ProxyConfig{User: "j@bs", Password: "pass:w/rd"})
	_, port, _ := strings.Cut(p.Addr(), ":")
	for scheme, login := range map[string]string{
		"http": "j%40bs:pass%3Aw%2Frd@", "socks4": "j%40bs@", "socks4a": "j%40bs@", "SOCKS5": "j%40bs:pass%3Aw%2Frd@",
		"socks5h": "j%40bs:pass%3Aw%2Frd@", "socks": "j%40bs:pass%3Aw%2Frd@",
	} {
		d, err := proxy.FromURL(parse(t, scheme+"://"+login+"127.0.0.1:"+port), nil)
		require.NoError(t, err, scheme)
		c, err := d.Dial("tcp", target)
		require.NoError(t, err, scheme)
		works(t, c)
		require.NoError(t, c.Close())
	}
}

func TestFromURLRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "gopher://h:1", "http://", "http://:8080", "http://h:70000", "socks4://u:secret-word@h:1",
		"http://u:secret-word@h:1/path", "http://h:1?secret-word", "http:secret-word",
	} {
		d, err := proxy.FromURL(parse(t, text), nil)
		require.ErrorIs(t, err, hawser.ErrInvalid, text)
		assert.Nil(t, d)
		assert.NotContains(t, err.Error(), "secret-word")
	}
}

// A Dialer without a port means the one that is usual for its type.
func TestDefaultPorts(t *testing.T) {
	t.Parallel()
	for kind, want := range map[hawser.ProxyType]string{
		hawser.ProxyHTTP: "p.example:8080", hawser.ProxyHTTPS: "p.example:443", hawser.ProxySOCKS4: "p.example:1080",
		hawser.ProxySOCKS4A: "p.example:1080", hawser.ProxySOCKS5: "p.example:1080", hawser.ProxySOCKS5H: "p.example:1080",
	} {
		var asked string
		d := &proxy.Dialer{Proxy: hawser.Proxy{Type: kind, Host: "p.example"}, Forward: forward(func(_ context.Context, network, addr string) (net.Conn, error) {
			asked = network + " " + addr
			return nil, os.ErrPermission
		})}
		_, err := d.DialContext(t.Context(), "tcp", "127.0.0.1:22")
		require.ErrorIs(t, err, os.ErrPermission, kind)
		require.ErrorIs(t, err, hawser.ErrProxy, kind)
		assert.Equal(t, proxy.OpDial, failure(t, err).Op)
		assert.Equal(t, "tcp "+want, asked, kind)
	}
}

// A forward is a ContextDialer of one func.
type forward func(ctx context.Context, network, addr string) (net.Conn, error)

func (f forward) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	return f(ctx, network, addr)
}

// The dialers of golang.org/x/net go before and behind those of this package.
func TestDialersOfXNet(t *testing.T) {
	t.Parallel()
	target := serve(t, echo).Addr()
	p := start(t, testserver.ProxyConfig{})
	for _, f := range fronts(t) {
		theirs, err := xproxy.SOCKS5("tcp", p.Addr(), nil, f.dialer())
		require.NoError(t, err)
		c, err := theirs.(xproxy.ContextDialer).DialContext(t.Context(), "tcp", target)
		require.NoError(t, err, "theirs behind %s", f.name)
		works(t, c)
		require.NoError(t, c.Close())

		before, err := xproxy.SOCKS5("tcp", p.Addr(), nil, nil)
		require.NoError(t, err)
		d := f.dialer()
		d.Forward = before.(xproxy.ContextDialer)
		c, err = d.DialContext(t.Context(), "tcp", target)
		require.NoError(t, err, "%s behind theirs", f.name)
		works(t, c)
		assert.Equal(t, target, c.RemoteAddr().String())
		require.NoError(t, c.Close())
	}
	last := p.Requests()[len(p.Requests())-1]
	assert.Equal(t, testserver.ProxySOCKS5, last.Protocol)
}

// Three in a row, of every type in every place, each of which is asked for the next.
func TestThreeInARow(t *testing.T) {
	t.Parallel()
	target := serve(t, echo).Addr()
	all := fronts(t)
	for i := range all {
		first, second, third := all[i], all[(i+3)%len(all)], all[(i+5)%len(all)]
		near, middle, far := first.dialer(), second.dialer(), third.dialer()
		middle.Forward, far.Forward = near, middle
		c, err := far.DialContext(t.Context(), "tcp", target)
		names := first.name + ", " + second.name + ", " + third.name
		require.NoError(t, err, names)
		works(t, c)
		assert.Equal(t, target, c.RemoteAddr().String(), names)
		require.NoError(t, c.Close())
	}
}

// Of proxies in a row, the one that failed is named, with its login refused or not.
func TestTheFailingProxyOfARowIsNamed(t *testing.T) {
	t.Parallel()
	open, closed := start(t, testserver.ProxyConfig{}), start(t, testserver.ProxyConfig{User: user, Password: "another"})
	gone := testserver.ClosedAddr(t)
	for name, row := range map[string]struct {
		near, far hawser.Proxy
		proxy     string
		auth      bool
	}{
		"the first is not there":     {to(hawser.ProxySOCKS5, gone, ""), to(hawser.ProxyHTTP, open.Addr(), ""), "socks5 " + gone, false},
		"the second is not there":    {to(hawser.ProxySOCKS5, open.Addr(), ""), to(hawser.ProxyHTTP, gone, ""), "http " + gone, false},
		"the first refuses a login":  {to(hawser.ProxyHTTP, closed.Addr(), user), to(hawser.ProxySOCKS5, open.Addr(), ""), "http " + closed.Addr(), true},
		"the second refuses a login": {to(hawser.ProxyHTTP, open.Addr(), ""), to(hawser.ProxySOCKS5, closed.Addr(), user), "socks5 " + closed.Addr(), true},
	} {
		d := &proxy.Dialer{Proxy: row.far, Forward: &proxy.Dialer{Proxy: row.near}}
		_, err := d.DialContext(t.Context(), "tcp", "127.0.0.1:9")
		require.ErrorIs(t, err, hawser.ErrProxy, name)
		assert.ErrorContains(t, err, row.proxy, name)
		assert.Equal(t, row.auth, errors.Is(err, hawser.ErrAuth), "%s: %v", name, err)
		assert.Equal(t, !row.auth, failure(t, err).Temporary(), "%s: %v", name, err)
	}
}

// stubborn is a Dialer that knows no context and returns when it is let.
type stubborn struct {
	let  chan struct{}
	conn net.Conn
}

func (s stubborn) Dial(string, string) (net.Conn, error) {
	<-s.let
	return s.conn, nil
}

func TestForwardWithoutAContext(t *testing.T) {
	t.Parallel()
	target := serve(t, echo).Addr()
	for _, f := range fronts(t)[4:] {
		plain := struct{ xproxy.Dialer }{xproxy.Direct} // its DialContext is hidden
		u := &url.URL{Scheme: string(f.proxy.Type), Host: f.addr()}
		switch {
		case !f.proxy.Password.IsZero():
			u.User = url.UserPassword(user, password)
		case f.proxy.User != "":
			u.User = url.User(user)
		}
		d, err := proxy.FromURL(u, plain)
		require.NoError(t, err)
		c, err := d.Dial("tcp", target)
		require.NoError(t, err, f.name)
		works(t, c)
		require.NoError(t, c.Close())
	}
}

// The end of a context is heeded though the forward does not know it, and what that
// brings later is closed. It is not parallel, for it counts goroutines.
func TestForwardThatNeverReturns(t *testing.T) {
	now := goleak.IgnoreCurrent()
	near, far := net.Pipe()
	s := stubborn{let: make(chan struct{}), conn: near}
	d, err := proxy.FromURL(parse(t, "socks5://p.example"), s)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = d.(xproxy.ContextDialer).DialContext(ctx, "tcp", "127.0.0.1:22")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorIs(t, err, hawser.ErrProxy)
	assert.ErrorContains(t, err, "socks5 p.example:1080")
	close(s.let)
	_ = far.SetReadDeadline(time.Now().Add(prompt)) // which fails once it is
	_, err = far.Read(make([]byte, 1))
	require.ErrorContains(t, err, "EOF", "the connection that came too late is closed")
	require.NoError(t, far.Close())
	require.NoError(t, goleak.Find(now))
}

func TestDialerBoundsEachDial(t *testing.T) {
	t.Parallel()
	silent := serve(t, testserver.Silent)
	d := &proxy.Dialer{Proxy: to(hawser.ProxySOCKS5, silent.Addr(), ""), Timeout: 50 * time.Millisecond}
	start := time.Now()
	_, err := d.Dial("tcp", "127.0.0.1:22")
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.ErrorIs(t, err, hawser.ErrProxy)
	assert.ErrorContains(t, err, "proxy socks5 "+silent.Addr()+": connect 127.0.0.1:22: no answer within 50ms")
	assert.Less(t, time.Since(start), prompt)
	assert.True(t, failure(t, err).Temporary())
}

// The Timeout is of the dial, not of the connection.
func TestConnectionsOutliveTheirDial(t *testing.T) {
	t.Parallel()
	target := serve(t, echo).Addr()
	for _, f := range fronts(t) {
		ctx, cancel := context.WithCancel(t.Context())
		d := f.dialer()
		d.Timeout = time.Minute
		c, err := d.DialContext(ctx, "tcp", target)
		require.NoError(t, err, f.name)
		cancel()
		works(t, c)
		require.NoError(t, c.Close())
	}
}

func TestDialerRefusesWhatIsInvalid(t *testing.T) {
	t.Parallel()
	good := hawser.Proxy{Type: hawser.ProxyHTTP, Host: "127.0.0.1"}
	for field, change := range map[string]func(*hawser.Proxy){
		"proxy.type": func(p *hawser.Proxy) { p.Type = "" },
		"proxy.host": func(p *hawser.Proxy) { p.Host = "" },
		"proxy.user": func(p *hawser.Proxy) { p.User = "a:b" },
		"proxy.password": func(p *hawser.Proxy) {
			p.Type, p.User, p.Password = hawser.ProxySOCKS4, "u", hawser.NewSecret("s3cretword")
		},
	} {
		p := good
		change(&p)
		_, err := (&proxy.Dialer{Proxy: p}).DialContext(t.Context(), "tcp", "127.0.0.1:22")
		require.ErrorIs(t, err, hawser.ErrInvalid, field)
		assert.ErrorContains(t, err, field)
		assert.NotContains(t, err.Error(), "s3cretword")
	}
}

// As a Transport, a Dialer is for connections that have no way of their own.
func TestDialerAsATransport(t *testing.T) {
	t.Parallel()
	target := serve(t, echo).Addr()
	at := netip.MustParseAddrPort(target)
	p := start(t, testserver.ProxyConfig{})
	d := &proxy.Dialer{Proxy: to(hawser.ProxyHTTP, p.Addr(), "")}
	c := hawser.Connection{Name: "box", Protocol: hawser.SSH, Host: at.Addr().String(), Port: at.Port()}
	conn, err := d.DialNet(t.Context(), c, "tcp", target)
	require.NoError(t, err)
	works(t, conn)
	require.NoError(t, conn.Close())

	behindJump, behindProxy := c, c
	behindJump.Via, behindProxy.Proxy = "jump", d.Proxy
	for field, c := range map[string]hawser.Connection{"via": behindJump, "proxy.type": behindProxy} {
		_, err := d.DialNet(t.Context(), c, "tcp", target)
		require.ErrorIs(t, err, hawser.ErrInvalid, field)
		assert.ErrorContains(t, err, field+": ")
	}
	assert.Len(t, p.Requests(), 1)
}
