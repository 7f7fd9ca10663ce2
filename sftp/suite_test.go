package sftp_test

import (
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	xssh "golang.org/x/crypto/ssh"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/hawsertest"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/sftp"
)

const password = "open sesame 8472"

// servers are the in-process and the real ones, by name. Each starts one for
// the length of the test and returns how to reach it and its directory.
func servers() map[string]func(t *testing.T) (hawser.Connection, string) {
	inProcess := func(packet uint32, limits bool) func(t *testing.T) (hawser.Connection, string) {
		return func(t *testing.T) (hawser.Connection, string) {
			root := t.TempDir()
			s := start(t, testserver.SSHConfig{
				Passwords: map[string]string{"hawser": password},
				Root:      root, SFTPPacket: packet, Limits: limits,
				SFTP: testserver.TapSFTP(testserver.Files(root, packet), natural(root)),
			})
			c := to(s)
			c.Auth.Password = hawser.NewSecret(password)
			return c, root
		}
	}
	openSSH := func(cfg testserver.OpenSSHConfig) func(t *testing.T) (hawser.Connection, string) {
		return func(t *testing.T) (hawser.Connection, string) {
			s := testserver.OpenSSH(t, cfg)
			return toReal(s), s.Dir
		}
	}
	return map[string]func(t *testing.T) (hawser.Connection, string){
		"in process":                    inProcess(0, false),
		"in process with limits":        inProcess(0, true),
		"in process with large limits":  inProcess(256*kib, true),
		"in process with large answers": inProcess(256*kib, false),
		"OpenSSH":                       openSSH(testserver.OpenSSHConfig{}),
		"OpenSSH's sftp-server":         openSSH(testserver.OpenSSHConfig{ExternalSFTP: true}),
		"ProFTPD": func(t *testing.T) (hawser.Connection, string) {
			s := testserver.ProFTPD(t, testserver.ProFTPDConfig{})
			return toReal(s), s.Dir
		},
	}
}

// eachServer runs check as a subtest for each server.
func eachServer(t *testing.T, check func(t *testing.T, c hawser.Connection, dir string)) {
	t.Helper()
	for name, serve := range servers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name == "OpenSSH's sftp-server" {
				requireExternal(t)
			}
			c, dir := serve(t)
			check(t, c, dir)
		})
	}
}

const external = "/usr/lib/openssh/sftp-server"

func requireExternal(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(external); err != nil {
		testserver.Unavailable(t, "openssh", external+" is not installed")
	}
}

// natural mends what the server of pkg/sftp does not know of its own working
// directory: it makes the targets of links absolute, and asks for the space of
// names as they are.
func natural(root string) testserver.Hook {
	return func(p testserver.Packet) (forward, reply *testserver.Packet) {
		switch p.Type {
		case testserver.FxpSymlink:
			var m struct{ Target, Link string }
			if xssh.Unmarshal(p.Payload, &m) != nil {
				return &p, nil
			}
			if err := os.Symlink(m.Target, filepath.Join(root, m.Link)); err != nil {
				return nil, testserver.Status(p.ID, 4, err.Error())
			}
			return nil, testserver.Status(p.ID, 0, "")
		case testserver.FxpExtended:
			var m struct{ Name, Path string }
			if xssh.Unmarshal(p.Payload, &m) == nil && m.Name == "statvfs@openssh.com" {
				m.Path = filepath.Join(root, m.Path)
				p.Payload = xssh.Marshal(m)
			}
		}
		return &p, nil
	}
}

// The leaks of one server are looked for by a rule, so nothing else may run.
func TestDialer(t *testing.T) {
	for _, name := range []string{"in process", "OpenSSH", "ProFTPD"} {
		t.Run(name, func(t *testing.T) {
			if name == "ProFTPD" && os.Getenv("HAWSER_REAL") == "" {
				t.Skip("takes long; HAWSER_REAL=all runs it")
			}
			c, _ := servers()[name](t)
			denied := c.Clone()
			denied.Auth.Password = hawser.NewSecret("shut sesame 8473")
			require.NoError(t, c.Validate())
			hawsertest.TestDialer(t, hawsertest.DialerHarness{Dialer: sftp.Dialer{}, Good: c, Denied: denied})
		})
	}
}

func TestFileSystem(t *testing.T) {
	t.Parallel()
	eachServer(t, func(t *testing.T, c hawser.Connection, _ string) {
		hawsertest.TestFileSystem(t, func(t *testing.T) hawser.FileSystem {
			skipDeviations(t)
			return login(t, c)
		})
	})
}

// skipDeviations skips rules that a server breaks by itself, and the one that
// takes long, but on one server.
func skipDeviations(t *testing.T) {
	t.Helper()
	server, rule := path.Base(path.Dir(t.Name())), path.Base(t.Name())
	switch {
	case strings.Contains(rule, "10,000") && server != "in_process" && os.Getenv("HAWSER_REAL") == "":
		t.Skip("takes long; HAWSER_REAL=all runs it")
	case server == "OpenSSH's_sftp-server" && os.Getenv("HAWSER_REAL") == "":
		t.Skip("it is the program that internal-sftp is, in a process of its own; HAWSER_REAL=all runs it")
	case strings.Contains(rule, "symbolic_link") && server == "ProFTPD":
		t.Skip("mod_sftp follows links where it should not; see TestSymlink")
	}
}
