package standard_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/certs"
	"github.com/hawser/hawser/internal/testserver"
)

// A front is a proxy in front of a site, and the name of this machine that it knows.
type front struct {
	name        string
	proxy       hawser.Proxy
	host        string // "": the address
	fingerprint string // of an https proxy
}

// fingerprintOf is that of a proxy's certificate.
func fingerprintOf(t *testing.T, id *testserver.Identity) string {
	t.Helper()
	leaf := id.Certificate.Leaf
	require.NotNil(t, leaf)
	return certs.Fingerprint(leaf)
}

// realFronts are squid and dante.
func realFronts(t *testing.T) []front {
	t.Helper()
	basic := testserver.Squid(t, testserver.ProxyServerConfig{Auth: testserver.ProxyBasic})
	digest := testserver.Squid(t, testserver.ProxyServerConfig{Auth: testserver.ProxyDigest})
	secure := testserver.Squid(t, testserver.ProxyServerConfig{Auth: testserver.ProxyBasic, TLS: true})
	open := testserver.Dante(t, testserver.ProxyServerConfig{})
	closed := testserver.Dante(t, testserver.ProxyServerConfig{Auth: testserver.ProxyPassword})
	tiny := testserver.Tinyproxy(t, testserver.ProxyServerConfig{Auth: testserver.ProxyBasic})
	micro := testserver.Microsocks(t, testserver.ProxyServerConfig{Auth: testserver.ProxyPassword})
	with := func(kind hawser.ProxyType, s *testserver.ProxyServer, login bool) hawser.Proxy {
		p := hawser.Proxy{Type: kind, Host: s.Host, Port: s.Port}
		if login {
			p.User, p.Password = s.User, hawser.NewSecret(s.Password)
		}
		return p
	}
	overTLS := with(hawser.ProxyHTTPS, secure, true)
	overTLS.Port = secure.TLSPort
	return []front{
		{"squid, Basic", with(hawser.ProxyHTTP, basic, true), basic.Name, ""},
		{"squid, Digest", with(hawser.ProxyHTTP, digest, true), digest.Name, ""},
		{"squid over TLS, Basic", overTLS, secure.Name, fingerprintOf(t, secure.Identity)},
		{"dante, SOCKS4", with(hawser.ProxySOCKS4, open, false), "", ""},
		{"dante, SOCKS5", with(hawser.ProxySOCKS5, open, false), "", ""},
		{"dante, SOCKS5 with a name", with(hawser.ProxySOCKS5H, open, false), open.Name, ""},
		{"dante, SOCKS5 with login", with(hawser.ProxySOCKS5, closed, true), "", ""},
		{"tinyproxy, Basic", with(hawser.ProxyHTTP, tiny, true), tiny.Name, ""},
		{"microsocks, SOCKS5 with login", with(hawser.ProxySOCKS5H, micro, true), micro.Name, ""},
	}
}

// ownFronts are proxies in this process, of every type.
func ownFronts(t *testing.T) []front {
	t.Helper()
	const name = "behind.example"
	start := func(cfg testserver.ProxyConfig) *testserver.Proxy {
		cfg.Hosts = map[string]string{name: "127.0.0.1"}
		p, err := testserver.StartProxy(cfg)
		require.NoError(t, err)
		t.Cleanup(func() { _ = p.Close() })
		return p
	}
	id, err := testserver.NewIdentity()
	require.NoError(t, err)
	with := func(kind hawser.ProxyType, p *testserver.Proxy, user string) hawser.Proxy {
		x := hawser.Proxy{Type: kind, Host: "127.0.0.1", Port: p.Port(), User: user}
		if user != "" && kind != hawser.ProxySOCKS4 && kind != hawser.ProxySOCKS4A {
			x.Password = hawser.NewSecret(password)
		}
		return x
	}
	open := start(testserver.ProxyConfig{})
	basic := start(testserver.ProxyConfig{User: "jobs", Password: password})
	digest := start(testserver.ProxyConfig{User: "jobs", Password: password, Schemes: []string{"Digest SHA-256", "Digest MD5", "Basic"}, NonceUses: 2, CloseAfter407: true})
	secure := start(testserver.ProxyConfig{User: "jobs", Password: password, Identity: id})
	return []front{
		{"own, HTTP", with(hawser.ProxyHTTP, open, ""), name, ""},
		{"own, HTTP, Basic", with(hawser.ProxyHTTP, basic, "jobs"), name, ""},
		{"own, HTTP, Digest SHA-256", with(hawser.ProxyHTTP, digest, "jobs"), name, ""},
		{"own, HTTPS, Basic", with(hawser.ProxyHTTPS, secure, "jobs"), name, fingerprintOf(t, id)},
		{"own, SOCKS4", with(hawser.ProxySOCKS4, open, ""), "", ""},
		{"own, SOCKS4a", with(hawser.ProxySOCKS4A, open, ""), name, ""},
		{"own, SOCKS4a with user", with(hawser.ProxySOCKS4A, basic, "jobs"), name, ""},
		{"own, SOCKS5", with(hawser.ProxySOCKS5, open, ""), "localhost", ""},
		{"own, SOCKS5 with login", with(hawser.ProxySOCKS5H, basic, "jobs"), name, ""},
	}
}
