package testserver

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Tinyproxy starts tinyproxy for the length of the test, and skips the test where that cannot be; see [Unavailable].
// It accepts CONNECT to any port but those denied, and other requests. A tunnel ends as soon as one side has closed its
// half.
//
// It needs Linux, root and leave to make namespaces, as [OpenSSH] does.
func Tinyproxy(t testing.TB, cfg ProxyServerConfig) *ProxyServer {
	t.Helper()
	cfg.check(t, "tinyproxy", ProxyBasic)
	openssl, programs := proxyPrograms(t, "tinyproxy", "tinyproxy")
	dir := scratch(t, "tinyproxy")
	s := newProxyServer(t, dir, openssl)
	mark := rand.Text()
	base := strings.Join(append(s.tinyproxy(t, dir, mark, cfg), cfg.Lines...), "\n")
	request := []string{"GET http://" + mark + "/ HTTP/1.0"}
	if cfg.Auth != "" {
		login := base64.StdEncoding.EncodeToString([]byte(s.User + ":" + s.Password))
		request = append(request, "Proxy-Authorization: Basic "+login)
	}
	d := daemon{name: "tinyproxy", dir: dir, abrupt: true}
	d.answers = func(ctx context.Context, addr string) bool { return httpAnswer(ctx, addr, mark+" is here", request...) }
	d.command = func(port uint16) *exec.Cmd {
		conf := put(t, dir, "tinyproxy.conf", fmt.Sprintf("%s\nPort %d\n", base, port), 0o644)
		return proxyCommand(dir, programs[0], "-d", "-c", conf)
	}
	s.endpoint = d.launch(t)
	return s
}

// tinyproxy is the configuration without the port. A request for the host called mark is answered with a page of
// ours. A filter sees host:port of CONNECT as an URL.
func (s *ProxyServer) tinyproxy(t testing.TB, dir, mark string, cfg ProxyServerConfig) []string {
	t.Helper()
	lines := []string{
		"User " + realUser, "Group " + realUser, "Listen 127.0.0.1", "Timeout 600", "MaxClients 100", "LogLevel Connect",
		fmt.Sprintf("StatHost %q", mark),
		fmt.Sprintf("StatFile %q", put(t, dir, "stat.html", mark+" is here\n", 0o644)),
	}
	if cfg.Auth != "" {
		lines = append(lines, "BasicAuth "+s.User+" "+s.Password)
	}
	if len(cfg.DenyPorts) > 0 {
		rule := fmt.Sprintf(":(%s)$\n", strings.Join(cfg.deniedPorts(), "|"))
		lines = append(lines, fmt.Sprintf("Filter %q", put(t, dir, "filter", rule, 0o644)),
			"FilterURLs On", "FilterExtended On")
	}
	return lines
}

// Microsocks starts microsocks for the length of the test, and skips the test where that cannot be; see [Unavailable].
// It speaks SOCKS5 and knows CONNECT alone. A tunnel ends as soon as one side has closed its half.
//
// It needs Linux, root and leave to make namespaces, as [OpenSSH] does.
func Microsocks(t testing.TB, cfg ProxyServerConfig) *ProxyServer {
	t.Helper()
	cfg.check(t, "microsocks", ProxyPassword)
	if len(cfg.DenyPorts)+len(cfg.Lines) > 0 {
		t.Fatal("microsocks: it has neither rules nor a configuration")
	}
	openssl, programs := proxyPrograms(t, "microsocks", "microsocks")
	dir := scratch(t, "microsocks")
	s := newProxyServer(t, dir, openssl)
	d := daemon{name: "microsocks", dir: dir, answers: s.microsocksAnswers(dir, cfg), abrupt: true}
	d.command = func(port uint16) *exec.Cmd {
		args := []string{programs[0], "-i", "127.0.0.1", "-p", fmt.Sprint(port)}
		if cfg.Auth != "" {
			args = append(args, "-u", s.User, "-P", s.Password)
		}
		return proxyCommand(dir, args...)
	}
	s.endpoint = d.launch(t)
	return s
}

// microsocksAnswers is the answers of a microsocks, which can be told from others by its output alone: it writes a line
// for each connection that it makes. Here it is one to itself.
func (s *ProxyServer) microsocksAnswers(dir string, cfg ProxyServerConfig) func(ctx context.Context, addr string) bool {
	return func(ctx context.Context, addr string) bool {
		probe(ctx, addr, func(c net.Conn) {
			if own, err := netip.ParseAddrPort(addr); err == nil {
				s.socks5(c, cfg, socksRequest(1, own.Addr().String(), own.Port()))
			}
		})
		output, _ := os.ReadFile(filepath.Join(dir, "output.log"))
		return strings.Contains(string(output), ": connected to "+addr)
	}
}
