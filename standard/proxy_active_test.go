package standard_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
)

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
