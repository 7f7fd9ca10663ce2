package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/crypto/ssh"

	"github.com/hawser/hawser/internal/testserver"
)

// servers are the two places where the partner can be reached, one after the
// other, and a host that runs commands. They stand for servers elsewhere;
// nothing here is needed to use hawser.
type servers struct {
	before, after, host address
	user, password      string

	running []*testserver.SSH
}

// An address is what the administrator of a server tells its users.
type address struct {
	name        string // or IP address
	port        uint16
	addr        string // both
	fingerprint string // of its host key, "SHA256:..."
}

func startServers() (*servers, error) {
	s := &servers{user: "jobs", password: rand.Text()}
	var err error
	s.before, err = s.start("from-the-old-server.csv")
	if err == nil {
		s.after, err = s.start("from-the-new-server.csv")
	}
	if err == nil {
		s.host, err = s.start("")
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// start starts a server that has one file, or none.
func (s *servers) start(file string) (address, error) {
	server, err := testserver.StartSSH(testserver.SSHConfig{Passwords: map[string]string{s.user: s.password}, Exec: runBuiltin})
	if err != nil {
		return address{}, err
	}
	s.running = append(s.running, server)
	if file != "" {
		err = os.WriteFile(filepath.Join(server.Root(), file), []byte("id;amount\n1;100\n"), 0o600)
	}
	return address{server.Host(), server.Port(), server.Addr(), ssh.FingerprintSHA256(server.HostKey())}, err
}

func (s *servers) close() error {
	var errs []error
	for _, server := range s.running {
		errs = append(errs, server.Close())
	}
	return errors.Join(errs...)
}

// runBuiltin is the one command of the embedded server, which needs no shell
// for it.
func runBuiltin(c *testserver.Command) int {
	if c.Line != "uptime -p" {
		fmt.Fprintln(c.Stderr, "this server knows uptime alone")
		return 127 // as a shell says that it knows no such command
	}
	fmt.Fprintln(c.Stdout, "up 3 weeks, 2 days")
	return 0
}
