package ssh_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/ssh"
)

func TestRun(t *testing.T) {
	t.Parallel()
	s := login(t, to(start(t, testserver.SSHConfig{})))
	var table timings
	runRules(t, s, &table)
}

func TestRunRefusesWhatAServerWouldMisread(t *testing.T) {
	t.Parallel()
	s := login(t, to(start(t, testserver.SSHConfig{})))
	for _, row := range []struct {
		name string
		cmd  hawser.Command
	}{
		{"an empty line", hawser.Command{}},
		{"NUL in the line", hawser.Command{Line: "a\x00b"}},
		{"a variable without a name", hawser.Command{Line: "x", Env: map[string]string{"": "v"}}},
		{"= in a variable's name", hawser.Command{Line: "x", Env: map[string]string{"a=b": "v"}}},
		{"a line end in a variable's name", hawser.Command{Line: "x", Env: map[string]string{"a\nb": "v"}}},
		{"NUL in a variable", hawser.Command{Line: "x", Env: map[string]string{"a": "v\x00"}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			var r recorder
			err := s.Run(hawser.WithTrace(t.Context(), r.trace()), &row.cmd)
			assert.ErrorIs(t, err, hawser.ErrInvalid)
			assert.Empty(t, r.text(), "what was sent")
		})
	}
}

func TestRunTellsTheCommandToEnd(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		obey string // the signal that ends the command
		want []string
	}{
		{"TERM is enough for one that obeys", "TERM", []string{"TERM"}},
		{"KILL follows for one that does not, then its channel is closed", "", []string{"TERM", "KILL", "closed"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			seen := make(chan []string, 1)
			server := start(t, testserver.SSHConfig{Exec: func(c *testserver.Command) int {
				_, _ = io.WriteString(c.Stdout, "ready")
				var got []string
				defer func() { seen <- got }()
				for {
					select {
					case sig := <-c.Signals:
						got = append(got, string(sig))
						if string(sig) == row.obey {
							return 0
						}
					case <-c.Context.Done():
						for len(c.Signals) > 0 {
							got = append(got, string(<-c.Signals))
						}
						got = append(got, "closed")
						return 0
					}
				}
			}})
			s := login(t, to(server))
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			out := writerFunc(func(p []byte) (int, error) { cancel(); return len(p), nil })
			var r recorder
			err := s.Run(hawser.WithTrace(ctx, r.trace()), &hawser.Command{Line: "x", Stdout: out, Grace: 50 * time.Millisecond})
			require.ErrorIs(t, err, context.Canceled)
			assert.Equal(t, row.want, <-seen)
			assert.Contains(t, r.text(), "> CHANNEL_REQUEST signal TERM")
			assert.Contains(t, r.text(), "> CHANNEL_CLOSE")
		})
	}
}

func TestRunWithOddServers(t *testing.T) {
	t.Parallel()
	exec := func(t *testing.T, run func(*testserver.Command) int) *ssh.Session {
		t.Helper()
		return login(t, to(start(t, testserver.SSHConfig{Exec: run})))
	}
	t.Run("an end without a status is an error, and the session lives", func(t *testing.T) {
		t.Parallel()
		s := exec(t, func(*testserver.Command) int { return -1 })
		err := s.Run(t.Context(), &hawser.Command{Line: "x"})
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		assert.NotErrorIs(t, err, hawser.ErrLost)
		assert.NoError(t, s.Ping(t.Context()))
	})
	t.Run("a refused variable fails before the command starts, with the cure", func(t *testing.T) {
		t.Parallel()
		server := choosy(t)
		s := loginBy(t, trusting(), at(server.Host(), server.Port()))
		err := s.Run(t.Context(), &hawser.Command{Line: "x", Env: map[string]string{"LANG": "value-1234"}})
		require.ErrorContains(t, err, "variable LANG")
		assert.ErrorContains(t, err, "AcceptEnv")
		assert.NotContains(t, err.Error(), "value-1234")
	})
	t.Run("a refused terminal fails", func(t *testing.T) {
		t.Parallel()
		server := choosy(t)
		s := loginBy(t, trusting(), at(server.Host(), server.Port()))
		require.ErrorContains(t, s.Run(t.Context(), &hawser.Command{Line: "x", TTY: true}), "pty-req")
	})
	t.Run("a refused command fails", func(t *testing.T) {
		t.Parallel()
		server := choosy(t)
		s := loginBy(t, trusting(), at(server.Host(), server.Port()))
		err := s.Run(t.Context(), &hawser.Command{Line: "x"})
		require.ErrorContains(t, err, "refused the request exec")
		assert.NotErrorIs(t, err, hawser.ErrLost)
	})
	t.Run("a refused subsystem fails", func(t *testing.T) {
		t.Parallel()
		s := login(t, to(start(t, testserver.SSHConfig{})))
		_, err := s.Subsystem(t.Context(), "nonsense")
		require.ErrorContains(t, err, "refused the request subsystem nonsense")
		assert.NoError(t, s.Ping(t.Context()))
	})
	t.Run("a terminal is asked for with its name and size", func(t *testing.T) {
		t.Parallel()
		seen := make(chan testserver.Command, 1)
		s := exec(t, func(c *testserver.Command) int {
			seen <- testserver.Command{TTY: c.TTY, Term: c.Term, Window: c.Window}
			return 0
		})
		require.NoError(t, s.Run(t.Context(), &hawser.Command{Line: "x", TTY: true}))
		assert.Equal(t, testserver.Command{TTY: true, Term: "xterm", Window: testserver.Window{Width: 80, Height: 24}}, <-seen)
	})
	t.Run("Close unblocks a Run whose writer blocks", func(t *testing.T) {
		t.Parallel()
		s := exec(t, func(c *testserver.Command) int { _, _ = io.WriteString(c.Stdout, "x"); return 0 })
		writing, release := make(chan struct{}), make(chan struct{})
		result := make(chan error, 1)
		go func() {
			result <- s.Run(t.Context(), &hawser.Command{Line: "x", Stdout: writerFunc(func(p []byte) (int, error) {
				close(writing)
				<-release
				return len(p), nil
			})})
		}()
		<-writing
		begun := time.Now()
		require.NoError(t, s.Close())
		require.ErrorIs(t, <-result, net.ErrClosed)
		requireSoon(t, begun)
		close(release)
	})
	t.Run("a session that is closed runs nothing and closes again", func(t *testing.T) {
		t.Parallel()
		s := login(t, to(start(t, testserver.SSHConfig{})))
		require.NoError(t, s.Close())
		require.NoError(t, s.Close())
		err := s.Run(t.Context(), &hawser.Command{Line: "x"})
		require.ErrorIs(t, err, net.ErrClosed)
		var e *hawser.Error
		require.True(t, errors.As(err, &e))
		assert.Equal(t, "run", e.Op)
		assert.False(t, s.Reusable())
	})
}

func TestStream(t *testing.T) {
	t.Parallel()
	t.Run("it carries what a command reads and writes, and keeps its errors", func(t *testing.T) {
		t.Parallel()
		s := login(t, to(start(t, testserver.SSHConfig{})))
		stream, err := s.Exec(t.Context(), "head -c 5; echo sorry >&2")
		require.NoError(t, err)
		assert.False(t, s.Reusable(), "while a stream is open")
		_, err = io.WriteString(stream, "hello")
		require.NoError(t, err)
		got, err := io.ReadAll(stream)
		require.NoError(t, err)
		assert.Equal(t, "hello", string(got))
		require.NoError(t, stream.Close())
		require.NoError(t, stream.Close())
		assert.Eventually(t, func() bool { return stream.Stderr() == "sorry\n" && s.Reusable() }, soon, time.Millisecond)
	})
	t.Run("a context that ends later leaves it alone", func(t *testing.T) {
		t.Parallel()
		s := login(t, to(start(t, testserver.SSHConfig{})))
		ctx, cancel := context.WithCancel(t.Context())
		stream, err := s.Exec(ctx, "cat")
		require.NoError(t, err)
		cancel()
		_, err = io.WriteString(stream, "x")
		require.NoError(t, err)
		_, err = io.ReadFull(stream, make([]byte, 1))
		require.NoError(t, err)
		require.NoError(t, stream.Close())
	})
	t.Run("of much that is written as an error, the end is kept", func(t *testing.T) {
		t.Parallel()
		s := login(t, to(start(t, testserver.SSHConfig{Exec: func(c *testserver.Command) int {
			_, _ = c.Stderr.Write(make([]byte, 3<<20))
			_, _ = io.WriteString(c.Stderr, "the end")
			return 0
		}})))
		stream, err := s.Exec(t.Context(), "x")
		require.NoError(t, err)
		_, err = io.ReadAll(stream)
		require.NoError(t, err)
		assert.Eventually(t, func() bool { return strings.HasSuffix(stream.Stderr(), "the end") }, soon, time.Millisecond)
		assert.Len(t, stream.Stderr(), 1<<10)
		require.NoError(t, stream.Close())
	})
}
