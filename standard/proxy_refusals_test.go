package standard_test

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/standard"
)

// dials is a Transport that notes where it connects to, and takes every name for
// this machine.
type dials struct {
	mu    sync.Mutex // guards addrs
	addrs []string
}

func (d *dials) DialNet(ctx context.Context, c hawser.Connection, network, addr string) (net.Conn, error) {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	d.addrs = append(d.addrs, addr)
	d.mu.Unlock()
	return hawser.Direct{}.DialNet(ctx, c, network, net.JoinHostPort("127.0.0.1", port))
}

func (d *dials) all() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string(nil), d.addrs...)
}

// refusedBy opens c through f, and checks what holds of all refusals: they name the
// proxy, and are not tried again.
func (f front) refusedBy(t *testing.T, c hawser.Connection, most int) error {
	t.Helper()
	counted := &dials{}
	c.Proxy = f.proxy
	m := standard.New(hawser.NewMemory(c), standard.Options{Transport: counted, Ask: accepting(f.fingerprint)})
	defer func() { require.NoError(t, m.Close()) }()
	begun := time.Now()
	_, err := m.Open(t.Context(), c.Name)
	const pause = 700 * time.Millisecond // that of Retry is longer
	assert.Less(t, time.Since(begun), pause, f.name)
	require.ErrorIs(t, err, hawser.ErrProxy, f.name)
	assert.ErrorContains(t, err, f.addr(), f.name)
	assert.False(t, hawser.Retryable(err), f.name)
	assert.LessOrEqual(t, len(counted.all()), most, f.name)
	return err
}

func TestWrongProxyPassword(t *testing.T) {
	t.Parallel()
	c := server("box", hawser.SSH, unused(t), "jobs", password)
	t.Run("of proxies in this process", func(t *testing.T) {
		t.Parallel()
		digests := []string{"Digest SHA-256", "Digest MD5", "Basic"}
		for name, cfg := range map[string]testserver.ProxyConfig{
			"Basic": {}, "Basic, 401": {Status401: true}, "Basic, closing": {CloseAfter407: true},
			"Digest": {Schemes: digests}, "Digest, closing": {Schemes: digests, CloseAfter407: true},
		} {
			cfg.User, cfg.Password = "jobs", password
			p, err := testserver.StartProxy(cfg)
			require.NoError(t, err)
			t.Cleanup(func() { _ = p.Close() })
			for i, kind := range []hawser.ProxyType{hawser.ProxyHTTP, hawser.ProxySOCKS5, hawser.ProxySOCKS5H} {
				front{name: fmt.Sprint(name, ", ", kind), proxy: hawser.Proxy{Type: kind, User: "jobs"}}.at(p.Port()).wrongPassword(t, c)
				assert.Equal(t, i+1, logins(p), "%s, %s", name, kind)
			}
		}
	})
	t.Run("of real proxies", func(t *testing.T) {
		t.Parallel()
		for _, f := range realFronts(t) {
			if f.proxy.User != "" {
				f.wrongPassword(t, c)
			}
		}
	})
}

// wrongPassword checks what comes of one. A proxy of HTTP may hang up with its 407, and
// is connected to again to log in.
func (f front) wrongPassword(t *testing.T, c hawser.Connection) {
	t.Helper()
	const wrong = "wrong-sesame-42"
	f.proxy.Password = hawser.NewSecret(wrong)
	most := 1
	if f.proxy.Type == hawser.ProxyHTTP || f.proxy.Type == hawser.ProxyHTTPS {
		most = 2
	}
	err := f.refusedBy(t, c, most)
	require.ErrorIs(t, err, hawser.ErrAuth, f.name)
	assert.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, err), wrong, f.name)
	t.Logf("%s: %v", f.name, err)
}

// logins is how often somebody has tried to log in.
func logins(p *testserver.Proxy) int {
	n := 0
	for _, r := range p.Requests() {
		if r.User != "" {
			n++
		}
	}
	return n
}

func TestRefusedByRule(t *testing.T) {
	t.Parallel()
	c := server("box", hawser.SSH, unused(t), "jobs", password)
	check := func(t *testing.T, f front) {
		t.Helper()
		err := f.refusedBy(t, c, 1)
		assert.NotErrorIs(t, err, hawser.ErrAuth)
		assert.ErrorContains(t, err, fmt.Sprint("connect ", c.Addr()))
		t.Logf("%s: %v", f.name, err)
	}
	t.Run("of proxies in this process", func(t *testing.T) {
		t.Parallel()
		p, err := testserver.StartProxy(testserver.ProxyConfig{Deny: func(string) bool { return true }})
		require.NoError(t, err)
		t.Cleanup(func() { _ = p.Close() })
		for _, kind := range []hawser.ProxyType{hawser.ProxyHTTP, hawser.ProxySOCKS5, hawser.ProxySOCKS5H} {
			check(t, front{name: string(kind), proxy: hawser.Proxy{Type: kind}}.at(p.Port()))
		}
	})
	t.Run("of squid and dante", func(t *testing.T) {
		t.Parallel()
		denied := testserver.ProxyServerConfig{DenyPorts: []uint16{c.Port}}
		check(t, front{name: "squid", proxy: hawser.Proxy{Type: hawser.ProxyHTTP}}.at(testserver.Squid(t, denied).Port))
		check(t, front{name: "dante", proxy: hawser.Proxy{Type: hawser.ProxySOCKS5}}.at(testserver.Dante(t, denied).Port))
	})
}

// A proxy that allows the control connection alone is told from a server that is
// wrong, and takes nothing but the data connections.
func TestDataPortsThatAreDenied(t *testing.T) {
	t.Parallel()
	s := ownSite(t)
	for _, kind := range []string{"ftp", "ftp tls"} {
		c := s[kind]
		p, err := testserver.StartProxy(testserver.ProxyConfig{Deny: func(target string) bool { return target != c.Addr() }})
		require.NoError(t, err)
		t.Cleanup(func() { _ = p.Close() })
		for i, through := range []hawser.ProxyType{hawser.ProxyHTTP, hawser.ProxySOCKS4, hawser.ProxySOCKS5} {
			c.Proxy = hawser.Proxy{Type: through, Host: "127.0.0.1", Port: p.Port()}
			c.FTP.Mode = hawser.Passive
			m := manage(t, []hawser.Connection{c})
			require.NoError(t, hawser.Use(t.Context(), m, kind, func(ctx context.Context, files hawser.FileSystem) error {
				_, err := get(ctx, files, "any")
				assert.ErrorIs(t, err, hawser.ErrProxy)
				assert.ErrorContains(t, err, "data connection: proxy "+string(through)+" "+p.Addr())
				assert.ErrorContains(t, err, "have the proxy or jump host allow connections to the ports of the server's data")
				assert.ErrorIs(t, put(ctx, files, "any", []byte("x")), hawser.ErrProxy)
				t.Log(err)
				return files.Mkdir(ctx, fmt.Sprint("made-", i))
			}))
		}
	}
}

// Nothing here may run beside another test, which the environment is for as well.
func TestEnvironment(t *testing.T) {
	const name = "behind.example" // known to the proxy alone
	s := ownSite(t)
	p, err := testserver.StartProxy(testserver.ProxyConfig{Hosts: map[string]string{name: "127.0.0.1"}, User: "jobs", Password: password})
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.Close() })
	t.Setenv("all_proxy", "socks5h://jobs:"+password+"@"+p.Addr())
	for _, none := range []string{"", "behind.example", ".example", "*"} {
		t.Setenv("no_proxy", none)
		for _, heed := range []bool{true, false} {
			reached := &dials{}
			conns := hawser.NewMemory(s.through(func(c *hawser.Connection) { c.Host = name })...)
			m := standard.New(conns, standard.Options{Environment: heed, Transport: reached})
			before := len(p.Requests())
			for _, kind := range kinds() {
				require.NoError(t, work(t.Context(), m, kind, kind), "%s, no_proxy=%s", kind, none)
			}
			require.NoError(t, m.Close())
			through := heed && none == ""
			assert.Equal(t, through, len(p.Requests()) > before, "no_proxy=%s", none)
			for _, addr := range reached.all() {
				assert.Equal(t, through, addr == p.Addr(), "no_proxy=%s: %s", none, addr)
			}
		}
	}
}
