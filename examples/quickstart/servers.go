package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/certs"
	"github.com/hawser/hawser/internal/testserver"
)

// servers are what a newcomer does not have at hand: an SFTP server, an SSH
// server that sees the same directory, and one that nobody trusts.
type servers struct {
	root                string
	sftp, ssh, impostor *testserver.SSH
	password            hawser.Secret
	trust               certs.Store
}

const login = "jobs"

func startServers() (*servers, error) {
	root, err := os.MkdirTemp("", "hawser-quickstart-")
	if err != nil {
		return nil, err
	}
	password := rand.Text()
	s := &servers{root: root, password: hawser.NewSecret(password), trust: certs.Memory()}
	for _, server := range []**testserver.SSH{&s.sftp, &s.ssh, &s.impostor} {
		*server, err = testserver.StartSSH(testserver.SSHConfig{
			Passwords: map[string]string{login: password}, Root: root, Limits: true, Exec: runBuiltin,
		})
		if err != nil {
			return nil, errors.Join(err, s.close())
		}
	}
	return s, errors.Join(s.pin(s.sftp, s.sftp), s.pin(s.ssh, s.ssh), s.pin(s.impostor, s.ssh))
}

// pin trusts owner's host key at the address of server.
func (s *servers) pin(server, owner *testserver.SSH) error {
	return s.trust.Add(context.Background(), certs.Pin{Addr: server.Addr(), HostKey: owner.HostKey().Marshal(), Comment: "quickstart"})
}

func (s *servers) close() error {
	var err error
	for _, server := range []*testserver.SSH{s.sftp, s.ssh, s.impostor} {
		if server != nil {
			err = errors.Join(err, server.Close())
		}
	}
	return errors.Join(err, os.RemoveAll(s.root))
}

// files is the connection of protocol sftp.
func (s *servers) files() hawser.Connection {
	c := s.connection("files", hawser.SFTP, s.sftp)
	c.Description = "what the bank leaves for us"
	return c
}

// shell is the connection of protocol ssh.
func (s *servers) shell() hawser.Connection { return s.connection("shell", hawser.SSH, s.ssh) }

// stranger is a connection to the server that shows the wrong key.
func (s *servers) stranger() hawser.Connection {
	return s.connection("stranger", hawser.SFTP, s.impostor)
}

func (s *servers) connection(name string, protocol hawser.Protocol, server *testserver.SSH) hawser.Connection {
	return hawser.Connection{
		Name: name, Protocol: protocol, Host: server.Host(), Port: server.Port(),
		Auth: hawser.Auth{User: login, Password: s.password},
		Log:  hawser.Log{Outgoing: true, Incoming: true},
	}
}

// checksum returns a step that has the SSH server hash a file itself.
func (s *servers) checksum(tell *story) func(context.Context, string) error {
	return func(ctx context.Context, file string) error {
		return tell.runCommand(ctx, "shell", hawser.Quote("sha256sum", file))
	}
}

// runBuiltin is the one command of the embedded server, so that it needs no
// shell: sha256sum of a file below its root.
func runBuiltin(c *testserver.Command) int {
	name, ok := strings.CutPrefix(c.Line, "sha256sum ")
	if !ok {
		fmt.Fprintf(c.Stderr, "this server knows sha256sum alone\n")
		return 127
	}
	f, err := os.Open(filepath.Join(c.Dir, filepath.Base(name)))
	if err != nil {
		fmt.Fprintln(c.Stderr, err)
		return 1
	}
	defer f.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, f); err != nil {
		fmt.Fprintln(c.Stderr, err)
		return 1
	}
	fmt.Fprintf(c.Stdout, "%x  %s\n", hash.Sum(nil), name)
	return 0
}
