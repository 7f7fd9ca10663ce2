package main

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/hawser/hawser/certs"
	"github.com/hawser/hawser/internal/testserver"
)

// servers are what a newcomer does not have at hand: an SFTP server, an SSH
// server that sees the same directory, one with a host key that nobody expects,
// an FTP server with a certificate that nobody knows, a mail server, and a proxy
// behind a jump host. They stand for servers elsewhere; nothing here is needed to
// use hawser.
type servers struct {
	files, shell, impostor, bastion, post address
	user, password                        string

	root    string // what those for files serve
	running []*testserver.SSH
	drop    *testserver.FTP
	mail    *testserver.SMTP
	proxy   *testserver.Proxy
}

// hidden is the name of the SFTP server that the proxy alone knows.
const hidden = "files.inside.example"

// An address is what the administrator of a server tells its users.
type address struct {
	host        string
	port        uint16
	fingerprint string // of its host key or certificate, "SHA256:..."
}

func startServers() (*servers, error) {
	root, err := os.MkdirTemp("", "hawser-quickstart-")
	if err != nil {
		return nil, err
	}
	s := &servers{root: root, user: "jobs", password: rand.Text()}
	for _, at := range []*address{&s.files, &s.shell, &s.impostor, &s.bastion} {
		if *at, err = s.start(); err != nil {
			return nil, errors.Join(err, s.close())
		}
	}
	s.drop, err = testserver.StartFTP(testserver.FTPConfig{
		Users: map[string]string{s.user: s.password}, Root: s.root, TLS: testserver.FTPExplicit,
	})
	if err == nil {
		err = s.startMail()
	}
	if err == nil {
		s.proxy, err = testserver.StartProxy(testserver.ProxyConfig{
			User: s.user, Password: s.password, Hosts: map[string]string{hidden: s.files.host},
		})
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *servers) start() (address, error) {
	server, err := testserver.StartSSH(testserver.SSHConfig{
		Passwords: map[string]string{s.user: s.password}, Root: s.root, Limits: true, Exec: runBuiltin,
		Forward: func(addr string) (string, error) { return addr, nil },
	})
	if err != nil {
		return address{}, err
	}
	s.running = append(s.running, server)
	return address{server.Host(), server.Port(), ssh.FingerprintSHA256(server.HostKey())}, nil
}

// startMail starts a server that takes mail of users, to everybody but one.
func (s *servers) startMail() (err error) {
	s.mail, err = testserver.StartSMTP(testserver.SMTPConfig{
		Users: map[string]string{s.user: s.password}, RequireLogin: true, TLS: testserver.SMTPExplicit,
		Refuse: map[string]string{formerColleague: "550 5.1.1 no such user"},
	})
	if err != nil {
		return err
	}
	s.post = address{s.mail.Host(), s.mail.Port(), certs.Fingerprint(s.mail.Identity().Certificate.Leaf)}
	return nil
}

func (s *servers) close() error {
	var errs []error
	if s.proxy != nil {
		errs = append(errs, s.proxy.Close())
	}
	if s.mail != nil {
		errs = append(errs, s.mail.Close())
	}
	if s.drop != nil {
		errs = append(errs, s.drop.Close())
	}
	for _, server := range s.running {
		errs = append(errs, server.Close())
	}
	return errors.Join(append(errs, os.RemoveAll(s.root))...)
}

// runBuiltin is the one command of the embedded server, which needs no shell
// for it: sha256sum of a file in its directory.
func runBuiltin(c *testserver.Command) int {
	name, ok := strings.CutPrefix(c.Line, "sha256sum ")
	if !ok {
		fmt.Fprintln(c.Stderr, "this server knows sha256sum alone")
		return 127 // as a shell says that it knows no such command
	}
	sum, err := sha256sum(filepath.Join(c.Dir, filepath.Base(name)))
	if err != nil {
		fmt.Fprintln(c.Stderr, err)
		return 1
	}
	fmt.Fprintf(c.Stdout, "%x  %s\n", sum, name)
	return 0
}

func sha256sum(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, f); err != nil {
		return nil, err
	}
	return hash.Sum(nil), nil
}
