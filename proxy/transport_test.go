package proxy_test

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/hawsertest"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/proxy"
)

func TestTransport(t *testing.T) {
	for _, f := range fronts(t) {
		t.Run(f.name, f.conforms)
	}
	t.Run("socks5h behind http", func(t *testing.T) {
		all := fronts(t)
		first, last := all[0], all[7]
		c := hawser.Connection{Name: "box", Protocol: hawser.SSH, Proxy: last.proxy}
		hawsertest.TestTransport(t, hawsertest.TransportHarness{Transport: &proxy.Transport{Base: first.dialer()}, Connection: c})
	})
}

func TestTransportThroughRealProxies(t *testing.T) {
	type configs = testserver.ProxyServerConfig
	for _, row := range []struct {
		name        string
		start       func(testing.TB, configs) *testserver.ProxyServer
		cfg         configs
		kind        hawser.ProxyType
		noHalfClose bool
	}{
		{"squid", testserver.Squid, configs{}, hawser.ProxyHTTP, true},
		{"squid with Basic", testserver.Squid, configs{Auth: testserver.ProxyBasic}, hawser.ProxyHTTP, true},
		{"squid with Digest", testserver.Squid, configs{Auth: testserver.ProxyDigest}, hawser.ProxyHTTP, true},
		{"squid over TLS", testserver.Squid, configs{Auth: testserver.ProxyBasic, TLS: true}, hawser.ProxyHTTPS, true},
		{"tinyproxy with Basic", testserver.Tinyproxy, configs{Auth: testserver.ProxyBasic}, hawser.ProxyHTTP, true},
		{"microsocks with a login", testserver.Microsocks, configs{Auth: testserver.ProxyPassword}, hawser.ProxySOCKS5H, true},
		{"dante by socks4", testserver.Dante, configs{}, hawser.ProxySOCKS4, false},
		{"dante by socks5", testserver.Dante, configs{}, hawser.ProxySOCKS5, false},
		{"dante by socks5h with a login", testserver.Dante, configs{Auth: testserver.ProxyPassword}, hawser.ProxySOCKS5H, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := frontOf(row.kind, row.start(t, row.cfg), row.cfg)
			f.noHalfClose = row.noHalfClose
			f.conforms(t)
		})
	}
}

// frontOf is the front of a real proxy.
func frontOf(kind hawser.ProxyType, s *testserver.ProxyServer, cfg testserver.ProxyServerConfig) front {
	f := front{name: string(kind), proxy: hawser.Proxy{Type: kind, Host: s.Host, Port: s.Port}}
	if kind == hawser.ProxyHTTPS {
		f.proxy.Port, f.verifier = s.TLSPort, trusted{s.Identity}
	}
	if cfg.Auth != "" {
		f.proxy.User, f.proxy.Password = s.User, hawser.NewSecret(s.Password)
	}
	return f
}

// conforms runs the suite. Rules count goroutines, so none runs beside another test.
func (f front) conforms(t *testing.T) {
	c := hawser.Connection{Name: "box", Protocol: hawser.SSH, Proxy: f.proxy}
	hawsertest.TestTransport(t, hawsertest.TransportHarness{Transport: f.transport(), Connection: c, NoHalfClose: f.noHalfClose})
}

// A lingering connection closes when it is allowed to.
type lingering struct {
	net.Conn
	until <-chan struct{}
}

func (l lingering) Close() error {
	select {
	case <-l.until:
	case <-time.After(prompt):
	}
	return l.Conn.Close()
}

// What Close makes of a Read that waits is no end of the target, also where the proxy
// answers the end of TLS before the socket is closed, as squid may.
func TestCloseIsNoEndOfTheTarget(t *testing.T) {
	t.Parallel()
	secure := fronts(t)[3]
	require.Equal(t, hawser.ProxyHTTPS, secure.proxy.Type)
	ended := make(chan struct{})
	d := secure.dialer()
	d.Forward = forward(func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, addr)
		return lingering{c, ended}, err
	})
	c, err := d.DialContext(t.Context(), "tcp", serve(t, echo).Addr())
	require.NoError(t, err)
	works(t, c)
	var readErr error
	go func() { // ends with c
		defer close(ended)
		_, readErr = c.Read(make([]byte, 1))
	}()
	_ = c.Close()
	<-ended
	require.ErrorIs(t, readErr, net.ErrClosed)
	require.NotErrorIs(t, readErr, io.EOF)
}
