package proxy_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/proxy"
)

const (
	user     = "jobs"
	password = "open-sesame-24"
	behind   = "behind.example" // a name of 127.0.0.1 that the proxies alone know
)

// prompt bounds what should take no time, on a busy machine.
const prompt = 2 * time.Second

// A front is a proxy, and what judges it if it is an https one.
type front struct {
	name        string
	proxy       hawser.Proxy
	verifier    hawser.Verifier
	noHalfClose bool
}

func (f front) transport() *proxy.Transport { return &proxy.Transport{Verifier: f.verifier} }

func (f front) dialer() *proxy.Dialer { return &proxy.Dialer{Proxy: f.proxy, Verifier: f.verifier} }

// resolves reports whether the proxy is told names.
func (f front) resolves() bool {
	return f.proxy.Type != hawser.ProxySOCKS4 && f.proxy.Type != hawser.ProxySOCKS5
}

// socks reports whether the proxy is one of SOCKS.
func (f front) socks() bool {
	return f.proxy.Type != hawser.ProxyHTTP && f.proxy.Type != hawser.ProxyHTTPS
}

// at is f in front of which something else listens.
func (f front) at(addr string) front {
	at := netip.MustParseAddrPort(addr)
	f.proxy.Host, f.proxy.Port = at.Addr().String(), at.Port()
	return f
}

// addr is host:port of the proxy.
func (f front) addr() string {
	return netip.AddrPortFrom(netip.MustParseAddr(f.proxy.Host), f.proxy.Port).String()
}

// dial connects to addr for the length of the test.
func (f front) dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := f.dialer().DialContext(t.Context(), "tcp", addr)
	require.NoError(t, err, f.name)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// A trusted proxy is one that presents the certificate of Identity.
type trusted struct{ *testserver.Identity }

// Verify refuses everybody else.
func (x trusted) Verify(_ context.Context, _ hawser.Connection, p hawser.Peer) error {
	if !p.Proxy || p.TLS == nil || !bytes.Equal(p.TLS.PeerCertificates[0].Raw, x.Certificate.Certificate[0]) {
		return hawser.ErrUntrusted
	}
	return nil
}

// start starts a proxy in this process for the length of the test.
func start(t testing.TB, cfg testserver.ProxyConfig) *testserver.Proxy {
	t.Helper()
	if cfg.Hosts == nil {
		cfg.Hosts = map[string]string{behind: "127.0.0.1"}
	}
	p, err := testserver.StartProxy(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// to is the proxy of a kind at addr, with the login unless user is empty.
func to(kind hawser.ProxyType, addr, user string) hawser.Proxy {
	at := netip.MustParseAddrPort(addr)
	p := hawser.Proxy{Type: kind, Host: at.Addr().String(), Port: at.Port(), User: user}
	if user != "" && kind != hawser.ProxySOCKS4 && kind != hawser.ProxySOCKS4A {
		p.Password = hawser.NewSecret(password)
	}
	return p
}

// fronts are proxies in this process of every type, with and without a login.
func fronts(t testing.TB) []front {
	t.Helper()
	id, err := testserver.NewIdentity()
	require.NoError(t, err)
	open := start(t, testserver.ProxyConfig{}).Addr()
	closed := start(t, testserver.ProxyConfig{User: user, Password: password}).Addr()
	digest := start(t, testserver.ProxyConfig{User: user, Password: password, Schemes: []string{"Digest SHA-256", "Basic"}}).Addr()
	secure := start(t, testserver.ProxyConfig{User: user, Password: password, Identity: id}).Addr()
	return []front{
		{name: "http", proxy: to(hawser.ProxyHTTP, open, "")},
		{name: "http with Basic", proxy: to(hawser.ProxyHTTP, closed, user)},
		{name: "http with Digest", proxy: to(hawser.ProxyHTTP, digest, user)},
		{name: "https with Basic", proxy: to(hawser.ProxyHTTPS, secure, user), verifier: trusted{id}},
		{name: "socks4", proxy: to(hawser.ProxySOCKS4, open, "")},
		{name: "socks4a with a user", proxy: to(hawser.ProxySOCKS4A, closed, user)},
		{name: "socks5", proxy: to(hawser.ProxySOCKS5, open, "")},
		{name: "socks5h with a login", proxy: to(hawser.ProxySOCKS5H, closed, user)},
	}
}

// serve starts a TCP server for the length of the test.
func serve(t testing.TB, handle testserver.Handler) *testserver.TCP {
	t.Helper()
	s, err := testserver.StartTCP(handle)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// echo sends back what comes in, and the end after it.
func echo(_ context.Context, c net.Conn) { _, _ = io.Copy(c, c) }

// name is addr with the host that the proxies alone know.
func name(t testing.TB, addr string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	return net.JoinHostPort(behind, port)
}

// works checks that c leads to an echo.
func works(t testing.TB, c net.Conn) {
	t.Helper()
	require.NoError(t, c.SetDeadline(time.Now().Add(10*time.Second)))
	_, err := io.WriteString(c, "are you there?")
	require.NoError(t, err)
	hear(t, c, "are you there?")
	require.NoError(t, c.SetDeadline(time.Time{}))
}

// hear checks what comes next.
func hear(t testing.TB, c net.Conn, want string) {
	t.Helper()
	got := make([]byte, len(want))
	_, err := io.ReadFull(c, got)
	require.NoError(t, err)
	require.Equal(t, want, string(got))
}

// failure is the *proxy.Error that err is.
func failure(t testing.TB, err error) *proxy.Error {
	t.Helper()
	var e *proxy.Error
	require.ErrorAs(t, err, &e)
	return e
}

// proxyConfigOf is of a proxy that knows one name.
func proxyConfigOf(name, addr string) testserver.ProxyConfig {
	return testserver.ProxyConfig{Hosts: map[string]string{name: addr}}
}
