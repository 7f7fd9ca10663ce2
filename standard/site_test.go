package standard_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	xssh "golang.org/x/crypto/ssh"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/certs"
	"github.com/hawser/hawser/ftp"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/sftp"
	"github.com/hawser/hawser/smtp"
	"github.com/hawser/hawser/ssh"
	"github.com/hawser/hawser/standard"
)

// A site is a server of each kind, by what the table calls it.
type site map[string]hawser.Connection

// kinds are the columns of the table.
func kinds() []string { return []string{"ftp", "ftp tls", "sftp", "ssh", "smtp starttls"} }

const password = "open-sesame-24"

// realSite is vsftpd, OpenSSH and Postfix.
func realSite(t *testing.T) site {
	t.Helper()
	plain := testserver.VSFTPD(t, testserver.FTPServerConfig{})
	secure := testserver.VSFTPD(t, testserver.FTPServerConfig{TLS: testserver.FTPExplicit, Require: true})
	shell := testserver.OpenSSH(t, testserver.OpenSSHConfig{})
	post := testserver.Postfix(t, testserver.SMTPServerConfig{TLS: testserver.SMTPExplicit, Require: true, Login: true})
	s := site{}
	s.ftp(plain.Port, "", plain.User, plain.Password)
	s.ftp(secure.Port, secure.CA, secure.User, secure.Password)
	s.ssh(shell.Port, shell.HostKeys[0], shell.User, shell.Password)
	s.smtp(post.Port, post.CA, post.User, post.Password)
	return s
}

// ownSite is servers in this process.
func ownSite(t testing.TB) site {
	t.Helper()
	plain, err := testserver.StartFTP(testserver.FTPConfig{Users: map[string]string{"jobs": password}})
	require.NoError(t, err)
	secure, err := testserver.StartFTP(testserver.FTPConfig{Users: map[string]string{"jobs": password}, TLS: testserver.FTPExplicit})
	require.NoError(t, err)
	shell, err := testserver.StartSSH(testserver.SSHConfig{Passwords: map[string]string{"jobs": password}, Exec: func(c *testserver.Command) int {
		if c.Line == "cat" {
			_, _ = io.Copy(c.Stdout, c.Stdin)
			return 0
		}
		_, _ = fmt.Fprintln(c.Stdout, strings.TrimPrefix(c.Line, "echo "))
		return 0
	}})
	require.NoError(t, err)
	post, err := testserver.StartSMTP(testserver.SMTPConfig{Users: map[string]string{"jobs": password}, RequireLogin: true, TLS: testserver.SMTPExplicit})
	require.NoError(t, err)
	t.Cleanup(func() {
		for _, server := range []io.Closer{plain, secure, shell, post} {
			_ = server.Close()
		}
	})
	s := site{}
	s.ftp(plain.Port(), "", "jobs", password)
	s.ftp(secure.Port(), secure.CA(), "jobs", password)
	s.ssh(shell.Port(), shell.HostKey(), "jobs", password)
	s.smtp(post.Port(), post.CA(), "jobs", password)
	return s
}

func server(name string, protocol hawser.Protocol, port uint16, user, password string) hawser.Connection {
	return hawser.Connection{
		Name: name, Protocol: protocol, Host: "127.0.0.1", Port: port, Timeout: 10 * time.Second,
		Auth: hawser.Auth{User: user, Password: hawser.NewSecret(password)},
	}
}

func (s site) ftp(port uint16, ca, user, password string) {
	c := server("ftp", hawser.FTP, port, user, password)
	if c.TLS.Mode = hawser.TLSNone; ca != "" {
		c.Name, c.TLS = "ftp tls", hawser.TLSOptions{Mode: hawser.TLSExplicit, Roots: ca, ServerName: "localhost"}
	}
	s[c.Name] = c
}

func (s site) ssh(port uint16, key xssh.PublicKey, user, password string) {
	for _, protocol := range []hawser.Protocol{hawser.SSH, hawser.SFTP} {
		c := server(string(protocol), protocol, port, user, password)
		c.SSH.HostKeys = []string{sshFingerprint(key)}
		s[c.Name] = c
	}
}

func (s site) smtp(port uint16, ca, user, password string) {
	c := server("smtp starttls", hawser.SMTP, port, user, password)
	c.TLS = hawser.TLSOptions{Mode: hawser.TLSExplicit, Roots: ca, ServerName: "localhost"}
	s[c.Name] = c
}

// through is every connection of s, changed.
func (s site) through(change func(c *hawser.Connection)) []hawser.Connection {
	var all []hawser.Connection
	for _, kind := range kinds() {
		c, ok := s[kind]
		if !ok {
			continue
		}
		c = c.Clone()
		change(&c)
		all = append(all, c)
	}
	return all
}

// manage returns a Manager of conns that trusts what is presented with one of the
// fingerprints.
func manage(t *testing.T, conns []hawser.Connection, fingerprints ...string) *hawser.Manager {
	t.Helper()
	m := standard.New(hawser.NewMemory(conns...), standard.Options{Ask: accepting(fingerprints...)})
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m
}

// accepting answers with yes for what has one of the fingerprints.
func accepting(fingerprints ...string) certs.Asker {
	return func(_ context.Context, q certs.Question) (certs.Answer, error) {
		if slices.Contains(fingerprints, q.Fingerprint) {
			return certs.Answer{Decision: certs.AcceptAlways}, nil
		}
		return certs.Answer{Decision: certs.Deny}, nil
	}
}

// work does what a connection of that kind is for: a file there and back, a command,
// a mail.
func work(ctx context.Context, m *hawser.Manager, kind, name string) error {
	switch kind {
	case "ssh":
		return hawser.Use(ctx, m, name, command)
	case "smtp starttls":
		return hawser.Use(ctx, m, name, mail)
	}
	return hawser.Use(ctx, m, name, file)
}

func command(ctx context.Context, shell hawser.Runner) error {
	var out bytes.Buffer
	err := shell.Run(ctx, &hawser.Command{Line: "echo through", Stdout: &out})
	if err == nil && out.String() != "through\n" {
		err = fmt.Errorf("the command said %q", out.String())
	}
	return err
}

func mail(ctx context.Context, by hawser.Mailer) error {
	m := smtp.Message{From: "jobs@inside.example", To: []string{"sink@inside.example"}, Subject: "through", Text: "a proxy"}
	receipt, err := m.Send(ctx, by)
	if err == nil && receipt.QueueID == "" {
		err = fmt.Errorf("the mail has no queue id: %+v", receipt)
	}
	return err
}

// file moves 1 MiB there and back, and looks it up in a listing.
func file(ctx context.Context, files hawser.FileSystem) error {
	content := make([]byte, 1<<20)
	_, _ = rand.Read(content)
	name := "through-" + rand.Text()
	if err := put(ctx, files, name, content); err != nil {
		return fmt.Errorf("upload: %w", err)
	}
	got, err := get(ctx, files, name)
	switch {
	case err != nil:
		return fmt.Errorf("download: %w", err)
	case !bytes.Equal(got, content):
		return fmt.Errorf("%d bytes came back, not the same", len(got))
	}
	for info, err := range files.ReadDir(ctx, ".") {
		if err != nil {
			return fmt.Errorf("listing: %w", err)
		}
		if info.Name() == name && info.Size() == int64(len(content)) {
			return files.Remove(ctx, name)
		}
	}
	return fmt.Errorf("%s is in no listing", name)
}

func put(ctx context.Context, files hawser.FileSystem, name string, content []byte) error {
	w, err := files.Create(ctx, name, 0)
	if err != nil {
		return err
	}
	if _, err := io.Copy(w, bytes.NewReader(content)); err != nil {
		_ = w.Close()
		return err
	}
	return w.Close()
}

func get(ctx context.Context, files hawser.FileSystem, name string) ([]byte, error) {
	r, err := files.Open(ctx, name, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	return io.ReadAll(r)
}

// portOf is the port of a server in this process.
func portOf(t *testing.T, addr string) uint16 {
	t.Helper()
	_, text, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	port, err := strconv.ParseUint(text, 10, 16)
	require.NoError(t, err)
	return uint16(port)
}

// A table is what came of each kind behind each proxy.
type table struct{ rows []string }

func (x *table) add(name string, results map[string]string) {
	row := fmt.Sprintf("%-34s", name)
	for _, kind := range kinds() {
		row += fmt.Sprintf(" | %-13s", results[kind])
	}
	x.rows = append(x.rows, row)
}

func (x *table) String() string {
	head := fmt.Sprintf("%-34s", "")
	for _, kind := range kinds() {
		head += fmt.Sprintf(" | %-13s", kind)
	}
	return head + "\n" + strings.Join(x.rows, "\n")
}

func sshFingerprint(key xssh.PublicKey) string { return xssh.FingerprintSHA256(key) }

// standardThrough is a Manager over a Transport of the test's own.
func standardThrough(t *testing.T, way hawser.Transport, conns []hawser.Connection) *hawser.Manager {
	t.Helper()
	drivers := hawser.Mux{
		hawser.FTP: ftp.Dialer{Transport: way}, hawser.SSH: ssh.Dialer{Transport: way},
		hawser.SFTP: sftp.Dialer{Transport: way}, hawser.SMTP: smtp.Dialer{Transport: way},
	}
	m := &hawser.Manager{Registry: hawser.NewMemory(conns...), Dialer: drivers}
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m
}

// unused is a port that nobody listens at.
func unused(t *testing.T) uint16 {
	t.Helper()
	return portOf(t, testserver.ClosedAddr(t))
}

// How long a server may take, and how often to look.
const (
	longest = 10 * time.Second
	probing = 20 * time.Millisecond
)
