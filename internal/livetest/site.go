package livetest

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
)

// user logs in everywhere.
const user = "jobs"

// A site is a server that takes more than one password, as a server does while
// its operator changes one.
type site struct {
	passwords
	protocol hawser.Protocol
	port     uint16
	root     string     // where uploads are
	hostKeys []string   // of sftp
	sessions func() int // that are open, as the server counts them
}

// passwords are those that a site takes now.
type passwords struct {
	mu   sync.Mutex // guards good
	good map[string]bool
}

func (p *passwords) allow(password string, good bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.good == nil {
		p.good = map[string]bool{}
	}
	p.good[password] = good
}

func (p *passwords) takes(password string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.good[password]
}

// newSite starts a server of protocol, which is hawser.SFTP or hawser.FTP.
func newSite(t *testing.T, protocol hawser.Protocol) *site {
	t.Helper()
	s := &site{protocol: protocol}
	if protocol == hawser.FTP {
		s.startFTP(t)
	} else {
		s.startSFTP(t)
	}
	return s
}

func (s *site) startSFTP(t *testing.T) {
	t.Helper()
	server, err := testserver.StartSSH(testserver.SSHConfig{
		Passwords: map[string]string{user: ""},
		ServerConfig: func(cfg *ssh.ServerConfig) {
			cfg.PasswordCallback = func(_ ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
				if !s.takes(string(password)) {
					return nil, errors.New("wrong password")
				}
				return &ssh.Permissions{}, nil
			}
		},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	s.port, s.root, s.sessions = server.Port(), server.Root(), server.Sessions
	s.hostKeys = []string{ssh.FingerprintSHA256(server.HostKey())}
}

// startFTP puts a door before a server of one password. Data connections do not
// go through it.
func (s *site) startFTP(t *testing.T) {
	t.Helper()
	const inside = "password behind the door"
	server, err := testserver.StartFTP(testserver.FTPConfig{Users: map[string]string{user: inside}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	door, err := testserver.StartTCP(func(ctx context.Context, c net.Conn) {
		s.guard(ctx, c, server.Addr(), inside)
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, door.Close()) })
	s.port, s.root, s.sessions = door.Port(), server.Root(), door.Open
}

// guard leads a control connection to addr, and says inside for a password that s
// takes.
func (s *site) guard(ctx context.Context, c net.Conn, addr, inside string) {
	server, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	var back sync.WaitGroup
	back.Go(func() {
		_, _ = io.Copy(c, server) // ends with server, which the end of the loop closes
		_ = c.Close()
	})
	for lines := bufio.NewReader(c); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			break
		}
		if password, ok := strings.CutPrefix(line, "PASS "); ok && s.takes(strings.TrimRight(password, "\r\n")) {
			line = "PASS " + inside + "\r\n"
		}
		if _, err := io.WriteString(server, line); err != nil {
			break
		}
	}
	_ = server.Close()
	back.Wait()
}
