package sftp_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	xssh "golang.org/x/crypto/ssh"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/sftp"
)

const (
	// soon is what a busy machine may take for what should take no time; the goal is 100 ms.
	soon = 2 * time.Second
	// patience bounds what takes as long as the server does.
	patience = time.Minute

	kib = 1 << 10
	mib = 1 << 20
)

// start starts an in-process server for the length of the test.
func start(t testing.TB, cfg testserver.SSHConfig) *testserver.SSH {
	t.Helper()
	s, err := testserver.StartSSH(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return s
}

// hooked starts a server whose packets from the client pass hook.
func hooked(t testing.TB, hook testserver.Hook) (*testserver.SSH, string) {
	t.Helper()
	root := t.TempDir()
	return start(t, testserver.SSHConfig{SFTP: testserver.TapSFTP(testserver.Files(root, 0), hook)}), root
}

// relayed starts a relay in front of the server at addr.
func relayed(t testing.TB, addr string, cfg testserver.RelayConfig) *testserver.Relay {
	t.Helper()
	r, err := testserver.StartRelay(addr, cfg)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, r.Close()) })
	return r
}

// to is a connection without login to the server, whose key it lists. It has
// no keepalive, so that a test sees its own messages alone.
func to(s *testserver.SSH) hawser.Connection {
	return at(s.Host(), s.Port(), s.HostKey())
}

// through is to, by way of the relay.
func through(r *testserver.Relay, s *testserver.SSH) hawser.Connection {
	return at(r.Host(), r.Port(), s.HostKey())
}

// toReal is a connection to a real server, with its password.
func toReal(s *testserver.Server) hawser.Connection {
	c := at(s.Host, s.Port, s.HostKeys...)
	c.Auth.Password = hawser.NewSecret(s.Password)
	return c
}

func at(host string, port uint16, keys ...xssh.PublicKey) hawser.Connection {
	c := hawser.Connection{
		Name: "bank", Protocol: hawser.SFTP, Host: host, Port: port,
		Auth: hawser.Auth{User: "hawser"}, // as testserver's real servers want it
		SSH:  hawser.SSHOptions{KeepAlive: -1},
	}
	for _, key := range keys {
		c.SSH.HostKeys = append(c.SSH.HostKeys, xssh.FingerprintSHA256(key))
	}
	return c
}

// within is c with a Timeout.
func within(c hawser.Connection, timeout time.Duration) hawser.Connection {
	c.Timeout = timeout
	return c
}

// login opens c for the length of the test. It may be called while that is
// cleaned up, when its own context has ended.
func login(t testing.TB, c hawser.Connection) *sftp.Session {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s, err := sftp.Dialer{}.Open(ctx, c)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return s
}

// refused opens c, which must fail.
func refused(t testing.TB, c hawser.Connection) *hawser.Error {
	t.Helper()
	start := time.Now()
	s, err := sftp.Dialer{}.Dial(t.Context(), c)
	if err == nil {
		_ = s.Close()
		require.Fail(t, "Dial succeeded")
	}
	requireSoon(t, start)
	require.Nil(t, s)
	var e *hawser.Error
	require.ErrorAs(t, err, &e)
	t.Log(err)
	return e
}

// content is n bytes in which no part repeats another.
func content(n int) []byte {
	data := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(n), byte(n >> 8)}).Read(data) // it never fails
	return data
}

// put writes a file on the server's side.
func put(t testing.TB, dir, name string, data []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), data, 0o644))
}

// stored is the content of a file on the server's side.
func stored(t testing.TB, dir, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	require.NoError(t, err)
	return data
}

func sameContent(t testing.TB, want, got []byte) {
	t.Helper()
	if sha256.Sum256(want) == sha256.Sum256(got) {
		return
	}
	n := 0
	for n < min(len(want), len(got)) && want[n] == got[n] {
		n++
	}
	require.Fail(t, "content", "got %d bytes, want %d; they differ from byte %d on", len(got), len(want), n)
}

// upload writes a file by io.Copy.
func upload(ctx context.Context, s hawser.FileSystem, name string, data []byte) error {
	w, err := s.Create(ctx, name, 0)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, struct{ io.Reader }{bytes.NewReader(data)})
	return errors.Join(err, w.Close())
}

// download reads a file by io.Copy.
func download(ctx context.Context, s hawser.FileSystem, name string) ([]byte, error) {
	r, err := s.Open(ctx, name, 0)
	if err != nil {
		return nil, err
	}
	var got bytes.Buffer
	_, err = io.Copy(&got, r)
	return got.Bytes(), errors.Join(err, r.Close())
}

// list reads a directory into names.
func list(ctx context.Context, s hawser.FileSystem, name string) ([]string, error) {
	var names []string
	for info, err := range s.ReadDir(ctx, name) {
		if err != nil {
			return names, err
		}
		names = append(names, info.Name())
	}
	return names, nil
}

// requireSoon fails t if more than soon has passed since start, and returns what has.
func requireSoon(t testing.TB, start time.Time) time.Duration {
	t.Helper()
	took := time.Since(start)
	require.Less(t, took, soon)
	return took
}

// returns runs fn and fails t if that takes longer than limit. It returns the
// error and how long it took.
func returns(t testing.TB, limit time.Duration, what string, fn func() error) (time.Duration, error) {
	t.Helper()
	start := time.Now()
	done := make(chan error, 1)
	go func() { done <- fn() }() // ends with fn; if it never does, the test has failed
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case err := <-done:
		return time.Since(start), err
	case <-timer.C:
		require.Failf(t, "hangs", "%s: still not back after %v", what, limit)
		return 0, nil
	}
}

func asError[T error](err error, target *T) bool { return errors.As(err, target) }

// realServer reports whether the subtest of eachServer is of a real one.
func realServer(t *testing.T) bool { return !strings.Contains(t.Name(), "in_process") }
