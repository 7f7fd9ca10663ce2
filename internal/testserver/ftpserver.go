package testserver

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// How an FTP server speaks TLS.
const (
	FTPExplicit = "explicit" // after AUTH TLS (RFC 4217)
	FTPImplicit = "implicit" // from the first byte
)

// FTPServerConfig configures [VSFTPD] and [ProFTPDFTP]. The zero value is a server without TLS.
type FTPServerConfig struct {
	// TLS is [FTPExplicit], [FTPImplicit] or, for none, empty.
	TLS string
	// MinTLS and MaxTLS are tls.VersionTLS12 or tls.VersionTLS13. Zero is 1.2 and 1.3.
	MinTLS, MaxTLS uint16
	// Identity is what the server presents. Nil is a fresh one.
	Identity *Identity
	// ClientCA is a PEM file. If set, the server demands a certificate signed by one of those.
	ClientCA string
	// Require refuses logins and data without TLS.
	Require bool
	// NoReuse accepts data connections that do not resume a TLS session. By default, as both servers ship, they
	// must resume the one of the control connection.
	NoReuse bool
	// Anonymous lets the user "anonymous" in with any password, to read what others may read in Dir.
	Anonymous bool
	// IPv6 listens on ::1 and not on 127.0.0.1.
	IPv6 bool
	// Deny lists commands that the server is to refuse, such as EPSV or MLSD.
	Deny []string
	// PASVAddress is announced in replies to PASV, as behind a NAT. Empty announces the real one.
	PASVAddress string
	// IdleTimeout ends a session that is idle for so long, in whole seconds. Zero is the server's default, minutes.
	IdleTimeout time.Duration
	// Lines go to the end of the configuration, where they win over the helper's own.
	Lines []string
}

// FTPServer is a real FTP server that runs until its test ends. Its fields, among them Host and Port, are for reading.
type FTPServer struct {
	endpoint
	// User and Password log in.
	User, Password string
	// Dir is an empty directory of the local disk where sessions start. The user may write to it.
	Dir string
	// Home is the name of Dir in sessions: "/" for a server that runs as root and can lock them in there.
	Home string
	// Identity is what the server presents, and CA a PEM file of its authority. Both are zero without TLS.
	Identity *Identity
	CA       string

	uid, gid int
}

// Put makes a file in Dir that belongs to the user, with the directories above it.
func (s *FTPServer) Put(t testing.TB, name, content string) {
	t.Helper()
	path := s.Dir
	parts := strings.Split(name, "/")
	for _, part := range parts[:len(parts)-1] {
		path = filepath.Join(path, part)
		if err := os.Mkdir(path, 0o755); err == nil {
			s.own(t, path)
		}
	}
	s.own(t, put(t, path, parts[len(parts)-1], content, 0o644))
}

func (s *FTPServer) own(t testing.TB, path string) {
	t.Helper()
	if err := os.Chown(path, s.uid, s.gid); err != nil {
		t.Fatal(err)
	}
}

// newFTPServer makes what both servers need: a user and the home directory.
func newFTPServer(t testing.TB, dir string) *FTPServer {
	t.Helper()
	s := &FTPServer{
		User: realUser, Password: rand.Text(), Dir: filepath.Join(dir, "home"), Home: "/",
		uid: realID, gid: realID,
	}
	if os.Geteuid() != 0 {
		s.Home, s.uid, s.gid = s.Dir, os.Getuid(), os.Getgid()
	}
	if err := os.Mkdir(s.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s.own(t, s.Dir)
	return s
}

// host is where the server is to listen. A machine without IPv6 skips the test.
func (cfg FTPServerConfig) host(t testing.TB) string {
	t.Helper()
	if !cfg.IPv6 {
		return "127.0.0.1"
	}
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skipf("no IPv6 loopback: %v", err)
	}
	_ = l.Close()
	return "::1"
}

// versions fills in the defaults.
func (cfg FTPServerConfig) versions() (minTLS, maxTLS uint16) {
	minTLS, maxTLS = cfg.MinTLS, cfg.MaxTLS
	if minTLS == 0 {
		minTLS = tls.VersionTLS12
	}
	if maxTLS == 0 {
		maxTLS = tls.VersionTLS13
	}
	return minTLS, maxTLS
}

// identify gives the server its certificate.
func (s *FTPServer) identify(t testing.TB, dir string, cfg FTPServerConfig) (files pemFiles) {
	t.Helper()
	if cfg.TLS != "" {
		files = identify(t, dir, cfg.Identity)
		s.Identity, s.CA = files.identity, files.ca
	}
	return files
}

// greets is the answers of an FTP server whose greeting contains name. One that begins with TLS is known by its
// certificate, for it may demand one of the client before it greets.
func (s *FTPServer) greets(cfg FTPServerConfig, name string) func(ctx context.Context, addr string) bool {
	return greets(name, s.Identity, cfg.TLS == FTPImplicit)
}
