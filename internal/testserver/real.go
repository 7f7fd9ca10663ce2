package testserver

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// Server is a real server of SSH that runs until its test ends. Its fields, among them Host and Port, are for reading.
type Server struct {
	endpoint
	// User and Password log in by "password", and by "keyboard-interactive" where the server has it.
	User, Password string
	// HostKeys are what the server presents, one a type.
	HostKeys []ssh.PublicKey
	// Dir is an empty directory that the user may write to and where SFTP sessions and commands start.
	Dir string
}

// endpoint is where a real server listens and what it writes about itself.
type endpoint struct {
	Host string
	Port uint16

	logs logs
}

// logs are the names of log files.
type logs []string

// Addr is host:port, ready for net.Dial.
func (e endpoint) Addr() string {
	return net.JoinHostPort(e.Host, strconv.Itoa(int(e.Port)))
}

// Log returns what the server has written to its logs. A failed test logs it by itself.
func (e endpoint) Log() string {
	var log strings.Builder
	for _, name := range e.logs {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // No log yet: the server may not have started.
		}
		_, _ = fmt.Fprintf(&log, "--- %s\n%s", filepath.Base(name), text)
	}
	return log.String()
}

// Real returns the paths of the programs that the real server called name needs. If one is not installed, or the
// environment variable HAWSER_REAL is "none", the test ends here; see [Unavailable].
func Real(t testing.TB, name string, programs ...string) []string {
	t.Helper()
	if os.Getenv("HAWSER_REAL") == "none" {
		t.Skipf("%s: HAWSER_REAL is none", name)
	}
	paths := make([]string, 0, len(programs))
	for _, program := range programs {
		path, ok := find(program)
		if !ok {
			Unavailable(t, name, program+" is not installed")
		}
		paths = append(paths, path)
	}
	return paths
}

// Unavailable ends a test that needs the real server called name, which this machine cannot run for the reason
// given: it skips the test, or fails it if the environment variable HAWSER_REAL is "all" or a list with commas that
// contains name.
func Unavailable(t testing.TB, name, reason string) {
	t.Helper()
	wanted := strings.Split(os.Getenv("HAWSER_REAL"), ",")
	if slices.Contains(wanted, "all") || slices.Contains(wanted, name) {
		t.Fatalf("%s: %s", name, reason)
	}
	t.Skipf("%s: %s", name, reason)
}

// find looks where daemons are too, which a user's PATH may leave out.
func find(program string) (string, bool) {
	if path, err := exec.LookPath(program); err == nil {
		return path, true
	}
	for _, dir := range []string{"/usr/sbin", "/usr/local/sbin", "/sbin"} {
		if path, err := exec.LookPath(filepath.Join(dir, program)); err == nil {
			return path, true
		}
	}
	return "", false
}

// scratch makes a directory that users other than root can pass through, which a t.TempDir is not: testing makes its
// parent for the owner alone.
func scratch(t testing.TB, name string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "hawser-"+name+"-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	})
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	return dir
}

// put writes a file of the configuration and returns its name.
func put(t testing.TB, dir, name, content string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// crypted hashes a password as crypt(3) does with SHA-512.
func crypted(t testing.TB, openssl, password string) string {
	t.Helper()
	cmd := exec.Command(openssl, "passwd", "-6", "-stdin")
	cmd.Stdin = strings.NewReader(password + "\n")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("openssl passwd: %v", err)
	}
	return strings.TrimSpace(string(out))
}
