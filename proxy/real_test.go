package proxy_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/proxy"
)

// A witness counts what is written with a login in it.
type witness struct {
	net.Conn
	logins *atomic.Int32
}

func (w witness) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte("Proxy-Authorization: ")) || bytes.Contains(b, []byte(password)) {
		w.logins.Add(1)
	}
	return w.Conn.Write(b)
}

// witnessed is a Dialer through p whose logins are counted.
func witnessed(p hawser.Proxy) (*proxy.Dialer, *atomic.Int32) {
	var logins atomic.Int32
	return &proxy.Dialer{Proxy: p, Forward: forward(func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, addr)
		return witness{c, &logins}, err
	})}, &logins
}

// A realProxy is a real one, by what a test wants to have of it.
type realProxy struct {
	name  string
	start func(testing.TB, testserver.ProxyServerConfig) *testserver.ProxyServer
	auth  string
	kind  hawser.ProxyType
}

func realProxies() []realProxy {
	return []realProxy{
		{"squid with Basic", testserver.Squid, testserver.ProxyBasic, hawser.ProxyHTTP},
		{"squid with Digest", testserver.Squid, testserver.ProxyDigest, hawser.ProxyHTTP},
		{"tinyproxy", testserver.Tinyproxy, testserver.ProxyBasic, hawser.ProxyHTTP},
		{"dante", testserver.Dante, testserver.ProxyPassword, hawser.ProxySOCKS5},
		{"microsocks", testserver.Microsocks, testserver.ProxyPassword, hawser.ProxySOCKS5H},
	}
}

func TestRealProxiesAreSentAWrongPasswordOnce(t *testing.T) {
	t.Parallel()
	for _, x := range realProxies() {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			cfg := testserver.ProxyServerConfig{Auth: x.auth}
			f := frontOf(x.kind, x.start(t, cfg), cfg)
			target := serve(t, echo).Addr()
			works(t, f.dial(t, target))

			f.proxy.Password = hawser.NewSecret(password)
			d, logins := witnessed(f.proxy)
			_, err := d.DialContext(t.Context(), "tcp", target)
			require.ErrorIs(t, err, hawser.ErrProxy)
			require.ErrorIs(t, err, hawser.ErrAuth)
			assert.EqualValues(t, 1, logins.Load())
			assert.ErrorContains(t, err, f.addr())
			assert.False(t, failure(t, err).Temporary())
			noSecret(t, "the error", err)
			t.Log(err)

			f.proxy.User, f.proxy.Password = "", hawser.Secret{}
			_, err = f.dialer().DialContext(t.Context(), "tcp", target)
			require.ErrorIs(t, err, hawser.ErrAuth)
			assert.ErrorContains(t, err, "set proxy.user and proxy.password")
		})
	}
}

// The rules of a proxy are the proxy's fault, and a port that nobody listens at is
// not, where the proxy tells the one from the other.
func TestRealProxiesRefuse(t *testing.T) {
	t.Parallel()
	denied := serve(t, echo)
	for _, row := range []struct {
		name         string
		start        func(testing.TB, testserver.ProxyServerConfig) *testserver.ProxyServer
		kind         hawser.ProxyType
		denied, gone string // the texts; "": it has no rules
		cause        error  // of a closed port; nil: the proxy does not tell
	}{
		{"squid", testserver.Squid, hawser.ProxyHTTP, "403 Forbidden", "(ERR_CONNECT_FAIL 111)", syscall.ECONNREFUSED},
		{"tinyproxy", testserver.Tinyproxy, hawser.ProxyHTTP, "403 ", "500 Unable to connect", nil},
		{"dante by socks5", testserver.Dante, hawser.ProxySOCKS5, "2 connection not allowed by ruleset", "5 connection refused", syscall.ECONNREFUSED},
		{"dante by socks4", testserver.Dante, hawser.ProxySOCKS4, "91 rejected or failed", "91 rejected or failed", nil},
		{"microsocks", testserver.Microsocks, hawser.ProxySOCKS5, "", "5 connection refused", syscall.ECONNREFUSED},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var cfg testserver.ProxyServerConfig
			if row.denied != "" {
				cfg.DenyPorts = []uint16{denied.Port()}
			}
			f := frontOf(row.kind, row.start(t, cfg), cfg)
			if row.denied != "" {
				_, err := f.dialer().DialContext(t.Context(), "tcp", denied.Addr())
				require.ErrorIs(t, err, hawser.ErrProxy)
				assert.ErrorContains(t, err, row.denied)
				assert.ErrorContains(t, err, f.addr()+": connect "+denied.Addr())
				t.Log(err)
			}
			closed := testserver.ClosedAddr(t)
			_, err := f.dialer().DialContext(t.Context(), "tcp", closed)
			assert.ErrorContains(t, err, row.gone)
			assert.ErrorContains(t, err, closed)
			assert.ErrorContains(t, err, f.addr())
			assert.Equal(t, row.cause == nil, errors.Is(err, hawser.ErrProxy), "%v", err)
			assert.True(t, failure(t, err).Temporary(), "%v", err)
			if row.cause != nil {
				assert.ErrorIs(t, err, row.cause)
			}
			t.Log(err)
		})
	}
}

// A name that squid does not know is the target's fault too, though it says no more
// of it than that it knows no way.
func TestSquidKnowsNoSuchName(t *testing.T) {
	t.Parallel()
	squid := testserver.Squid(t, testserver.ProxyServerConfig{})
	_, err := dialled(t, hawser.ProxyHTTP, squid.Addr(), "", "nobody.example:22")
	require.ErrorIs(t, err, syscall.EHOSTUNREACH)
	assert.NotErrorIs(t, err, hawser.ErrProxy)
	assert.ErrorContains(t, err, "nobody.example:22: 500 Internal Server Error (ERR_CANNOT_FORWARD 0)")
}

func TestRealBind(t *testing.T) {
	t.Parallel()
	dante := testserver.Dante(t, testserver.ProxyServerConfig{})
	target := serve(t, echo).Addr()
	for _, kind := range []hawser.ProxyType{hawser.ProxySOCKS4, hawser.ProxySOCKS5} {
		c, err := dialled(t, kind, dante.Addr(), "", target)
		require.NoError(t, err)
		b := bind(t, c)
		server := connectBack(t, b)
		data, err := b.Accept(t.Context())
		require.NoError(t, err, kind)
		assert.Equal(t, server.LocalAddr().String(), data.RemoteAddr().String(), kind)
		_, err = server.Write([]byte("from the server"))
		require.NoError(t, err)
		hear(t, data, "from the server")
		require.NoError(t, data.Close())
	}
	microsocks := testserver.Microsocks(t, testserver.ProxyServerConfig{})
	c, err := dialled(t, hawser.ProxySOCKS5, microsocks.Addr(), "", target)
	require.NoError(t, err)
	_, err = c.(hawser.Binder).Bind(t.Context())
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.ErrorIs(t, err, hawser.ErrProxy)
}
