package testserver

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// EtcdConfig says how an etcd is to be started. The zero value speaks without TLS and lets everybody in.
type EtcdConfig struct {
	// TLS has the server present a certificate of EtcdServer.CA and ask for one of EtcdServer.ClientCertificate.
	TLS bool
	// Login has the server ask for a user and a password. The one of EtcdServer may do everything.
	Login bool
	// Lines are further arguments.
	Lines []string
}

// EtcdServer is an etcd of one member that runs until its test ends. Its fields, among them Host and Port, are for
// reading.
type EtcdServer struct {
	endpoint
	// Endpoints are URLs for clients.
	Endpoints []string
	// User and Password log in, if the configuration asks for that.
	User, Password string
	// CA vouches for the server, and CAFile holds it as PEM.
	CA     *x509.CertPool
	CAFile string
	// ClientCertificate is one that the server takes; the files hold it and its key as PEM.
	ClientCertificate                    tls.Certificate
	ClientCertificateFile, ClientKeyFile string
	// Dir is where the server keeps its data.
	Dir string

	d   daemon
	cfg EtcdConfig
	run *running
}

// Etcd starts an etcd for the length of the test, and skips the test where that cannot be; see [Unavailable].
func Etcd(t testing.TB, cfg EtcdConfig) *EtcdServer {
	t.Helper()
	programs := Real(t, "etcd", "etcd", "etcdctl")
	dir := scratch(t, "etcd")
	s := &EtcdServer{cfg: cfg, Dir: filepath.Join(dir, "data"), User: "root", Password: rand.Text()}
	var files []string
	if cfg.TLS {
		files = s.identify(t, dir)
	}
	name := "hawser-" + rand.Text()
	peer := freePort(t, "127.0.0.1")
	// At SIGTERM it waits for the streams of its clients, which do not end by themselves.
	s.d = daemon{name: "etcd", dir: dir, answers: s.isHealthy(name), abrupt: true}
	s.d.command = func(port uint16) *exec.Cmd {
		return tie(exec.Command(programs[0], append(s.arguments(name, port, peer), files...)...))
	}
	s.launch(t, dir)
	if cfg.Login {
		s.askForLogin(t, programs[1])
	}
	return s
}

// launch is that of daemon, and keeps the process.
func (s *EtcdServer) launch(t testing.TB, dir string) {
	t.Helper()
	output := filepath.Join(dir, "output.log")
	s.endpoint = endpoint{Host: "127.0.0.1", logs: logs{output}}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("etcd:\n%s", s.Log())
		}
	})
	t.Cleanup(func() { s.run.stop() })
	for range portTries {
		s.Port = freePort(t, s.Host)
		s.run = s.d.start(t, output, s.Port)
		if s.d.ready(t, s.run, s.Addr()) {
			s.Endpoints = []string{s.scheme() + "://" + s.Addr()}
			return
		}
		s.run.stop()
		if err := os.RemoveAll(s.Dir); err != nil {
			t.Fatal(err)
		}
	}
	t.Fatalf("etcd: ended %d times before it answered", portTries)
}

// Stop kills the server and returns when it has ended. Its data stay.
func (s *EtcdServer) Stop() { s.run.stop() }

// Start starts the server again, after Stop, on the same ports and with the same data, and returns when it answers.
func (s *EtcdServer) Start(t testing.TB) {
	t.Helper()
	s.run = s.d.start(noCleanup{t}, s.logs[0], s.Port)
	if !s.d.ready(t, s.run, s.Addr()) {
		t.Fatal("etcd: ended before it answered again")
	}
}

// noCleanup is a test whose cleanup leaves a process alone, for that would come before those of its clients.
type noCleanup struct{ testing.TB }

func (noCleanup) Cleanup(func()) {}

func (s *EtcdServer) scheme() string {
	if s.cfg.TLS {
		return "https"
	}
	return "http"
}

// arguments make the server elect itself at once, and let leases be as short as a second.
func (s *EtcdServer) arguments(name string, port, peer uint16) []string {
	client := (&url.URL{Scheme: s.scheme(), Host: endpoint{Host: "127.0.0.1", Port: port}.Addr()}).String()
	other := (&url.URL{Scheme: "http", Host: endpoint{Host: "127.0.0.1", Port: peer}.Addr()}).String()
	return append([]string{
		"--name", name, "--data-dir", s.Dir, "--logger", "zap", "--log-level", "warn",
		"--listen-client-urls", client, "--advertise-client-urls", client,
		"--listen-peer-urls", other, "--initial-advertise-peer-urls", other, "--initial-cluster", name + "=" + other,
		"--heartbeat-interval", "20", "--election-timeout", "200",
	}, s.cfg.Lines...)
}

// askForLogin makes the user and has the server ask for him from now on.
func (s *EtcdServer) askForLogin(t testing.TB, etcdctl string) {
	t.Helper()
	base := []string{"--endpoints", s.Endpoints[0]}
	if s.cfg.TLS {
		base = append(base, "--cacert", s.CAFile, "--cert", s.ClientCertificateFile, "--key", s.ClientKeyFile)
	}
	for _, args := range [][]string{
		{"user", "add", s.User + ":" + s.Password}, {"user", "grant-role", s.User, "root"}, {"auth", "enable"},
	} {
		cmd := exec.Command(etcdctl, append(slices.Clone(base), args...)...)
		cmd.Env = append(os.Environ(), "ETCDCTL_API=3")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("etcdctl %s: %v\n%s", strings.Join(args[:2], " "), err, out)
		}
	}
}

// isHealthy asks whether the member that listens is the one called name, which its certificate proves as well, and has
// a leader.
func (s *EtcdServer) isHealthy(name string) func(ctx context.Context, addr string) bool {
	return func(ctx context.Context, addr string) bool {
		transport := &http.Transport{DisableKeepAlives: true}
		if s.cfg.TLS {
			transport.TLSClientConfig = &tls.Config{RootCAs: s.CA, Certificates: []tls.Certificate{s.ClientCertificate}}
		}
		client := &http.Client{Transport: transport}
		base := s.scheme() + "://" + addr
		if !s.cfg.TLS {
			members := answer(ctx, client, http.MethodPost, base+"/v3/cluster/member/list", "{}")
			if !bytes.Contains(members, fmt.Appendf(nil, "%q", name)) {
				return false
			}
		}
		var health struct {
			Health string `json:"health"`
		}
		text := answer(ctx, client, http.MethodGet, base+"/health", "")
		return json.Unmarshal(text, &health) == nil && health.Health == "true"
	}
}

// answer is the body of what the server replies, or nothing.
func answer(ctx context.Context, client *http.Client, method, url, body string) []byte {
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return nil
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil || resp.StatusCode != http.StatusOK {
		return nil
	}
	return text
}
