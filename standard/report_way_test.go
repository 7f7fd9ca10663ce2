package standard_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/ftp"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/standard"
)

// onlyControl lets a session be, but no data connection.
type onlyControl struct {
	port uint16
	err  error
}

func (o onlyControl) DialNet(ctx context.Context, c hawser.Connection, network, addr string) (net.Conn, error) {
	if strings.HasSuffix(addr, fmt.Sprintf(":%d", o.port)) {
		return hawser.Direct{}.DialNet(ctx, c, network, addr)
	}
	return nil, o.err
}

func TestReportOfADataConnection(t *testing.T) {
	t.Parallel()
	s := ownSite(t)
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	test := func(t *testing.T, mode hawser.DataMode, err error) hawser.Report {
		t.Helper()
		c := s["ftp"].Clone()
		c.FTP.Mode = mode
		m := standard.New(hawser.NewMemory(c), standard.Options{Transport: onlyControl{c.Port, err}})
		t.Cleanup(func() { require.NoError(t, m.Close()) })
		return m.TestSaved(t.Context(), "ftp")
	}
	t.Run("a port that refuses", func(t *testing.T) {
		t.Parallel()
		r := test(t, hawser.Passive, refused)
		require.ErrorIs(t, r.Err, syscall.ECONNREFUSED)
		assert.Equal(t, "lookup secrets resolve connect login data probe", joinPhases(r))
		data := stepOf(r, hawser.PhaseData)
		var e *ftp.DataError
		require.ErrorAs(t, data.Err, &e)
		_, port, err := net.SplitHostPort(e.Addr)
		require.NoError(t, err)
		want := "passive port " + port + " cannot be reached: open the port range of the server in the firewall, or set ftp.mode to active or auto"
		assert.Equal(t, want, data.Hint)
		assert.Equal(t, want, r.Hint())
		assert.Equal(t, 1, strings.Count(r.String(), "hint: "+want), "%v", r)
	})
	t.Run("another way makes it good", func(t *testing.T) {
		t.Parallel()
		r := test(t, hawser.Auto, refused)
		require.NoError(t, r.Err)
		assert.Equal(t, "lookup secrets resolve connect login data data probe", joinPhases(r), "%v", r)
		assert.NotEmpty(t, stepOf(r, hawser.PhaseData).Hint)
		assert.Regexp(t, `^active 127\.0\.0\.1:\d+, in the clear$`, r.Steps[len(r.Steps)-2].Detail)
	})
	t.Run("a proxy that lets none through", func(t *testing.T) {
		t.Parallel()
		r := test(t, hawser.Passive, fmt.Errorf("%w: no", hawser.ErrProxy))
		assert.Equal(t, "have the proxy or jump host allow connections to the ports of the server's data", r.Hint(), "%v", r)
	})
}

func TestReportOfAJumpHost(t *testing.T) {
	t.Parallel()
	s := ownSite(t)
	var refuses atomic.Bool
	host, err := testserver.StartSSH(testserver.SSHConfig{Passwords: map[string]string{"jobs": password}, Forward: func(addr string) (string, error) {
		if refuses.Load() {
			return "", errors.New("not there")
		}
		return addr, nil
	}})
	require.NoError(t, err)
	t.Cleanup(func() { _ = host.Close() })
	test := func(t *testing.T, change func(jump, c *hawser.Connection)) hawser.Report {
		t.Helper()
		jump := server("jump", hawser.SSH, host.Port(), "jobs", password)
		jump.SSH.HostKeys = []string{sshFingerprint(host.HostKey())}
		c := s["ftp"].Clone()
		c.Via = "jump"
		change(&jump, &c)
		return manage(t, []hawser.Connection{jump}).Test(t.Context(), c)
	}
	r := test(t, func(_, _ *hawser.Connection) {})
	require.NoError(t, r.Err, "%v", r)
	assert.Contains(t, r.String(), "jump: login")
	assert.Contains(t, stepOf(r, hawser.PhaseData).Detail, "passive 127.0.0.1:")

	r = test(t, func(jump, _ *hawser.Connection) { jump.Auth.Password = hawser.NewSecret("incorrect-horse-7") })
	require.ErrorIs(t, r.Err, hawser.ErrAuth)
	assert.Equal(t, "connection jump: check auth.user and auth.password", r.Hint(), "%v", r)
	assert.Equal(t, "lookup secrets jump: resolve jump: connect jump: trust jump: login proxy", joinPhases(r), "%v", r)
	assert.NotContains(t, r.String(), "incorrect-horse-7")

	closed := unused(t)
	r = test(t, func(_, c *hawser.Connection) { c.Port = closed })
	assert.Equal(t, "check host and port as the jump host sees them, and that it may connect there", r.Hint(), "%v", r)

	refuses.Store(true)
	r = test(t, func(_, _ *hawser.Connection) {})
	want := fmt.Sprintf("have the jump host allow tunnels to 127.0.0.1:%d (OpenSSH: AllowTcpForwarding, PermitOpen)", s["ftp"].Port)
	assert.Equal(t, want, r.Hint(), "%v", r)
}
