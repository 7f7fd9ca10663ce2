package testserver

import (
	"bufio"
	"context"
	"crypto/rand"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// How a proxy wants its clients to log in.
const (
	ProxyBasic    = "basic"    // RFC 7617
	ProxyDigest   = "digest"   // RFC 7616, by MD5
	ProxyPassword = "password" // SOCKS5, RFC 1929
)

// ProxyServerConfig configures [Squid], [Tinyproxy], [Dante] and [Microsocks]. The zero value is a proxy that lets
// everyone go anywhere, by IPv6 too. A test that asks one for what it does not have fails.
type ProxyServerConfig struct {
	// Auth is [ProxyBasic] or [ProxyDigest] of an HTTP proxy, [ProxyPassword] of SOCKS or, for none, empty.
	Auth string
	// TLS lets clients speak TLS to the proxy, on another port. Squid alone has it.
	TLS bool
	// Identity is what the proxy presents with TLS. Nil is a fresh one.
	Identity *Identity
	// DenyPorts are the ports of targets that the proxy's rules refuse. Microsocks has no rules.
	DenyPorts []uint16
	// Lines go to the configuration where they win over the helper's own. Microsocks has none.
	Lines []string
}

// ProxyServer is a real proxy that runs until its test ends. Its fields, among them Host and Port, are for reading.
type ProxyServer struct {
	endpoint
	// User and Password log in. They are there without Auth as well, and log nobody in.
	User, Password string
	// Name is a name of 127.0.0.1 that the proxy alone knows. It knows localhost too, and asks no name server.
	Name string
	// TLSPort is where clients are to speak TLS. It is zero without TLS.
	TLSPort uint16
	// Identity is what the proxy presents there, and CA a PEM file of its authority. Both are zero without TLS.
	Identity *Identity
	CA       string
}

// TLSAddr is host:port of TLSPort, ready for tls.Dial.
func (s *ProxyServer) TLSAddr() string {
	return net.JoinHostPort(s.Host, strconv.Itoa(int(s.TLSPort)))
}

// newProxyServer makes what all proxies need in dir: a user, in the system's files as well, and the names that it is
// to know.
func newProxyServer(t testing.TB, dir, openssl string) *ProxyServer {
	t.Helper()
	s := &ProxyServer{User: realUser, Password: rand.Text(), Name: "behind.example"}
	putUser(t, dir, dir, crypted(t, openssl, s.Password), "proxy")
	put(t, dir, "hosts", "127.0.0.1 localhost "+s.Name+"\n", 0o644)
	put(t, dir, "nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files\n", 0o644)
	return s
}

// proxyPrograms returns the paths of openssl and of the programs of the proxy called name.
func proxyPrograms(t testing.TB, name string, programs ...string) (openssl string, paths []string) {
	t.Helper()
	paths = Real(t, name, append([]string{"openssl", "mount"}, programs...)...)
	if os.Geteuid() != 0 {
		Unavailable(t, name, "it needs root for names and users of its own")
	}
	return paths[0], paths[2:]
}

// check ends a test that asks the proxy called name for a login that it does not have.
func (cfg ProxyServerConfig) check(t testing.TB, name string, auth ...string) {
	t.Helper()
	if cfg.Auth != "" && !slices.Contains(auth, cfg.Auth) {
		t.Fatalf("%s: it has no login by %q", name, cfg.Auth)
	}
	if cfg.TLS && name != "squid" {
		t.Fatalf("%s: it has no TLS", name)
	}
}

// deniedPorts are DenyPorts as text.
func (cfg ProxyServerConfig) deniedPorts() []string {
	list := make([]string, 0, len(cfg.DenyPorts))
	for _, port := range cfg.DenyPorts {
		list = append(list, strconv.Itoa(int(port)))
	}
	return list
}

// proxyCommand runs a proxy where it sees the users and the names of dir and no others, and where no process outlives
// it.
func proxyCommand(dir string, command ...string) *exec.Cmd {
	shells := []string{"-c", privateSystem, "sh", dir, "sh", "-c", proxySystem, "sh", dir}
	return isolated("sh", append(shells, command...)...)
}

// proxySystem puts the names of $1 in place and runs the rest of its arguments below itself, as firstProcess does.
// Squid leaves files in /dev/shm behind, and shares them with any other that runs.
const proxySystem = `set -e
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
for name in hosts nsswitch.conf; do
	mount --bind "$1/$name" "/etc/$name"
done
shift
` + firstProcess

// httpAnswer sends a request to an HTTP proxy and reports whether the answer contains mark.
func httpAnswer(ctx context.Context, addr, mark string, request ...string) bool {
	found := false
	probe(ctx, addr, func(c net.Conn) {
		if _, err := c.Write([]byte(strings.Join(request, "\r\n") + "\r\n\r\n")); err != nil {
			return
		}
		for lines := bufio.NewScanner(c); !found && lines.Scan(); {
			found = strings.Contains(lines.Text(), mark)
		}
	})
	return found
}
