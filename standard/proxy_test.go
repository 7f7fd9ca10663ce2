package standard_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/certs"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/proxy"
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

// Every protocol goes through every proxy: a file there and back, a command, a mail.
// Where the proxy resolves names, the target's is one that it alone knows.
func TestMatrix(t *testing.T) {
	t.Parallel()
	t.Run("in this process", func(t *testing.T) {
		t.Parallel()
		runMatrix(t, ownSite(t), ownFronts(t))
	})
	t.Run("real servers and proxies", func(t *testing.T) {
		t.Parallel()
		s := realSite(t)
		fronts := realFronts(t)
		for _, own := range ownFronts(t) {
			if own.proxy.Type == hawser.ProxySOCKS4A { // dante does not speak it
				fronts = append(fronts, own)
			}
		}
		runMatrix(t, s, fronts)
	})
}

func runMatrix(t *testing.T, s site, fronts []front) {
	t.Helper()
	var results table
	for _, f := range fronts {
		row := map[string]string{}
		m := manage(t, s.through(func(c *hawser.Connection) {
			c.Proxy = f.proxy
			if f.host != "" {
				c.Host = f.host
			}
		}), f.fingerprint)
		for _, kind := range kinds() {
			err := work(t.Context(), m, kind, kind)
			if !assert.NoError(t, err, "%s through %s", kind, f.name) {
				row[kind] = "failed"
				continue
			}
			row[kind] = "ok"
		}
		results.add(f.name, row)
	}
	t.Log("a file, a command or a mail through each proxy\n" + results.String())
}

// Two proxies in a row, behind a jump host that is itself behind a proxy.
func TestProxiesInARowThroughAJumpHost(t *testing.T) {
	t.Parallel()
	s := ownSite(t)
	fronts := ownFronts(t)
	hop, err := testserver.StartSSH(testserver.SSHConfig{
		Passwords: map[string]string{"jumper": password},
		Forward:   func(addr string) (string, error) { return addr, nil },
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = hop.Close() })
	var second *testserver.Proxy // in front of the target's own
	second, err = testserver.StartProxy(testserver.ProxyConfig{User: "jobs", Password: password})
	require.NoError(t, err)
	t.Cleanup(func() { _ = second.Close() })

	jump := s["ssh"].Clone()
	jump.Name, jump.Port = "jump", hop.Port()
	jump.Auth.User = "jumper"
	jump.SSH.HostKeys = []string{sshFingerprint(hop.HostKey())}
	jump.Proxy = fronts[3].proxy
	conns := append(s.through(func(c *hawser.Connection) {
		c.Via = "jump"
		c.Proxy = hawser.Proxy{Type: hawser.ProxySOCKS5, Host: "127.0.0.1", Port: second.Port(), User: "jobs", Password: hawser.NewSecret(password)}
	}), jump)
	m := manage(t, conns, fronts[3].fingerprint)
	for _, kind := range kinds() {
		require.NoError(t, work(t.Context(), m, kind, kind), kind)
	}
	assert.Equal(t, 1, hop.Accepted(), "all share the session of the jump host")
	assert.NotEmpty(t, second.Requests())
}

// Two proxies that follow one another without a jump host between them are composed.
func TestProxyBehindAProxy(t *testing.T) {
	t.Parallel()
	s := ownSite(t)
	fronts := ownFronts(t)
	for _, first := range fronts[:3] {
		way := &proxy.Transport{Base: &proxy.Dialer{Proxy: first.proxy}}
		for _, last := range fronts[5:] {
			m := standardThrough(t, way, s.through(func(c *hawser.Connection) {
				c.Proxy = last.proxy
				if last.host != "" {
					c.Host = last.host
				}
			}))
			for _, kind := range kinds() {
				require.NoError(t, work(t.Context(), m, kind, kind), "%s through %s and %s", kind, first.name, last.name)
			}
		}
	}
}

// Active FTP has the proxy listen.
func TestActiveFTPThroughSOCKS(t *testing.T) {
	t.Parallel()
	active := func(p hawser.Proxy, host string) func(c *hawser.Connection) {
		return func(c *hawser.Connection) {
			c.Proxy, c.Host = p, host
			if c.Protocol == hawser.FTP {
				c.FTP.Mode = hawser.Active
			}
		}
	}
	run := func(t *testing.T, s site, p hawser.Proxy, host string) {
		t.Helper()
		m := manage(t, s.through(active(p, host)))
		require.NoError(t, work(t.Context(), m, "ftp tls", "ftp tls"))
		err := work(t.Context(), m, "ftp", "ftp")
		if host == "127.0.0.1" {
			require.NoError(t, err)
			return
		}
		// Who connects could not be told.
		require.ErrorIs(t, err, errors.ErrUnsupported)
		require.ErrorContains(t, err, "protect the data, or set proxy.type to socks5")
	}
	t.Run("in this process", func(t *testing.T) {
		t.Parallel()
		s := ownSite(t)
		for _, cfg := range []testserver.ProxyConfig{{}, {Unspecified: true}, {User: "jobs", Password: password}} {
			cfg.Hosts = map[string]string{"behind.example": "127.0.0.1"}
			server, err := testserver.StartProxy(cfg)
			require.NoError(t, err)
			t.Cleanup(func() { _ = server.Close() })
			p := hawser.Proxy{Type: hawser.ProxySOCKS5, Host: "127.0.0.1", Port: server.Port(), User: cfg.User}
			if cfg.Password != "" {
				p.Password = hawser.NewSecret(cfg.Password)
			}
			run(t, s, p, "127.0.0.1")
			p.Type = hawser.ProxySOCKS5H
			run(t, s, p, "behind.example")
			p.Type, p.Password = hawser.ProxySOCKS4, hawser.Secret{}
			run(t, s, p, "127.0.0.1")
			p.Type = hawser.ProxySOCKS4A
			run(t, s, p, "behind.example")
		}
	})
	t.Run("dante and vsftpd", func(t *testing.T) {
		t.Parallel()
		dante := testserver.Dante(t, testserver.ProxyServerConfig{})
		plain := testserver.VSFTPD(t, testserver.FTPServerConfig{})
		secure := testserver.VSFTPD(t, testserver.FTPServerConfig{TLS: testserver.FTPExplicit, Require: true})
		s := site{}
		s.ftp(plain.Port, "", plain.User, plain.Password)
		s.ftp(secure.Port, secure.CA, secure.User, secure.Password)
		p := hawser.Proxy{Type: hawser.ProxySOCKS5, Host: dante.Host, Port: dante.Port}
		run(t, s, p, "127.0.0.1")
	})
}

// Where nobody could connect back, that is said, with what to do.
func TestActiveFTPIsRefusedWhereNothingBinds(t *testing.T) {
	t.Parallel()
	s := ownSite(t)
	noBind, err := testserver.StartProxy(testserver.ProxyConfig{NoBind: true})
	require.NoError(t, err)
	t.Cleanup(func() { _ = noBind.Close() })
	for name, p := range map[string]hawser.Proxy{
		"http":   {Type: hawser.ProxyHTTP, Host: "127.0.0.1", Port: noBind.Port()},
		"socks5": {Type: hawser.ProxySOCKS5, Host: "127.0.0.1", Port: noBind.Port()},
		"socks4": {Type: hawser.ProxySOCKS4, Host: "127.0.0.1", Port: noBind.Port()},
	} {
		m := manage(t, s.through(func(c *hawser.Connection) {
			if c.Protocol == hawser.FTP {
				c.Proxy, c.FTP.Mode = p, hawser.Active
			}
		}))
		err := work(t.Context(), m, "ftp", "ftp")
		require.Error(t, err, name)
		assert.ErrorContains(t, err, "set ftp.mode to passive, or reach the server through a SOCKS proxy that can bind", name)
		if p.Type == hawser.ProxySOCKS5 {
			assert.ErrorIs(t, err, hawser.ErrProxy)
			assert.ErrorIs(t, err, errors.ErrUnsupported)
		}
	}
}

func TestActiveFTPThroughSquidIsRefused(t *testing.T) {
	t.Parallel()
	squid := testserver.Squid(t, testserver.ProxyServerConfig{})
	vsftpd := testserver.VSFTPD(t, testserver.FTPServerConfig{})
	s := site{}
	s.ftp(vsftpd.Port, "", vsftpd.User, vsftpd.Password)
	c := s["ftp"]
	c.Proxy = hawser.Proxy{Type: hawser.ProxyHTTP, Host: squid.Host, Port: squid.Port}
	c.FTP.Mode = hawser.Active
	m := manage(t, nil)
	err := m.Test(t.Context(), c).Err
	require.ErrorIs(t, err, hawser.ErrInvalid)
	require.ErrorContains(t, err, "ftp.mode: is active, but no server can connect back through an HTTP proxy; set ftp.mode to passive")
	t.Log(err)
	c.FTP.Mode = hawser.Auto // passive comes first there, and is enough
	m = manage(t, []hawser.Connection{c})
	require.NoError(t, work(t.Context(), m, "ftp", "ftp"))
}

// What a direct connection would say is said of a target behind a proxy, too.
func TestClosedPortBehindAProxy(t *testing.T) {
	t.Parallel()
	for _, f := range ownFronts(t) {
		c := server("gone", hawser.SSH, unused(t), "jobs", password)
		c.SSH.AutoAccept, c.Proxy = true, f.proxy
		way := &proxy.Transport{Verifier: &certs.Verifier{Store: certs.Memory(), Ask: accepting(f.fingerprint)}}
		m := standardThrough(t, way, []hawser.Connection{c}) // without Retry
		_, err := m.Open(t.Context(), "gone")
		var e *proxy.Error
		require.ErrorAs(t, err, &e, f.name)
		assert.Equal(t, c.Addr(), e.Target)
		switch f.proxy.Type {
		case hawser.ProxySOCKS5, hawser.ProxySOCKS5H:
			assert.ErrorIs(t, err, syscall.ECONNREFUSED, f.name)
			assert.NotErrorIs(t, err, hawser.ErrProxy, f.name)
		case hawser.ProxyHTTP, hawser.ProxyHTTPS:
			assert.NotErrorIs(t, err, hawser.ErrProxy, f.name)
		}
		assert.NotErrorIs(t, err, os.ErrDeadlineExceeded)
		t.Log(err)
	}
}

// Most proxies end a tunnel as soon as one side has closed its half of it, which is
// how an upload ends. No byte of it may be lost by that.
func TestUploadsThroughProxiesWithoutHalves(t *testing.T) {
	t.Parallel()
	proftpd := testserver.ProFTPDFTP(t, testserver.FTPServerConfig{TLS: testserver.FTPExplicit, Require: true})
	vsftpd := testserver.VSFTPD(t, testserver.FTPServerConfig{TLS: testserver.FTPExplicit, Require: true})
	plain := testserver.VSFTPD(t, testserver.FTPServerConfig{})
	fronts := realFronts(t)
	for _, at := range []*testserver.FTPServer{proftpd, vsftpd, plain} {
		s := site{}
		s.ftp(at.Port, at.CA, at.User, at.Password)
		for _, f := range fronts {
			m := manage(t, s.through(func(c *hawser.Connection) { c.Proxy = f.proxy }), f.fingerprint)
			for kind := range s {
				assert.NoError(t, hawser.Use(t.Context(), m, kind, uploads), "%s to %s through %s", kind, at.Addr(), f.name)
			}
		}
	}
}

// uploads puts files of many sizes, and looks at what has come.
func uploads(ctx context.Context, files hawser.FileSystem) error {
	const times, size = 12, 3 << 20
	content := make([]byte, size)
	for i := range times {
		n := size - i*size/times
		if err := put(ctx, files, "in", content[:n]); err != nil {
			return err
		}
		info, err := files.Stat(ctx, "in")
		if err != nil {
			return err
		}
		if info.Size() != int64(n) {
			return fmt.Errorf("%d bytes have come of %d", info.Size(), n)
		}
	}
	return nil
}
