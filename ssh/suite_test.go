package ssh_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/hawsertest"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/ssh"
)

func TestDialerSuite(t *testing.T) {
	server, err := testserver.StartSSH(testserver.SSHConfig{Passwords: map[string]string{user: secret}})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, server.Close()) })
	hawsertest.TestDialer(t, hawsertest.DialerHarness{
		Dialer: ssh.Dialer{},
		Good:   withPassword(to(server), secret),
		Denied: withPassword(to(server), "wrong-password"),
	})
}

func TestDialerSuiteOpenSSH(t *testing.T) {
	server := testserver.OpenSSH(t, testserver.OpenSSHConfig{})
	hawsertest.TestDialer(t, hawsertest.DialerHarness{
		Dialer: ssh.Dialer{},
		Good:   withPassword(real(server), server.Password),
		Denied: withPassword(real(server), "wrong-password"),
	})
}

func TestRunnerSuiteOpenSSH(t *testing.T) {
	server := testserver.OpenSSH(t, testserver.OpenSSHConfig{})
	hawsertest.TestRunner(t, func(t *testing.T) hawser.Runner {
		return login(t, withPassword(real(server), server.Password))
	})
}
