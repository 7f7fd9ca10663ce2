//go:build unix

package testserver

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
)

// newSession opens a session on a server of its own.
func newSession(t *testing.T, cfg SSHConfig) (*ssh.Session, *SSH) {
	t.Helper()
	s := startSSH(t, cfg)
	session, err := dial(t, s, "ann").NewSession()
	require.NoError(t, err)
	return session, s
}

func TestShellCarriesStreamsAndStatus(t *testing.T) {
	session, _ := newSession(t, SSHConfig{})
	var stdout, stderr bytes.Buffer
	session.Stdin, session.Stdout, session.Stderr = strings.NewReader("in"), &stdout, &stderr
	var exit *ssh.ExitError
	require.ErrorAs(t, session.Run("cat; echo err >&2; exit 3"), &exit)
	require.Equal(t, 3, exit.ExitStatus())
	require.Empty(t, exit.Signal())
	require.Equal(t, "in", stdout.String())
	require.Equal(t, "err\n", stderr.String())
}

func TestShellRunsInRoot(t *testing.T) {
	session, s := newSession(t, SSHConfig{Root: t.TempDir()})
	out, err := session.Output("pwd -P")
	require.NoError(t, err)
	require.Contains(t, strings.TrimSpace(string(out)), s.Root())
}

func TestShellGetsTheClientsEnvironmentAlone(t *testing.T) {
	t.Setenv("HAWSER_LEAK", "1")
	session, _ := newSession(t, SSHConfig{})
	require.NoError(t, session.Setenv("GREETING", "hello world"))
	out, err := session.Output(`echo "$GREETING/$USER/$HAWSER_LEAK"`)
	require.NoError(t, err)
	require.Equal(t, "hello world/ann/\n", string(out))
}

func TestShellJoinsTheStreamsOfATerminal(t *testing.T) {
	session, _ := newSession(t, SSHConfig{})
	require.NoError(t, session.RequestPty("vt220", 24, 80, ssh.TerminalModes{}))
	out, err := session.Output("echo $TERM >&2")
	require.NoError(t, err)
	require.Equal(t, "vt220\n", string(out))
}

func TestShellReportsTheSignalThatEndedIt(t *testing.T) {
	session, _ := newSession(t, SSHConfig{})
	var exit *ssh.ExitError
	require.ErrorAs(t, session.Run("kill -TERM $$"), &exit)
	require.Equal(t, "TERM", exit.Signal())
}

func TestShellPassesSignalsToChildren(t *testing.T) {
	session, _ := newSession(t, SSHConfig{})
	out, err := session.StdoutPipe()
	require.NoError(t, err)
	// The shell outlives the signal, its child does not. The child itself says that it is ready: a signal between
	// its fork and its exec would be lost.
	require.NoError(t, session.Start(`trap 'echo caught' TERM; sh -c 'echo ready; exec sleep 600'; exit 9`))
	ready := make([]byte, len("ready\n"))
	_, err = io.ReadFull(out, ready)
	require.NoError(t, err)
	require.NoError(t, session.Signal(ssh.SIGTERM))
	rest, err := io.ReadAll(out)
	require.NoError(t, err)
	require.Equal(t, "caught\n", string(rest))
	var exit *ssh.ExitError
	require.ErrorAs(t, session.Wait(), &exit)
	require.Equal(t, 9, exit.ExitStatus())
}

func TestShellLosesNoOutputOfALongCommand(t *testing.T) {
	session, _ := newSession(t, SSHConfig{})
	out, err := session.Output("head -c 5000000 /dev/zero")
	require.NoError(t, err)
	require.Len(t, out, 5000000)
}

func TestShellDiesWithItsConnection(t *testing.T) {
	session, s := newSession(t, SSHConfig{})
	// The grandchild leaves the group and keeps the output open.
	require.NoError(t, session.Start("setsid sleep 2 & exec sleep 600"))
	s.Drop()
	require.NoError(t, s.Close())
	require.Error(t, session.Wait())
}

func TestShellIgnoresInputThatNobodyReads(t *testing.T) {
	session, _ := newSession(t, SSHConfig{})
	in, err := session.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, session.Run("exit 0"))
	_ = in.Close()
}

func TestExecSeesTheWholeRequest(t *testing.T) {
	got := make(chan Command, 1)
	session, _ := newSession(t, SSHConfig{Exec: func(c *Command) int {
		_, _ = io.WriteString(c.Stdout, "ready\n")
		seen := *c
		seen.Window = <-c.Windows
		seen.ExitSignal = <-c.Signals
		got <- seen
		c.ExitSignal = ssh.SIGHUP
		return 0
	}})
	require.NoError(t, session.Setenv("A", "1"))
	require.NoError(t, session.RequestPty("xterm", 24, 80, ssh.TerminalModes{}))
	require.NoError(t, session.Start("some command"))
	require.NoError(t, session.WindowChange(50, 132))
	require.NoError(t, session.Signal(ssh.SIGUSR1))
	var exit *ssh.ExitError
	require.ErrorAs(t, session.Wait(), &exit)
	require.Equal(t, "HUP", exit.Signal())

	c := <-got
	require.Equal(t, "ann", c.User)
	require.Equal(t, "some command", c.Line)
	require.Equal(t, []string{"A=1"}, c.Env)
	require.True(t, c.TTY)
	require.Equal(t, "xterm", c.Term)
	require.Equal(t, Window{Width: 132, Height: 50}, c.Window)
	require.Equal(t, ssh.SIGUSR1, c.ExitSignal)
}

func TestExecIsToldWhenTheChannelCloses(t *testing.T) {
	ended := make(chan struct{})
	session, _ := newSession(t, SSHConfig{Exec: func(c *Command) int {
		<-c.Context.Done()
		close(ended)
		return 0
	}})
	require.NoError(t, session.Start("x"))
	require.NoError(t, session.Close())
	<-ended
}

func TestExecMayEndWithoutAStatus(t *testing.T) {
	session, _ := newSession(t, SSHConfig{Exec: func(*Command) int { return -1 }})
	var missing *ssh.ExitMissingError
	require.ErrorAs(t, session.Run("x"), &missing)
}

func TestSessionRefusesAShell(t *testing.T) {
	session, _ := newSession(t, SSHConfig{})
	require.Error(t, session.Shell())
}
