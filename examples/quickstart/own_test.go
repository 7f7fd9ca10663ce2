package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
)

const password = "correct horse"

func TestOwnConnections(t *testing.T) {
	t.Parallel()
	t.Run("move a file by sftp and leave nothing behind", func(t *testing.T) {
		t.Parallel()
		u := newUser(t)
		text, err := u.start(t.Context(), strings.NewReader("always\n"), "-use", "bank")
		require.NoError(t, err)
		assert.Equal(t, 1, strings.Count(text, "Trust it?"))
		assertLines(
			t, text, `"password": "\*\*\*"`, `The host key of .* is unknown`, `presented  SHA256:.*  ssh-ed25519`,
			`probe`, `100%  1 MiB`, `bank > OPENDIR`, `The same\.`,
		)
		assert.NotContains(t, text, password)
		left, err := os.ReadDir(u.server.Root())
		require.NoError(t, err)
		assert.Empty(t, left)
	})
	t.Run("leave nothing behind after an interrupt", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		u := newUser(t)
		u.trigger = trigger{on: "25%", do: cancel}
		_, err := u.start(ctx, strings.NewReader("y\n"), "-use", "bank", "-size", "64")
		require.ErrorIs(t, err, context.Canceled)
		left, err := os.ReadDir(u.server.Root())
		require.NoError(t, err)
		assert.Empty(t, left)
	})
	t.Run("run a command by ssh", func(t *testing.T) {
		t.Parallel()
		text, err := newUser(t).start(t.Context(), strings.NewReader("y\n"), "-use", "host", "-command", "a test")
		require.NoError(t, err)
		assertLines(t, text, `host > CHANNEL_REQUEST exec "a test"`, `(?m)^   it is a test$`)
	})
	t.Run("work in -dir", func(t *testing.T) {
		t.Parallel()
		u := newUser(t)
		require.NoError(t, os.Mkdir(filepath.Join(u.server.Root(), "in"), 0o700))
		text, err := u.start(t.Context(), strings.NewReader("y\n"), "-use", "bank", "-dir", "in")
		require.NoError(t, err)
		assertLines(t, text, `to in/hawser-`, `bank > OPENDIR in #`)
	})
	t.Run("that are not there are named with what is meant", func(t *testing.T) {
		t.Parallel()
		_, err := newUser(t).start(t.Context(), nil, "-use", "bnak")
		require.ErrorIs(t, err, hawser.ErrNotFound)
		assert.ErrorContains(t, err, `did you mean "bank"?`)
	})
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	t.Run("always is asked once and remembered", func(t *testing.T) {
		t.Parallel()
		u := newUser(t)
		for _, asked := range []int{1, 0} {
			text, err := u.start(t.Context(), strings.NewReader("A\n"), "-use", "host")
			require.NoError(t, err)
			assert.Equal(t, asked, strings.Count(text, "Trust it?"))
		}
	})
	t.Run("yes is asked once a run and not remembered", func(t *testing.T) {
		t.Parallel()
		u := newUser(t)
		for range 2 {
			text, err := u.start(t.Context(), strings.NewReader("y"), "-use", "host")
			require.NoError(t, err)
			assert.Equal(t, 1, strings.Count(text, "Trust it?"))
		}
		assert.NoFileExists(t, u.knownHosts)
	})
	for _, answer := range []string{"n\n", "\n", "", "yes please\n"} {
		t.Run("refused by "+answer, func(t *testing.T) {
			t.Parallel()
			_, err := newUser(t).start(t.Context(), strings.NewReader(answer), "-use", "bank")
			assert.ErrorIs(t, err, hawser.ErrUntrusted)
		})
	}
	t.Run("are not waited for after an interrupt", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		silent, keyboard := io.Pipe()
		defer func() { assert.NoError(t, keyboard.Close()) }()
		u := newUser(t)
		u.trigger = trigger{on: "Trust it?", do: cancel}
		_, err := u.start(ctx, silent, "-use", "bank")
		assert.ErrorIs(t, err, context.Canceled)
	})
}

func TestBadConnections(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		file []any
		want []string
	}{
		{
			"a misspelt field",
			[]any{fields{"name": "bank", "protocol": "sftp", "hots": "example.com"}},
			[]string{`hots: unknown field; did you mean "host"?`},
		},
		{
			"a misspelt field of a group",
			[]any{fields{"name": "bank", "protocol": "sftp", "host": "example.com", "auth": fields{"usr": "alice"}}},
			[]string{`auth.usr: unknown field; did you mean "auth.user"?`},
		},
		{
			"what is missing",
			[]any{
				fields{"name": "host", "protocol": "ssh", "host": "example.com", "auth": fields{"user": "a", "agent": true}},
				fields{"name": "bank", "protocol": "sftp", "host": "example.com:22"},
			},
			[]string{`connection 2, "bank"`, "host: has a port", "auth.user: is empty"},
		},
		{
			"a connection without a name",
			[]any{fields{"protocol": "ssh", "host": "example.com", "auth": fields{"user": "a", "agent": true}}},
			[]string{`connection 1, ""`, "name: is empty"},
		},
		{
			"a name that is given twice",
			[]any{
				fields{"name": "host", "protocol": "ssh", "host": "a.example.com", "auth": fields{"user": "a", "agent": true}},
				fields{"name": "host", "protocol": "ssh", "host": "b.example.com", "auth": fields{"user": "a", "agent": true}},
			},
			[]string{`connection 2, "host"`, "exists already"},
		},
	} {
		t.Run(row.name+" is reported", func(t *testing.T) {
			t.Parallel()
			file := store(t, row.file...)
			err := run(t.Context(), []string{"-connections", file, "-use", "bank"}, nil, &bytes.Buffer{})
			require.Error(t, err)
			for _, want := range row.want {
				assert.ErrorContains(t, err, want)
			}
		})
	}
	t.Run("a file that is not there is reported", func(t *testing.T) {
		t.Parallel()
		missing := filepath.Join(t.TempDir(), "none.json")
		err := run(t.Context(), []string{"-connections", missing, "-use", "bank"}, nil, &bytes.Buffer{})
		assert.ErrorIs(t, err, os.ErrNotExist)
	})
}

// fields are a connection in its stored form.
type fields map[string]any

// A user has a server, a file of connections to it and a known_hosts file.
type user struct {
	server           *testserver.SSH
	file, knownHosts string
	trigger          trigger
}

func newUser(t *testing.T) *user {
	t.Helper()
	server, err := testserver.StartSSH(testserver.SSHConfig{
		Passwords: map[string]string{"alice": password},
		Exec: func(c *testserver.Command) int {
			_, _ = io.WriteString(c.Stdout, "it is "+c.Line) // without a line end
			return 0
		},
	})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, server.Close()) })
	connection := func(name, protocol string) fields {
		return fields{
			"name": name, "protocol": protocol, "host": server.Host(), "port": server.Port(),
			"auth": fields{"user": "alice", "password": password},
		}
	}
	return &user{
		server:     server,
		file:       store(t, connection("bank", "sftp"), connection("host", "ssh")),
		knownHosts: filepath.Join(t.TempDir(), "known_hosts"),
	}
}

func (u *user) start(ctx context.Context, in io.Reader, args ...string) (string, error) {
	out := &trigger{on: u.trigger.on, do: u.trigger.do}
	args = append([]string{"-connections", u.file, "-known-hosts", u.knownHosts, "-size", "1"}, args...)
	err := run(ctx, args, in, out)
	return out.text.String(), err
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
