package main

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/certs"
	"github.com/hawser/hawser/internal/testserver"
)

// servers are the two places where the partner can be reached, one after the
// other.
type servers struct {
	before, after *testserver.SSH
	password      string
	trust         certs.Store
}

const login = "jobs"

func startServers() (*servers, error) {
	s := &servers{password: rand.Text(), trust: certs.Memory()}
	var err1, err2 error
	s.before, err1 = s.start("from-the-old-server.csv")
	s.after, err2 = s.start("from-the-new-server.csv")
	if err := errors.Join(err1, err2); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// start starts a server that has one file, and trusts its host key.
func (s *servers) start(file string) (*testserver.SSH, error) {
	server, err := testserver.StartSSH(testserver.SSHConfig{Passwords: map[string]string{login: s.password}})
	if err != nil {
		return nil, err
	}
	return server, errors.Join(
		os.WriteFile(filepath.Join(server.Root(), file), []byte("id;amount\n1;100\n"), 0o600),
		s.trust.Add(context.Background(), certs.Pin{Addr: server.Addr(), HostKey: server.HostKey().Marshal()}),
	)
}

func (s *servers) close() error {
	var err error
	for _, server := range []*testserver.SSH{s.before, s.after} {
		if server != nil {
			err = errors.Join(err, server.Close())
		}
	}
	return err
}

// partner is the connection that the jobs name.
func (s *servers) partner() hawser.Connection {
	return hawser.Connection{
		Name: "partner", Protocol: hawser.SFTP, Host: s.before.Host(), Port: s.before.Port(),
		Auth: hawser.Auth{User: login, Password: hawser.NewSecret(s.password)},
	}
}

// newPort is where the partner moves to.
func (s *servers) newPort() uint16 { return s.after.Port() }
