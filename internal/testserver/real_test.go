package testserver

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pkg/sftp"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
)

// enter logs in to a real server for the length of the test.
func enter(t *testing.T, s *Server, method ssh.AuthMethod) *ssh.Client {
	t.Helper()
	client, err := login(s.Addr(), s.HostKeys[0], s.User, method)
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

type attempt struct {
	name   string
	method ssh.AuthMethod
	ok     bool
}

func requireAttempts(t *testing.T, s *Server, attempts []attempt) {
	t.Helper()
	for _, row := range attempts {
		t.Run(row.name, func(t *testing.T) {
			client, err := login(s.Addr(), s.HostKeys[0], s.User, row.method)
			if !row.ok {
				require.Error(t, err)
				return
			}
			require.NoError(t, err)
			require.NoError(t, client.Close())
		})
	}
}

func requireFiles(t *testing.T, s *Server, client *ssh.Client) {
	t.Helper()
	files, err := sftp.NewClient(client)
	require.NoError(t, err)
	roundTrip(t, files)
	require.NoError(t, files.Close())
	require.FileExists(t, filepath.Join(s.Dir, "put.bin"))
}

func TestOpenSSHLogsInByEachMethod(t *testing.T) {
	key, other, ca := newSigner(t), newSigner(t), newSigner(t)
	s := OpenSSH(t, OpenSSHConfig{AuthorizedKeys: []ssh.PublicKey{key.PublicKey()}, UserCA: ca.PublicKey()})
	requireAttempts(t, s, []attempt{
		{"the right password", ssh.Password(s.Password), true},
		{"a wrong password", ssh.Password("guess"), false},
		{"the right answer", answering(s.Password), true},
		{"a wrong answer", answering("guess"), false},
		{"an authorized key", ssh.PublicKeys(key), true},
		{"an unknown key", ssh.PublicKeys(other), false},
		{"a certificate for the user", ssh.PublicKeys(certify(t, ca, other, s.User)), true},
		{"a certificate for another", ssh.PublicKeys(certify(t, ca, other, "bob")), false},
	})
	// The password's holder and the key's are the same user; root has the key alone.
	client, err := login(s.Addr(), s.HostKeys[0], "root", ssh.PublicKeys(key))
	require.NoError(t, err)
	require.NoError(t, client.Close())
}

func TestOpenSSHLeavesTheMachineAlone(t *testing.T) {
	s := OpenSSH(t, OpenSSHConfig{})
	users, err := os.ReadFile("/etc/passwd")
	require.NoError(t, err)
	require.NotContains(t, string(users), s.Dir)
	mounts, err := os.ReadFile("/proc/mounts")
	require.NoError(t, err)
	require.NotContains(t, string(mounts), "/etc/passwd")
}

func TestOpenSSHRunsCommands(t *testing.T) {
	s := OpenSSH(t, OpenSSHConfig{})
	client := enter(t, s, ssh.Password(s.Password))
	session, err := client.NewSession()
	require.NoError(t, err)
	require.NoError(t, session.Setenv("ANYTHING", "goes"))
	var stdout, stderr bytes.Buffer
	session.Stdin, session.Stdout, session.Stderr = strings.NewReader("in"), &stdout, &stderr
	var exit *ssh.ExitError
	require.ErrorAs(t, session.Run("id -un; pwd; echo $ANYTHING; cat; echo err >&2; exit 3"), &exit)
	require.Equal(t, 3, exit.ExitStatus())
	require.Equal(t, "hawser\n"+s.Dir+"\ngoes\nin", stdout.String())
	require.Equal(t, "err\n", stderr.String())

	session, err = client.NewSession()
	require.NoError(t, err)
	require.NoError(t, session.RequestPty("xterm", 24, 80, ssh.TerminalModes{}))
	out, err := session.Output("tty")
	require.NoError(t, err)
	require.Contains(t, string(out), "/dev/pts/")
}

func TestOpenSSHDeliversSignals(t *testing.T) {
	s := OpenSSH(t, OpenSSHConfig{})
	session, err := enter(t, s, ssh.Password(s.Password)).NewSession()
	require.NoError(t, err)
	out, err := session.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, session.Start("echo ready; exec sleep 600"))
	_, err = out.Read(make([]byte, 6))
	require.NoError(t, err)
	require.NoError(t, session.Signal(ssh.SIGTERM))
	var exit *ssh.ExitError
	require.ErrorAs(t, session.Wait(), &exit)
	require.Equal(t, "TERM", exit.Signal())
}

func TestOpenSSHServesFiles(t *testing.T) {
	for name, external := range map[string]bool{"internal-sftp": false, "sftp-server": true} {
		t.Run(name, func(t *testing.T) {
			s := OpenSSH(t, OpenSSHConfig{ExternalSFTP: external})
			requireFiles(t, s, enter(t, s, ssh.Password(s.Password)))
		})
	}
}

func TestOpenSSHPresentsItsHostKeys(t *testing.T) {
	ca := newSigner(t)
	s := OpenSSH(t, OpenSSHConfig{HostKeyTypes: []string{"rsa", "ecdsa", "ed25519"}, HostCA: ca})
	require.Len(t, s.HostKeys, 6)
	for _, key := range s.HostKeys {
		algorithm := key.Type()
		t.Run(algorithm, func(t *testing.T) {
			offered := map[string]string{
				ssh.KeyAlgoRSA: ssh.KeyAlgoRSASHA256, ssh.CertAlgoRSAv01: ssh.CertAlgoRSASHA256v01,
			}
			if better, ok := offered[algorithm]; ok {
				algorithm = better
			}
			client, err := ssh.Dial("tcp", s.Addr(), &ssh.ClientConfig{
				User: s.User, Auth: []ssh.AuthMethod{ssh.Password(s.Password)},
				HostKeyAlgorithms: []string{algorithm}, HostKeyCallback: ssh.FixedHostKey(key),
			})
			require.NoError(t, err)
			require.NoError(t, client.Close())
		})
	}
}

func TestOpenSSHTakesLinesAndMaxSessions(t *testing.T) {
	s := OpenSSH(t, OpenSSHConfig{MaxSessions: 1, Lines: []string{"PasswordAuthentication no"}})
	_, err := login(s.Addr(), s.HostKeys[0], s.User, ssh.Password(s.Password))
	require.Error(t, err)
	client := enter(t, s, answering(s.Password))
	_, err = client.NewSession()
	require.NoError(t, err)
	_, err = client.NewSession()
	require.Error(t, err)
}

func TestOpenSSHLogsForTheTest(t *testing.T) {
	s := OpenSSH(t, OpenSSHConfig{})
	enter(t, s, ssh.Password(s.Password))
	// sshd lets the user in before it writes so.
	logged := func() bool { return strings.Contains(s.Log(), "Accepted password for hawser") }
	require.Eventually(t, logged, patience, poll)
}

func TestProFTPDLogsInByEachMethod(t *testing.T) {
	key, other := newSigner(t), newSigner(t)
	s := ProFTPD(t, ProFTPDConfig{AuthorizedKeys: []ssh.PublicKey{other.PublicKey(), key.PublicKey()}})
	requireAttempts(t, s, []attempt{
		{"the right password", ssh.Password(s.Password), true},
		{"a wrong password", ssh.Password("guess"), false},
		{"an authorized key", ssh.PublicKeys(key), true},
		{"an unknown key", ssh.PublicKeys(newSigner(t)), false},
	})
}

func TestProFTPDServesFiles(t *testing.T) {
	s := ProFTPD(t, ProFTPDConfig{HostKeyTypes: []string{"rsa", "ed25519"}})
	client, err := ssh.Dial("tcp", s.Addr(), &ssh.ClientConfig{
		User: s.User, Auth: []ssh.AuthMethod{ssh.Password(s.Password)},
		HostKeyAlgorithms: []string{ssh.KeyAlgoED25519}, HostKeyCallback: ssh.FixedHostKey(s.HostKeys[1]),
	})
	require.NoError(t, err)
	requireFiles(t, s, client)
	require.NoError(t, client.Close())
}

func TestProFTPDSpeaksTheVersionsItIsTold(t *testing.T) {
	for versions, want := range map[string]byte{"3": 3, "4": 4, "5": 5, "6": 6, "3-5": 5, "": 6} {
		t.Run("versions "+versions, func(t *testing.T) {
			s := ProFTPD(t, ProFTPDConfig{Versions: versions})
			session, err := enter(t, s, ssh.Password(s.Password)).NewSession()
			require.NoError(t, err)
			in, err := session.StdinPipe()
			require.NoError(t, err)
			out, err := session.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, session.RequestSubsystem("sftp"))
			require.NoError(t, writePacket(in, Packet{Type: FxpInit, Payload: []byte{0, 0, 0, 6}}))
			p, err := readPacket(out)
			require.NoError(t, err)
			require.Equal(t, FxpVersion, p.Type)
			require.Equal(t, want, p.Payload[3])
		})
	}
}

func TestUnavailableSkipsUnlessWanted(t *testing.T) {
	for wanted, fails := range map[string]bool{"": false, "all": true, "other": false, "other,nothing": true, "none": false} {
		t.Run("HAWSER_REAL="+wanted, func(t *testing.T) {
			t.Setenv("HAWSER_REAL", wanted)
			r := &recorder{TB: t}
			Real(r, "nothing", "hawser-no-such-program")
			require.Equal(t, fails, r.failed)
			require.Equal(t, !fails, r.skipped)
		})
	}
}

// recorder notes how a test would have ended, and goes on.
type recorder struct {
	testing.TB
	failed, skipped bool
}

func (r *recorder) Helper()               {}
func (r *recorder) Fatalf(string, ...any) { r.failed = true }
func (r *recorder) Skipf(string, ...any)  { r.skipped = !r.failed }
