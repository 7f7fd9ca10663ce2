package ftp_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/ftp"
	"github.com/hawser/hawser/hawsertest"
	"github.com/hawser/hawser/internal/testserver"
)

// inProcess are servers that need Go alone.
func inProcess() map[string]testserver.FTPConfig {
	return map[string]testserver.FTPConfig{
		"in process":              {},
		"in process without MLSD": {Unknown: []string{"MLSD", "MLST"}},
		"in process explicit":     {TLS: testserver.FTPExplicit, RequireReuse: true},
		"in process implicit":     {TLS: testserver.FTPImplicit, RequireReuse: true, Require: true},
	}
}

// startInProcess starts one for the length of the test.
func startInProcess(t testing.TB, cfg testserver.FTPConfig) (hawser.Connection, *testserver.FTP) {
	t.Helper()
	cfg.Users = map[string]string{"hawser": password}
	s, err := testserver.StartFTP(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	c := hawser.Connection{Name: "files", Protocol: hawser.FTP, Host: s.Host(), Port: s.Port()}
	c.Auth.User, c.Auth.Password = "hawser", hawser.NewSecret(password)
	if cfg.TLS != "" {
		c.TLS.Mode, c.TLS.Roots = hawser.TLSMode(cfg.TLS), s.CA()
	}
	return c, s
}

const password = "open sesame 8472"

// eachServer runs check as a subtest for each kind of server.
func eachServer(t *testing.T, check func(t *testing.T, c hawser.Connection, dir string)) {
	t.Helper()
	for name, cfg := range inProcess() {
		t.Run(name, func(t *testing.T) {
			c, s := startInProcess(t, cfg)
			check(t, c, s.Root())
		})
	}
	for name, serve := range realServers() {
		for _, mode := range []string{"", testserver.FTPExplicit} {
			if name == "vsftpd" && mode != "" {
				continue // it takes as long as all others together, over handshakes
			}
			t.Run(name+" "+mode, func(t *testing.T) {
				s := serve(t, testserver.FTPServerConfig{TLS: mode})
				check(t, to(s), s.Dir)
			})
		}
	}
}

func TestDialerSuite(t *testing.T) {
	eachServer(t, func(t *testing.T, c hawser.Connection, _ string) {
		denied := c.Clone()
		denied.Auth.Password = hawser.NewSecret("not the password")
		hawsertest.TestDialer(t, hawsertest.DialerHarness{Dialer: ftp.Dialer{}, Good: c, Denied: denied})
	})
}

func TestFileSystemSuite(t *testing.T) {
	eachServer(t, func(t *testing.T, c hawser.Connection, dir string) {
		hawsertest.TestFileSystem(t, func(t *testing.T) hawser.FileSystem { return lasting(t, c) })
	})
}

// lasting is open for a session that the end of the test uses too.
func lasting(t *testing.T, c hawser.Connection) *ftp.Session {
	s, err := ftp.Dialer{}.Open(context.WithoutCancel(t.Context()), c)
	require.NoError(t, err)
	return s
}
