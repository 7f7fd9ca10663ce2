package testserver

import (
	"context"
	"crypto/md5"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Squid starts Squid for the length of the test, and skips the test where that cannot be; see [Unavailable]. It
// accepts CONNECT to any port but those denied, and other requests.
//
// A tunnel ends as soon as one side has closed its half. What it refuses by a rule or for want of a login leaves the
// connection to the client open, and what it cannot reach closes it.
//
// It needs Linux, root and leave to make namespaces, as [OpenSSH] does, for it becomes another user and has helpers.
func Squid(t testing.TB, cfg ProxyServerConfig) *ProxyServer {
	t.Helper()
	cfg.check(t, "squid", ProxyBasic, ProxyDigest)
	const helpers = "/usr/lib/squid/"
	openssl, programs := proxyPrograms(t, "squid", "squid", helpers+"basic_ncsa_auth", helpers+"digest_file_auth")
	dir := scratch(t, "squid")
	s := newProxyServer(t, dir, openssl)
	// It is the realm too.
	name := strings.ToLower(rand.Text()) + ".example"
	// It opens the file as the other user.
	log := put(t, dir, "access.log", "", 0o644)
	if err := os.Chown(log, realID, realID); err != nil {
		t.Fatal(err)
	}
	lines := []string{squidBase, "visible_hostname " + name, "access_log stdio:" + log}
	lines = append(lines, s.squidAuth(t, dir, name, openssl, programs, cfg)...)
	lines = append(append(lines, cfg.Lines...), cfg.squidAccess()...)
	var files pemFiles
	if cfg.TLS {
		files = identify(t, dir, cfg.Identity)
		s.Identity, s.CA = files.identity, files.ca
	}
	d := daemon{name: "squid", dir: dir, logs: logs{log}, answers: s.squidAnswers(name), abrupt: true}
	d.command = func(port uint16) *exec.Cmd {
		ports := []string{fmt.Sprintf("http_port 127.0.0.1:%d", port)}
		if cfg.TLS {
			s.TLSPort = freePortBut(t, port)
			ports = append(ports, fmt.Sprintf("https_port 127.0.0.1:%d tls-cert=%s tls-key=%s",
				s.TLSPort, files.certificate, files.key))
		}
		conf := put(t, dir, "squid.conf", strings.Join(append(ports, lines...), "\n")+"\n", 0o644)
		return proxyCommand(dir, programs[0], "-N", "-d", "1", "-f", conf)
	}
	s.endpoint = d.launch(t)
	return s
}

// freePortBut is a freePort of 127.0.0.1 other than taken.
func freePortBut(t testing.TB, taken uint16) uint16 {
	t.Helper()
	for {
		if port := freePort(t, "127.0.0.1"); port != taken {
			return port
		}
	}
}

// squidBase holds the settings that never change: it keeps nothing and measures nothing, and what it has to say it
// writes to its error output, by -d. It looks names up itself, where nobody answers.
const squidBase = `cache deny all
cache_log /dev/null
cache_store_log none
netdb_filename none
pid_filename none
pinger_enable off
memory_pools off
coredump_dir /
shutdown_lifetime 0 seconds
dns_nameservers 127.255.255.254
dns_timeout 100 milliseconds
dns_retransmit_interval 100 milliseconds
cache_effective_user ` + realUser

// squidAuth is the login of s.User, and the file that the helper reads it from.
func (s *ProxyServer) squidAuth(
	t testing.TB, dir, realm, openssl string, programs []string, cfg ProxyServerConfig,
) []string {
	t.Helper()
	helper := programs[1]
	login := s.User + ":" + crypted(t, openssl, s.Password)
	switch cfg.Auth {
	case ProxyDigest:
		helper = programs[2] + " -c"
		// H(A1) of RFC 7616, section 3.4.2.
		login = fmt.Sprintf("%s:%s:%x", s.User, realm, md5.Sum([]byte(s.User+":"+realm+":"+s.Password)))
	case "":
		return nil
	}
	file := put(t, dir, "logins", login+"\n", 0o644)
	return []string{
		"auth_param " + cfg.Auth + " program " + helper + " " + file,
		"auth_param " + cfg.Auth + " children 5 startup=1 idle=1",
		"auth_param " + cfg.Auth + " realm " + realm,
		"acl known proxy_auth REQUIRED",
	}
}

// squidAccess are the rules, of which the first that matches decides. As in the configuration that Squid ships with,
// ports come before users.
func (cfg ProxyServerConfig) squidAccess() []string {
	var lines []string
	if len(cfg.DenyPorts) > 0 {
		lines = append(lines, "acl denied port "+strings.Join(cfg.deniedPorts(), " "), "http_access deny denied")
	}
	if cfg.Auth != "" {
		return append(lines, "http_access allow known", "http_access deny all")
	}
	return append(lines, "http_access allow all")
}

// squidAnswers is the answers of a Squid that calls itself name, on both ports.
func (s *ProxyServer) squidAnswers(name string) func(ctx context.Context, addr string) bool {
	return func(ctx context.Context, addr string) bool {
		// The request is a bad one, which it needs no login for.
		if !httpAnswer(ctx, addr, name, "GET nothing HTTP/1.1") {
			return false
		}
		if s.TLSPort == 0 {
			return true
		}
		found := false
		host, _, _ := net.SplitHostPort(addr)
		probe(ctx, net.JoinHostPort(host, fmt.Sprint(s.TLSPort)), func(c net.Conn) {
			found = presentsCertificate(ctx, c, s.Identity.Certificate.Certificate[0])
		})
		return found
	}
}
