package testserver

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Dante starts Dante's server for the length of the test, and skips the test where that cannot be; see [Unavailable].
// It speaks SOCKS5, and SOCKS4 if there is no login, with CONNECT and BIND to any port but those denied. It does not
// know SOCKS4a: it takes the mark of a name for an address.
//
// It needs Linux, root and leave to make namespaces, as [OpenSSH] does and for the same reason: it checks passwords
// against the system's users.
func Dante(t testing.TB, cfg ProxyServerConfig) *ProxyServer {
	t.Helper()
	cfg.check(t, "dante", ProxyPassword)
	openssl, programs := proxyPrograms(t, "dante", "danted")
	dir := scratch(t, "dante")
	s := newProxyServer(t, dir, openssl)
	// Of 16 million addresses of the loopback, this one is forbidden.
	mark := fmt.Sprintf("127.%d.%d.%d", 1+rand.N(254), rand.N(256), rand.N(256))
	log := filepath.Join(dir, "dante.log")
	d := daemon{name: "dante", dir: dir, logs: logs{log}, answers: s.danteAnswers(mark, cfg), abrupt: true}
	d.command = func(port uint16) *exec.Cmd {
		lines := append(cfg.dante(log, port), cfg.Lines...)
		lines = append(lines, cfg.danteRules(mark)...)
		conf := put(t, dir, "danted.conf", strings.Join(lines, "\n")+"\n", 0o600)
		return proxyCommand(dir, programs[0], "-f", conf)
	}
	s.endpoint = d.launch(t)
	return s
}

// dante are the settings, which Dante wants before any rule.
func (cfg ProxyServerConfig) dante(log string, port uint16) []string {
	method := "none"
	if cfg.Auth != "" {
		method = "username"
	}
	return []string{
		"logoutput: " + log, fmt.Sprintf("internal: 127.0.0.1 port = %d", port), "external: lo",
		"clientmethod: none", "socksmethod: " + method, "user.privileged: root", "user.unprivileged: " + realUser,
	}
}

// danteRules are the rules, of which the first that matches decides. A bindreply is the connection that a BIND waits
// for.
func (cfg ProxyServerConfig) danteRules(mark string) []string {
	block := func(to string) string { return "socks block {\nfrom: 0/0 to: " + to + "\nlog: error\n}" }
	lines := []string{"client pass {\nfrom: 0/0 to: 0/0\nlog: error\n}", block(mark + "/32")}
	for _, port := range cfg.deniedPorts() {
		lines = append(lines, block("0/0 port = "+port))
	}
	return append(lines, "socks pass {\nfrom: 0/0 to: 0/0\nlog: error\n}")
}

// danteAnswers is the answers of a Dante that forbids mark.
func (s *ProxyServer) danteAnswers(mark string, cfg ProxyServerConfig) func(ctx context.Context, addr string) bool {
	return func(ctx context.Context, addr string) bool {
		found := false
		probe(ctx, addr, func(c net.Conn) {
			found = s.socks5(c, cfg, socksRequest(1, mark, 9)) == danteNotAllowed
		})
		return found
	}
}

// Codes of a reply. The first is of RFC 1928, section 6, the second our own.
const (
	danteNotAllowed = 2
	danteNoReply    = 255
)

// socks5 says a request to a SOCKS5 server, after the login, and returns the code of the reply.
func (s *ProxyServer) socks5(c net.Conn, cfg ProxyServerConfig, request []byte) byte {
	messages := [][]byte{{5, 1, 0}, request}
	if cfg.Auth != "" {
		messages = [][]byte{{5, 1, 2}, socksLogin(s.User, s.Password), request}
	}
	var answer [2]byte
	for _, message := range messages {
		if _, err := c.Write(message); err != nil {
			return danteNoReply
		}
		if _, err := io.ReadFull(c, answer[:]); err != nil {
			return danteNoReply
		}
	}
	return answer[1]
}

// socksLogin is a login by RFC 1929.
func socksLogin(user, password string) []byte {
	message := append([]byte{1, byte(len(user))}, user...)
	return append(append(message, byte(len(password))), password...)
}

// socksRequest is one of SOCKS5, for an address or a name (RFC 1928, section 4).
func socksRequest(command byte, host string, port uint16) []byte {
	message := []byte{5, command, 0}
	switch ip, err := netip.ParseAddr(host); {
	case err != nil:
		message = append(append(message, 3, byte(len(host))), host...)
	case ip.Is4():
		message = append(append(message, 1), ip.AsSlice()...)
	default:
		message = append(append(message, 4), ip.AsSlice()...)
	}
	return binary.BigEndian.AppendUint16(message, port)
}
