package standard_test

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/certs"
	"github.com/hawser/hawser/ftp"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/proxy"
)

// A download that is not wanted any more leaves the session as it was.
func TestGivenUpDownloadThroughAProxy(t *testing.T) {
	t.Parallel()
	s, p := ownSite(t), ownFronts(t)
	for _, kind := range []string{"ftp", "ftp tls"} {
		m := manage(t, s.through(func(c *hawser.Connection) { c.Proxy = p[5].proxy }))
		require.NoError(t, hawser.Use(t.Context(), m, kind, func(ctx context.Context, files hawser.FileSystem) error {
			if err := put(ctx, files, "big", make([]byte, 8<<20)); err != nil {
				return err
			}
			r, err := files.Open(ctx, "big", 0)
			if err != nil {
				return err
			}
			if _, err := io.ReadFull(r, make([]byte, 10)); err != nil {
				return err
			}
			if err := r.Close(); err != nil {
				return err
			}
			_, err = files.Stat(ctx, "big")
			return err
		}), kind)
	}
}

// An upload that is given up is none, where the proxy passes a reset on or TLS says
// what is whole.
func TestGivenUpUploadThroughAProxy(t *testing.T) {
	t.Parallel()
	remove := []string{"delete_failed_uploads=YES"}
	plain := testserver.VSFTPD(t, testserver.FTPServerConfig{Lines: remove})
	secure := testserver.VSFTPD(t, testserver.FTPServerConfig{TLS: testserver.FTPExplicit, Require: true, Lines: remove})
	for _, f := range realFronts(t) {
		for _, at := range []*testserver.FTPServer{plain, secure} {
			if at == plain && !strings.HasPrefix(f.name, "dante") {
				continue // see SECURITY
			}
			s := site{}
			s.ftp(at.Port, at.CA, at.User, at.Password)
			m := manage(t, s.through(func(c *hawser.Connection) { c.Proxy = f.proxy }), f.fingerprint)
			for kind := range s {
				err := hawser.Use(t.Context(), m, kind, func(ctx context.Context, files hawser.FileSystem) error {
					ctx, cancel := context.WithCancel(ctx)
					defer cancel()
					w, err := files.Create(ctx, "given-up", 0)
					if err != nil {
						return err
					}
					_, err = w.Write(make([]byte, 1<<20))
					cancel()
					assert.Error(t, w.Close())
					return err
				})
				require.NoError(t, err, f.name)
				assert.Eventually(t, func() bool {
					_, err := os.Stat(filepath.Join(at.Dir, "given-up"))
					return os.IsNotExist(err)
				}, longest, probing, "%s through %s", kind, f.name)
			}
		}
	}
}

// no_proxy is about the server, and its data connections go the way of the control
// connection, whatever their address.
func TestDataGoesTheWayOfTheControlConnection(t *testing.T) {
	t.Parallel()
	s := ownSite(t)
	c := s["ftp"]
	c.Host = "behind.example"
	front, err := testserver.StartProxy(testserver.ProxyConfig{Hosts: map[string]string{c.Host: "127.0.0.1"}})
	require.NoError(t, err)
	t.Cleanup(func() { _ = front.Close() })
	var asked atomic.Int32
	way := &proxy.Transport{Default: func(_ hawser.Connection, addr string) (hawser.Proxy, error) {
		asked.Add(1)
		assert.Equal(t, c.Addr(), addr)
		return hawser.Proxy{Type: hawser.ProxyHTTP, Host: "127.0.0.1", Port: front.Port()}, nil
	}}
	m := standardThrough(t, way, []hawser.Connection{c})
	require.NoError(t, work(t.Context(), m, "ftp", "ftp"))
	assert.Greater(t, asked.Load(), int32(1))
}

// A proxy that refuses the login of a data connection is not asked by other ways.
func TestRefusedLoginOfADataConnectionIsNotRepeated(t *testing.T) {
	t.Parallel()
	c := ownSite(t)["ftp"]
	addr := c.Addr()
	var logins atomic.Int32
	server, err := testserver.StartTCP(func(_ context.Context, client net.Conn) {
		b := make([]byte, 300)
		_, _ = client.Read(b)
		_, _ = client.Write([]byte{5, 2})
		_, _ = client.Read(b)
		if logins.Add(1) > 1 { // the password has expired by now
			_, _ = client.Write([]byte{1, 1})
			return
		}
		_, _ = client.Write([]byte{1, 0})
		_, _ = client.Read(b)
		_, _ = client.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
		target, err := net.Dial("tcp", addr)
		if err != nil {
			return
		}
		defer func() { _ = target.Close() }()
		go func() { _, _ = io.Copy(target, client) }() // ends with client, which the server closes
		_, _ = io.Copy(client, target)
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Close() })
	c.Proxy = hawser.Proxy{Type: hawser.ProxySOCKS5, Host: "127.0.0.1", Port: server.Port(), User: "jobs", Password: hawser.NewSecret(password)}
	for _, mode := range []hawser.DataMode{hawser.Passive, hawser.Auto} {
		logins.Store(0)
		c.FTP.Mode = mode
		session, err := ftp.Dialer{Transport: &proxy.Transport{}}.Open(t.Context(), c)
		require.NoError(t, err)
		for _, err = range session.ReadDir(t.Context(), ".") {
			break
		}
		require.ErrorIs(t, err, hawser.ErrAuth)
		require.ErrorIs(t, err, hawser.ErrProxy)
		assert.EqualValues(t, 2, logins.Load(), mode)
		_, err = session.Stat(t.Context(), ".")
		require.NoError(t, err, "the session is in step")
		require.NoError(t, session.Close())
	}
}

// Who accepts an https proxy once has accepted it for the session.
func TestHTTPSProxyIsAskedAboutOnceASession(t *testing.T) {
	t.Parallel()
	f := ownFronts(t)[3]
	c := ownSite(t)["ftp"]
	c.Proxy = f.proxy
	var asked atomic.Int32
	way := &proxy.Transport{Verifier: &certs.Verifier{Store: certs.Memory(), Ask: func(_ context.Context, q certs.Question) (certs.Answer, error) {
		asked.Add(1)
		assert.Equal(t, f.fingerprint, q.Fingerprint)
		return certs.Answer{Decision: certs.AcceptOnce}, nil
	}}}
	m := standardThrough(t, way, []hawser.Connection{c})
	for range 2 {
		require.NoError(t, work(t.Context(), m, "ftp", "ftp"))
	}
	assert.EqualValues(t, 1, asked.Load(), "the second took the session from the pool")
}
