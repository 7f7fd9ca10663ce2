package testserver

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// PostgreSQLConfig says how a PostgreSQL is to be started. The zero value speaks without TLS.
type PostgreSQLConfig struct {
	// TLS has the server present a certificate of PostgreSQLServer.CA, and refuse who does not want TLS.
	TLS bool
	// Lines go to the end of postgresql.conf, where they win over the helper's own.
	Lines []string
}

// PostgreSQLServer is a PostgreSQL with an empty database that runs until its test ends. Its fields, among them Host
// and Port, are for reading.
type PostgreSQLServer struct {
	endpoint
	// User and Password log in, by SCRAM-SHA-256. The user may do everything.
	User, Password string
	// CA vouches for a server of TLS, and CAFile holds it as PEM.
	CA     *x509.CertPool
	CAFile string
	// Bin is where the programs of the server are, such as pg_dump.
	Bin string

	d    daemon
	dir  string
	cmd  *exec.Cmd
	run  *running
	user account
}

// PostgreSQL starts PostgreSQL for the length of the test, and skips the test where that cannot be; see
// [Unavailable]. It listens on a port of 127.0.0.1 and on a socket in a directory of its own, and does not wait for
// the disk. It refuses to run as root, so root runs it as the user postgres or, where there is none, nobody.
func PostgreSQL(t testing.TB, cfg PostgreSQLConfig) *PostgreSQLServer {
	t.Helper()
	bin := postgresqlBin()
	programs := Real(t, "postgresql", filepath.Join(bin, "initdb"), filepath.Join(bin, "postgres"), filepath.Join(bin, "pg_isready"))
	s := &PostgreSQLServer{User: "hawser", Password: rand.Text(), Bin: bin, dir: scratch(t, "postgresql")}
	s.user = postgresqlAccount(t)
	s.user.mkdir(t, s.path("data"))
	s.user.mkdir(t, s.path("socket"))
	s.initialize(t, programs[0])
	s.configure(t, cfg)
	s.d = daemon{name: "postgresql", dir: s.dir, answers: s.isReady(programs[2])}
	s.d.command = func(port uint16) *exec.Cmd {
		s.cmd = tie(exec.Command(programs[1], "-D", s.path("data"), "-p", strconv.Itoa(int(port))))
		s.cmd.Dir = s.path("data")
		s.user.become(s.cmd)
		return s.cmd
	}
	s.launch(t)
	return s
}

// postgresqlBin is where the server of the newest version is: Debian keeps each at a path of its own.
func postgresqlBin() string {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres") // the pattern is a good one
	slices.SortFunc(found, func(a, b string) int { return postgresqlVersion(a) - postgresqlVersion(b) })
	if len(found) > 0 {
		return filepath.Dir(found[len(found)-1])
	}
	if path, ok := find("postgres"); ok {
		return filepath.Dir(path)
	}
	return "/usr/lib/postgresql/bin"
}

func postgresqlVersion(path string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path)))) // 0 for a name that is none
	return n
}

func (s *PostgreSQLServer) path(name string) string { return filepath.Join(s.dir, name) }

// initialize makes the files of the server. That it cannot be run as another user shows here first.
func (s *PostgreSQLServer) initialize(t testing.TB, initdb string) {
	t.Helper()
	password := put(t, s.dir, "password", s.Password+"\n", 0o600)
	s.user.own(t, password)
	cmd := exec.Command(initdb, "-D", s.path("data"), "-U", s.User, "--pwfile", password, "-A", "scram-sha-256",
		"-E", "UTF8", "--locale", "C", "--no-sync", "--no-instructions")
	cmd.Dir = s.path("data")
	s.user.become(cmd)
	out, err := cmd.CombinedOutput()
	switch {
	case err != nil && cmd.ProcessState == nil:
		Unavailable(t, "postgresql", fmt.Sprintf("it cannot be run as user %s here: %v", s.user.name, err))
	case err != nil:
		t.Fatalf("initdb: %v\n%s", err, out)
	}
}

// configure writes the settings that make it fast and small.
func (s *PostgreSQLServer) configure(t testing.TB, cfg PostgreSQLConfig) {
	t.Helper()
	lines := []string{
		"listen_addresses = '127.0.0.1'", "unix_socket_directories = '" + s.path("socket") + "'",
		"fsync = off", "synchronous_commit = off", "full_page_writes = off", "shared_buffers = 16MB", "max_wal_size = 64MB",
		"autovacuum = off", "max_connections = 200", "dynamic_shared_memory_type = mmap", "log_connections = on",
	}
	if cfg.TLS {
		files := identify(t, s.dir, nil)
		s.user.own(t, files.key)
		s.CA, s.CAFile = files.identity.Pool(), files.ca
		lines = append(lines, "ssl = on", "ssl_cert_file = '"+files.certificate+"'", "ssl_key_file = '"+files.key+"'")
		put(t, s.path("data"), "pg_hba.conf", "hostssl all all 127.0.0.1/32 scram-sha-256\n", 0o600)
	}
	put(t, s.path("data"), "postgresql.conf", strings.Join(append(lines, cfg.Lines...), "\n")+"\n", 0o600)
}

// launch is that of daemon, and keeps the process.
func (s *PostgreSQLServer) launch(t testing.TB) {
	t.Helper()
	output := s.path("output.log")
	s.endpoint = endpoint{Host: "127.0.0.1", logs: logs{output}}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("postgresql:\n%s", s.Log())
		}
	})
	for range portTries {
		s.Port = freePort(t, s.Host)
		if s.start(t) {
			return
		}
	}
	t.Fatalf("postgresql: ended %d times before it answered", portTries)
}

// start reports whether the server answers.
func (s *PostgreSQLServer) start(t testing.TB) bool {
	t.Helper()
	s.run = s.d.start(t, s.logs[0], s.Port)
	t.Cleanup(s.Stop) // before that of daemon, which would first wait for the clients to leave
	if s.d.ready(t, s.run, s.Addr()) {
		return true
	}
	s.run.stop()
	return false
}

// Stop hangs up on all clients and ends the server; it returns when it has ended. Its data stay.
func (s *PostgreSQLServer) Stop() {
	_ = s.run.cmd.Process.Signal(os.Interrupt) // a "fast shutdown"
	s.run.stop()
}

// Start starts the server again, after Stop, on the same port and with the same data, and returns when it answers.
func (s *PostgreSQLServer) Start(t testing.TB) {
	t.Helper()
	if !s.start(t) {
		t.Fatal("postgresql: ended before it answered again")
	}
}

// DSN is a URL for clients, with the password, of the database that is there from the beginning.
func (s *PostgreSQLServer) DSN() string { return s.DatabaseDSN("postgres") }

// DatabaseDSN is a URL for clients, with the password, of the database called name.
func (s *PostgreSQLServer) DatabaseDSN(name string) string {
	query := url.Values{"sslmode": {"disable"}}
	if s.CAFile != "" {
		query = url.Values{"sslmode": {"verify-full"}, "sslrootcert": {s.CAFile}}
	}
	u := url.URL{Scheme: "postgres", User: url.UserPassword(s.User, s.Password), Host: s.Addr(), Path: "/" + name, RawQuery: query.Encode()}
	return u.String()
}

// isReady is the answers of this server: the file with the id of its process says that it is ready, and it says so
// itself on its port.
func (s *PostgreSQLServer) isReady(pgIsReady string) func(ctx context.Context, addr string) bool {
	return func(ctx context.Context, addr string) bool {
		// Its lines: process, data, start, port, socket, address, shared memory, status.
		text, err := os.ReadFile(s.path("data/postmaster.pid"))
		lines := strings.Split(string(text), "\n")
		if err != nil || len(lines) < 8 || lines[0] != strconv.Itoa(s.cmd.Process.Pid) || strings.TrimSpace(lines[7]) != "ready" {
			return false
		}
		host, port, err := net.SplitHostPort(addr)
		return err == nil && exec.CommandContext(ctx, pgIsReady, "-q", "-h", host, "-p", port).Run() == nil
	}
}
