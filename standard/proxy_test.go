package standard_test

import (
	"context"
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
