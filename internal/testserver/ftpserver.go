package testserver

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
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

// pemFiles are the names of a certificate's file, with its chain, and of its key's.
type pemFiles struct {
	certificate, key string
	rsa              bool // else ECDSA
}

// identify gives the server its certificate.
func (s *FTPServer) identify(t testing.TB, dir string, cfg FTPServerConfig) pemFiles {
	t.Helper()
	if cfg.TLS == "" {
		return pemFiles{}
	}
	s.Identity = cfg.Identity
	if s.Identity == nil {
		fresh, err := NewIdentity()
		if err != nil {
			t.Fatal(err)
		}
		s.Identity = fresh
	}
	s.CA = put(t, dir, "ca.pem", string(s.Identity.PEM()), 0o644)
	var chain bytes.Buffer
	for _, der := range s.Identity.Certificate.Certificate {
		chain.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	key, err := x509.MarshalPKCS8PrivateKey(s.Identity.Certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	private := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))
	_, isRSA := s.Identity.Certificate.PrivateKey.(*rsa.PrivateKey)
	return pemFiles{
		rsa:         isRSA,
		certificate: put(t, dir, "cert.pem", chain.String(), 0o644),
		key:         put(t, dir, "key.pem", private, 0o600),
	}
}

// greets is the answers of an FTP server whose greeting contains name. One that begins with TLS is known by its
// certificate, for it may demand one of the client before it greets.
func (s *FTPServer) greets(cfg FTPServerConfig, name string) func(ctx context.Context, addr string) bool {
	return func(ctx context.Context, addr string) bool {
		found := false
		probe(ctx, addr, func(c net.Conn) {
			if cfg.TLS == FTPImplicit {
				found = presentsCertificate(ctx, c, s.Identity.Certificate.Certificate[0])
				return
			}
			line, _ := bufio.NewReader(c).ReadString('\n')
			found = strings.HasPrefix(line, "220 ") && strings.Contains(line, name)
		})
		return found
	}
}

func presentsCertificate(ctx context.Context, c net.Conn, want []byte) bool {
	seen := false
	// What the handshake comes to is of no interest.
	_ = tls.Client(c, &tls.Config{
		InsecureSkipVerify: true,
		VerifyConnection: func(state tls.ConnectionState) error {
			seen = bytes.Equal(state.PeerCertificates[0].Raw, want)
			return nil
		},
	}).HandshakeContext(ctx)
	return seen
}
