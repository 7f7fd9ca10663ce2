package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestEmbedded(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"-size", "3"}, nil, &out))
	text := out.String()
	assert.Contains(t, text, "The same.")
	assert.Contains(t, text, `"password": "***"`)
	assert.Contains(t, text, "files > OPENDIR .")
	assert.Contains(t, text, "shell < CHANNEL_REQUEST exit-status 0")
	assert.Contains(t, text, "server identity refused")
	sent := after(t, text, "sent      ")
	assert.Equal(t, 3, strings.Count(text, sent), "sent, received, and as the server sees it")
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.ErrorIs(t, run(ctx, nil, nil, &bytes.Buffer{}), context.Canceled)
}

func TestOwnConnections(t *testing.T) {
	t.Parallel()
	server, err := testserver.StartSSH(testserver.SSHConfig{
		Passwords: map[string]string{"alice": "correct horse"},
		Exec:      func(c *testserver.Command) int { _, _ = c.Stdout.Write([]byte("it is " + c.Line + "\n")); return 0 },
	})
	require.NoError(t, err)
	defer func() { assert.NoError(t, server.Close()) }()
	connection := func(name string, protocol hawser.Protocol) map[string]any {
		return map[string]any{
			"name": name, "protocol": protocol, "host": server.Host(), "port": server.Port(),
			"auth": map[string]any{"user": "alice", "password": "correct horse"},
			"log":  map[string]any{"outgoing": true},
		}
	}
	file := store(t, connection("bank", hawser.SFTP), connection("host", hawser.SSH))
	knownHosts := filepath.Join(t.TempDir(), "known_hosts")
	start := func(answer string, args ...string) (string, error) {
		var out bytes.Buffer
		args = append([]string{"-connections", file, "-known-hosts", knownHosts, "-size", "1"}, args...)
		err := run(t.Context(), args, strings.NewReader(answer), &out)
		return out.String(), err
	}

	_, err = start("n\n", "-use", "bank")
	require.ErrorIs(t, err, hawser.ErrUntrusted)
	text, err := start("always\n", "-use", "bank")
	require.NoError(t, err)
	assert.Contains(t, text, "which is unknown")
	assert.Contains(t, text, "The same.")
	assert.NotContains(t, text, "correct horse")
	left, err := os.ReadDir(server.Root())
	require.NoError(t, err)
	assert.Empty(t, left, "it cleans up")

	text, err = start("", "-use", "host", "-command", "a test")
	require.NoError(t, err)
	assert.NotContains(t, text, "which is unknown", "the answer was saved")
	assert.Contains(t, text, "it is a test")

	_, err = start("", "-use", "bnak")
	assert.ErrorContains(t, err, `did you mean "bank"?`)
}

func TestBadConnections(t *testing.T) {
	t.Parallel()
	file := store(t, map[string]any{"name": "bank", "protocol": "sftp", "hots": "example.com"})
	err := run(t.Context(), []string{"-connections", file, "-use", "bank"}, nil, &bytes.Buffer{})
	require.ErrorIs(t, err, hawser.ErrInvalid)
	assert.ErrorContains(t, err, `hots: unknown field; did you mean "host"?`)

	file = store(t, map[string]any{"name": "bank", "protocol": "sftp", "host": "example.com"})
	err = run(t.Context(), []string{"-connections", file, "-use", "bank"}, nil, &bytes.Buffer{})
	require.ErrorIs(t, err, hawser.ErrInvalid)
	assert.ErrorContains(t, err, "auth.user: is empty")

	assert.Error(t, run(t.Context(), []string{"-use", "bank"}, nil, &bytes.Buffer{}))
}

// store writes connections to a file.
func store(t *testing.T, connections ...any) string {
	t.Helper()
	text, err := json.Marshal(connections)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "connections.json")
	require.NoError(t, os.WriteFile(file, text, 0o600))
	return file
}

// after is the word that follows mark.
func after(t *testing.T, text, mark string) string {
	t.Helper()
	_, rest, found := strings.Cut(text, mark)
	require.True(t, found)
	return strings.Fields(rest)[0]
}
