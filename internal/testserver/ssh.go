package testserver

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/crypto/ssh"
)

// SSHConfig says who may log in to an [SSH] server and what it does for them. The zero value works: it lets anybody
// in by method "none", runs commands with sh and serves files from a fresh temporary directory.
type SSHConfig struct {
	// Passwords maps users to what they log in with by method "password".
	Passwords map[string]string
	// Keys maps users to the public keys that they log in with.
	Keys map[string][]ssh.PublicKey
	// UserCA, if set, vouches for OpenSSH user certificates that name the user as principal.
	UserCA ssh.PublicKey
	// Interactive maps users to the answers to keyboard-interactive prompts. As OpenSSH with PAM does, the server
	// asks in one round per prompt, "Password: " and then "Code: " until the answers are used up, and ends with a
	// round that asks nothing.
	Interactive map[string][]string
	// AllowNone lists users let in by method "none". If this and all of the above are empty, everybody is.
	AllowNone []string
	// Banner is shown before authentication. Empty shows none.
	Banner string

	// HostKeys are offered to clients, at most one a type. Nil means a fresh Ed25519 key.
	HostKeys []ssh.Signer
	// Root is the directory where relative SFTP names start and commands run. Empty means a fresh temporary
	// directory, which Close removes.
	Root string

	// Exec runs an exec request and returns its exit status; a negative one ends the session without a status.
	// Nil means [Shell].
	Exec func(*Command) int
	// SFTP replaces the sftp subsystem. Nil means the server of github.com/pkg/sftp on the real file system.
	SFTP SFTPServer
	// SFTPPacket is the largest answer to a READ of the standard subsystem, in bytes, at least 32 KiB, which zero
	// means. Larger READs are answered short, on which pkg/sftp's WriteTo loses data (pkg/sftp issue 658).
	SFTPPacket uint32
	// Limits makes the sftp subsystem, replaced or not, announce and answer limits@openssh.com.
	Limits bool

	// Forward serves direct-tcpip channels (RFC 4254, section 7.2): it is given the host:port that the client asks for,
	// and returns the one to connect to, so that names need no DNS. Its error refuses the channel as prohibited, with
	// the error's text. Under nil the server does not know the type of channel. It is called concurrently.
	Forward func(addr string) (string, error)

	// ServerConfig, if set, has the last word on the configuration, to choose algorithms for example.
	ServerConfig func(*ssh.ServerConfig)
}

// SSH is an SSH server in this process, for tests and examples. It serves exec requests, the sftp subsystem and, under
// SSHConfig.Forward, tunnels; it refuses shells and every other channel, and answers keepalive@openssh.com with failure
// as OpenSSH does. All methods may be called concurrently.
type SSH struct {
	tcp    TCP
	cfg    SSHConfig
	server *ssh.ServerConfig
	hosts  []ssh.Signer
	gate   *gate
	root   func() (string, error) // makes a temporary directory on first use

	accepted   atomic.Int64
	keepalives atomic.Int64
	tunnels    atomic.Int64

	mu   sync.Mutex // guards temp
	temp string
}

// StartSSH starts a server on a free port of 127.0.0.1. The caller closes it.
func StartSSH(cfg SSHConfig) (*SSH, error) {
	s, err := NewSSH(cfg)
	if err != nil {
		return nil, err
	}
	if _, err := s.root(); err != nil {
		return nil, err
	}
	if err := s.tcp.listen(s.handle); err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

// NewSSH makes a server that does not listen: [SSH.ServeConn] brings it connections, such as one end of a net.Pipe
// inside a synctest bubble. It touches the file system no sooner than a command or an SFTP session needs Root. The
// caller closes it.
func NewSSH(cfg SSHConfig) (*SSH, error) {
	if cfg.SFTPPacket != 0 && cfg.SFTPPacket < defaultPacket {
		return nil, fmt.Errorf("testserver: SFTPPacket is %d bytes, want at least %d", cfg.SFTPPacket, defaultPacket)
	}
	hosts := cfg.HostKeys
	if len(hosts) == 0 {
		key, err := newHostKey()
		if err != nil {
			return nil, err
		}
		hosts = []ssh.Signer{key}
	}
	s := &SSH{cfg: cfg, hosts: hosts, gate: newGate(), tcp: TCP{conns: newTracker()}}
	s.root = sync.OnceValues(s.makeRoot)
	s.server = newServerConfig(&s.cfg, hosts)
	return s, nil
}

// ServeConn serves one connection that the caller made, and returns once it has ended and is closed. Close ends it.
// c may be one end of a net.Pipe: the server writes to it in the background.
func (s *SSH) ServeConn(c net.Conn) {
	s.tcp.conns.serve(c, func(ctx context.Context, c net.Conn) {
		queued := newQueuedConn(c)
		s.handle(ctx, queued)
		_ = queued.Close()
		<-queued.flushed
	})
}

// Addr is host:port, ready for net.Dial. It is empty for a server that does not listen.
func (s *SSH) Addr() string {
	if s.tcp.listener == nil {
		return ""
	}
	return s.tcp.Addr()
}

// Host is the address without the port. It is empty for a server that does not listen.
func (s *SSH) Host() string {
	if s.tcp.listener == nil {
		return ""
	}
	return s.tcp.Host()
}

// Port is the port that the system chose. It is zero for a server that does not listen.
func (s *SSH) Port() uint16 {
	if s.tcp.listener == nil {
		return 0
	}
	return s.tcp.Port()
}

// HostKey is the first host key, a certificate if the signer is one.
func (s *SSH) HostKey() ssh.PublicKey { return s.hosts[0].PublicKey() }

// Root is the directory where relative SFTP names start and commands run. It is empty if no temporary directory
// could be made.
func (s *SSH) Root() string {
	root, err := s.root()
	if err != nil {
		return ""
	}
	return root
}

// Sessions counts the connections that have not ended yet, authenticated or not. One that the client closed counts
// until the server noticed and its commands have ended.
func (s *SSH) Sessions() int { return s.tcp.conns.count() }

// Accepted counts all connections since the start, ended ones too.
func (s *SSH) Accepted() int { return int(s.accepted.Load()) }

// Keepalives counts the keepalive@openssh.com requests received on all connections since the start.
func (s *SSH) Keepalives() int { return int(s.keepalives.Load()) }

// Tunnels counts the direct-tcpip channels that are open now: until both directions have ended, or the server noticed
// that one failed.
func (s *SSH) Tunnels() int { return int(s.tunnels.Load()) }

// Drop cuts every open connection; the server goes on listening.
func (s *SSH) Drop() { s.tcp.conns.drop() }

// Freeze makes the server neither read nor write, on present and future connections, which stay open: what a client
// sees of a stopped process or a dead link. Drop and Close still work.
func (s *SSH) Freeze() { s.gate.freeze() }

// Thaw undoes Freeze. No byte is lost between the two.
func (s *SSH) Thaw() { s.gate.thaw() }

// Close stops listening, cuts every connection, kills the commands that run and waits for it all. It removes the
// directory that an empty SSHConfig.Root made. Closing twice is harmless.
func (s *SSH) Close() error {
	var err error
	if s.tcp.listener != nil {
		err = s.tcp.Close()
	} else {
		s.tcp.conns.close()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.temp == "" {
		return err
	}
	if removeErr := os.RemoveAll(s.temp); err == nil && removeErr != nil {
		err = fmt.Errorf("testserver: remove root: %w", removeErr)
	}
	return err
}

func (s *SSH) makeRoot() (string, error) {
	if s.cfg.Root != "" {
		return s.cfg.Root, nil
	}
	dir, err := os.MkdirTemp("", "hawser-ssh-")
	if err != nil {
		return "", fmt.Errorf("testserver: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.temp = dir
	return dir, nil
}

// handle is the Handler of one connection.
func (s *SSH) handle(ctx context.Context, c net.Conn) {
	s.accepted.Add(1)
	gated := s.gate.wrap(c)
	// A frozen connection waits at the gate, where closing c alone does not reach it.
	stop := context.AfterFunc(ctx, func() { _ = gated.Close() })
	defer stop()
	defer func() { _ = gated.Close() }()

	conn, channels, requests, err := ssh.NewServerConn(gated, s.server)
	if err != nil {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { s.answerGlobal(requests) })
	for channel := range channels {
		s.openChannel(ctx, &wg, conn.User(), channel)
	}
	cancel()
	_ = conn.Wait()
	wg.Wait()
}

// answerGlobal refuses every global request until the connection ends.
func (s *SSH) answerGlobal(requests <-chan *ssh.Request) {
	for req := range requests {
		if req.Type == "keepalive@openssh.com" {
			s.keepalives.Add(1)
		}
		if req.WantReply {
			_ = req.Reply(false, nil)
		}
	}
}

func newHostKey() (ssh.Signer, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("testserver: host key: %w", err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		return nil, fmt.Errorf("testserver: host key: %w", err)
	}
	return signer, nil
}
