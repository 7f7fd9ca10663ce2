package ftp_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/ftp"
	"github.com/hawser/hawser/internal/testserver"
)

// to is how a real server is reached.
func to(s *testserver.FTPServer) hawser.Connection {
	c := hawser.Connection{Name: "files", Protocol: hawser.FTP, Host: s.Host, Port: s.Port, Timeout: 20 * time.Second}
	c.Auth.User, c.Auth.Password = s.User, hawser.NewSecret(s.Password)
	if s.CA != "" {
		c.TLS.Mode, c.TLS.Roots = hawser.TLSExplicit, s.CA
	}
	return c
}

// open logs in; the session is closed with the test.
func open(t testing.TB, c hawser.Connection) *ftp.Session {
	t.Helper()
	require.NoError(t, c.Validate())
	s, err := ftp.Dialer{}.Open(t.Context(), c)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// content is n bytes that repeat nowhere.
func content(n int) []byte {
	data := make([]byte, n)
	source := rand.NewChaCha8([32]byte{byte(n)})
	_, _ = source.Read(data)
	return data
}

func upload(t testing.TB, s hawser.FileSystem, name string, data []byte) {
	t.Helper()
	w, err := s.Create(t.Context(), name, 0)
	require.NoError(t, err)
	_, err = io.Copy(w, bytes.NewReader(data))
	require.NoError(t, err)
	require.NoError(t, w.Close())
}

func download(t testing.TB, s hawser.FileSystem, name string) []byte {
	t.Helper()
	r, err := s.Open(t.Context(), name, 0)
	require.NoError(t, err)
	data, err := io.ReadAll(r)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	return data
}

func list(t testing.TB, s hawser.FileSystem, name string) []string {
	t.Helper()
	var names []string
	for info, err := range s.ReadDir(t.Context(), name) {
		require.NoError(t, err)
		names = append(names, info.Name())
	}
	return names
}
