package testserver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// FTPConfig says who may log in to an [FTP] server and how it behaves. The zero value works: it lets anybody in,
// without TLS, and serves a fresh temporary directory.
type FTPConfig struct {
	// Users maps users to what they log in with. Nil lets anybody in, with any password.
	Users map[string]string
	// Account, if set, is what ACCT must say after the password.
	Account string
	// CertLogin lets in whoever presents a client certificate that is verified, by USER alone (reply 232; RFC 2228,
	// section 4). TLSConfig says which are.
	CertLogin bool
	// Root is the directory that sessions know as "/" and cannot leave. Empty means a fresh temporary directory,
	// which Close removes.
	Root string

	// TLS is [FTPExplicit], [FTPImplicit] or, for none, empty.
	TLS string
	// Identity is presented over TLS. Nil means a fresh one.
	Identity *Identity
	// TLSConfig, if set, has the last word on the configuration, to choose versions or ask for client certificates.
	TLSConfig func(*tls.Config)
	// Require refuses logins and data without TLS.
	Require bool
	// RequireReuse wants each data connection to resume a TLS session of its own control connection, as ProFTPD does.
	RequireReuse bool

	// Unknown lists commands that the server is not to know, such as MLSD or EPSV; FEAT does not list them either.
	Unknown []string
	// Idle ends a session that says nothing for so long. Zero means never.
	Idle time.Duration

	// Reply, if set, changes replies: what it returns is said in place of reply, nothing if that is empty. Both are
	// without the last CR LF, and lines within are separated by LF. command is the one that is answered, empty for
	// the greeting. Replies of one session come one at a time, those of several sessions concurrently.
	Reply func(command, reply string) string
	// Data, if set, may wrap a data connection, on top of TLS, to shorten what it carries for example. command is
	// the one that opened it.
	Data func(command string, c net.Conn) net.Conn
}

// FTP is an FTP server in this process, for tests and examples (RFC 959, 2228, 2389, 2428, 3659, 4217 and the HASH
// draft). It transfers passively and actively, with and without TLS. All methods may be called concurrently.
type FTP struct {
	tcp  TCP
	cfg  FTPConfig
	tls  *tls.Config // nil without TLS
	gate *gate
	own  string // temporary directory, removed by Close
	ca   string // file
	dir  string // what sessions know as "/"
	root *os.Root

	commands map[string]ftpCommand

	accepted      atomic.Int64
	full, resumed atomic.Int64 // TLS handshakes of data connections

	mu    sync.Mutex // guards heard
	heard []string
}

// StartFTP starts a server on a free port of 127.0.0.1. The caller closes it.
func StartFTP(cfg FTPConfig) (*FTP, error) {
	s := &FTP{cfg: cfg, gate: newGate(), tcp: TCP{conns: newTracker()}, commands: ftpCommands()}
	for _, name := range cfg.Unknown {
		if _, ok := s.commands[name]; !ok {
			return nil, fmt.Errorf("testserver: Unknown has %q, which the server never knew", name)
		}
		delete(s.commands, name)
	}
	if err := s.prepare(); err != nil {
		_ = s.Close()
		return nil, err
	}
	if err := s.tcp.listen(s.handle); err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

// prepare makes the directories and the identity.
func (s *FTP) prepare() error {
	own, err := os.MkdirTemp("", "hawser-ftp-")
	if err != nil {
		return fmt.Errorf("testserver: %w", err)
	}
	s.own, s.dir = own, s.cfg.Root
	if s.dir == "" {
		s.dir = filepath.Join(own, "root")
		if err := os.Mkdir(s.dir, 0o755); err != nil {
			return fmt.Errorf("testserver: %w", err)
		}
	}
	if s.root, err = os.OpenRoot(s.dir); err != nil {
		return fmt.Errorf("testserver: %w", err)
	}
	switch s.cfg.TLS {
	case "":
		return nil
	case FTPExplicit, FTPImplicit:
		return s.secure()
	}
	return fmt.Errorf("testserver: TLS is %q, want %q, %q or nothing", s.cfg.TLS, FTPExplicit, FTPImplicit)
}

func (s *FTP) secure() error {
	if s.cfg.Identity == nil {
		fresh, err := NewIdentity()
		if err != nil {
			return err
		}
		s.cfg.Identity = fresh
	}
	s.ca = filepath.Join(s.own, "ca.pem")
	if err := os.WriteFile(s.ca, s.cfg.Identity.PEM(), 0o600); err != nil {
		return fmt.Errorf("testserver: %w", err)
	}
	s.tls = &tls.Config{Certificates: []tls.Certificate{s.cfg.Identity.Certificate}, MinVersion: tls.VersionTLS12}
	if s.cfg.TLSConfig != nil {
		s.cfg.TLSConfig(s.tls)
	}
	return nil
}

// sessionTLS is the configuration for one control connection and its data connections. With RequireReuse no other one
// can read its tickets: a clone of a configuration that was never used makes keys of its own.
func (s *FTP) sessionTLS() *tls.Config {
	if s.tls == nil || !s.cfg.RequireReuse {
		return s.tls
	}
	return s.tls.Clone()
}

// Addr is host:port, ready for net.Dial.
func (s *FTP) Addr() string { return s.tcp.Addr() }

// Host is the address without the port: 127.0.0.1.
func (s *FTP) Host() string { return s.tcp.Host() }

// Port is the port that the system chose.
func (s *FTP) Port() uint16 { return s.tcp.Port() }

// Root is the directory that sessions know as "/".
func (s *FTP) Root() string { return s.dir }

// Identity is what the server presents, nil without TLS.
func (s *FTP) Identity() *Identity { return s.cfg.Identity }

// CA is a PEM file of the authority of the server's certificate, for as long as the server runs. It is empty without
// TLS.
func (s *FTP) CA() string { return s.ca }

// Sessions counts the control connections that have not ended yet, logged in or not. One that the client closed
// counts until the server noticed.
func (s *FTP) Sessions() int { return s.tcp.conns.count() }

// Accepted counts all control connections since the start, ended ones too.
func (s *FTP) Accepted() int { return int(s.accepted.Load()) }

// DataHandshakes counts the TLS handshakes of data connections since the start: the full ones, and those that resumed
// a session.
func (s *FTP) DataHandshakes() (full, resumed int) {
	return int(s.full.Load()), int(s.resumed.Load())
}

// Commands are what clients have said since the start, one line each, without the words of PASS and ACCT.
func (s *FTP) Commands() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.heard)
}

// Drop cuts every open connection; the server goes on listening.
func (s *FTP) Drop() { s.tcp.conns.drop() }

// Freeze makes the server neither read nor write, on present and future connections, control and data, which stay
// open: what a client sees of a stopped process or a dead link. Drop and Close still work.
func (s *FTP) Freeze() { s.gate.freeze() }

// Thaw undoes Freeze. No byte is lost between the two.
func (s *FTP) Thaw() { s.gate.thaw() }

// Close stops listening, cuts every connection and waits for the sessions. It removes the directory that an empty
// FTPConfig.Root made. Closing twice is harmless.
func (s *FTP) Close() error {
	var errs []error
	if s.tcp.listener != nil {
		errs = append(errs, s.tcp.Close())
	}
	if s.root != nil {
		errs = append(errs, s.root.Close())
	}
	if s.own != "" {
		errs = append(errs, os.RemoveAll(s.own))
	}
	return errors.Join(errs...)
}

// handle is the Handler of one control connection.
func (s *FTP) handle(ctx context.Context, c net.Conn) {
	s.accepted.Add(1)
	gated := s.gate.wrap(c)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// A frozen connection waits at the gate, where closing c alone does not reach it.
	stop := context.AfterFunc(ctx, func() { _ = gated.Close() })
	defer stop()
	session := &ftpSession{
		server: s, raw: gated, tls: s.sessionTLS(), dir: "/", binary: false, facts: mlstFacts(), hash: "SHA-256",
	}
	session.serve(ctx)
	_ = gated.Close()
	session.reader.Wait()
}
