package ssh_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/ssh"
)

// runRules are what holds of commands with every server that has a shell.
func runRules(t *testing.T, s *ssh.Session, table *timings) {
	t.Helper()
	run := func(cmd *hawser.Command) (stdout, stderr string, err error) {
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		err = s.Run(t.Context(), cmd)
		return out.String(), errs.String(), err
	}
	t.Run("output and errors are told apart", func(t *testing.T) {
		out, errs, err := run(&hawser.Command{Line: "echo out; echo err >&2"})
		require.NoError(t, err)
		assert.Equal(t, "out\n", out)
		assert.Equal(t, "err\n", errs)
	})
	t.Run("a status that is not zero is an ExitError", func(t *testing.T) {
		out, _, err := run(&hawser.Command{Line: "echo out; exit 3"})
		var exit *hawser.ExitError
		require.ErrorAs(t, err, &exit)
		assert.Equal(t, hawser.ExitError{Code: 3}, *exit)
		assert.Equal(t, "out\n", out, "also of a command that fails")
	})
	t.Run("a signal is an ExitError with its name", func(t *testing.T) {
		_, _, err := run(&hawser.Command{Line: "kill -KILL $$"})
		var exit *hawser.ExitError
		require.ErrorAs(t, err, &exit)
		assert.Equal(t, hawser.ExitError{Code: -1, Signal: "KILL"}, *exit)
	})
	t.Run("nil Stdin is empty", func(t *testing.T) {
		out, _, err := run(&hawser.Command{Line: "cat; echo end"})
		require.NoError(t, err)
		assert.Equal(t, "end\n", out)
	})
	t.Run("nil writers drop the output", func(t *testing.T) {
		require.NoError(t, s.Run(t.Context(), &hawser.Command{Line: "head -c 5000000 /dev/zero; head -c 5000000 /dev/zero >&2"}))
	})
	t.Run("Stdin arrives whole", func(t *testing.T) {
		out, _, err := run(&hawser.Command{Line: "wc -c", Stdin: io.LimitReader(zeroes{}, 5<<20)})
		require.NoError(t, err)
		assert.Equal(t, "5242880", strings.TrimSpace(out))
	})
	t.Run("large input and output at once", func(t *testing.T) {
		in := make([]byte, 0, 3<<20)
		for i := range uint32(cap(in) / 4) {
			in = binary.BigEndian.AppendUint32(in, i)
		}
		want := string(in)
		out, _, err := run(&hawser.Command{Line: "cat", Stdin: bytes.NewReader(in)})
		require.NoError(t, err)
		assert.True(t, out == want, "%d bytes, want %d", len(out), len(want))
	})
	t.Run("a command that leaves its input is no failure", func(t *testing.T) {
		require.NoError(t, s.Run(t.Context(), &hawser.Command{Line: "true", Stdin: zeroes{}}))
	})
	t.Run("a command that ends is not held up by a Stdin that blocks", func(t *testing.T) {
		blocked, release := io.Pipe()
		t.Cleanup(func() { _ = release.Close() })
		require.NoError(t, s.Run(t.Context(), &hawser.Command{Line: "true", Stdin: blocked}))
	})
	t.Run("variables are set, whatever they hold", func(t *testing.T) {
		value := "a'b\"c $HOME\n;x"
		out, _, err := run(&hawser.Command{Line: `printf %s "$HAWSER_A-$HAWSER_B"`, Env: map[string]string{"HAWSER_A": value, "HAWSER_B": "2"}})
		require.NoError(t, err)
		assert.Equal(t, value+"-2", out)
	})
	t.Run("Quote keeps arguments whole", func(t *testing.T) {
		arg := "a'b\"c $HOME `x` \\ \n *"
		out, _, err := run(&hawser.Command{Line: hawser.Quote("printf", "%s", arg)})
		require.NoError(t, err)
		assert.Equal(t, arg, out)
	})
	t.Run("a terminal joins the errors to the output", func(t *testing.T) {
		out, errs, err := run(&hawser.Command{Line: `echo "$TERM"; sleep 0.1; echo err >&2`, TTY: true})
		require.NoError(t, err)
		assert.Empty(t, errs)
		assert.Equal(t, "xterm\nerr\n", strings.ReplaceAll(out, "\r\n", "\n"))
	})
	t.Run("commands run at once", func(t *testing.T) {
		var commands sync.WaitGroup
		for i := range s.Parallelism() {
			commands.Go(func() {
				out, _, err := run(&hawser.Command{Line: "cat", Stdin: strings.NewReader(strings.Repeat(fmt.Sprint(i), 100_000))})
				assert.NoError(t, err)
				assert.Equal(t, strings.Repeat(fmt.Sprint(i), 100_000), out)
			})
		}
		commands.Wait()
	})
	t.Run("a session is Reusable when Run has returned", func(t *testing.T) {
		for range 20 {
			require.NoError(t, s.Run(t.Context(), &hawser.Command{Line: "true"}))
			require.True(t, s.Reusable())
		}
	})
	t.Run("a session is not Reusable while output is written, whatever the server ended", func(t *testing.T) {
		ended := make(chan struct{})
		ctx := hawser.WithTrace(t.Context(), &hawser.Trace{Received: func(m hawser.Message) {
			if m.Text == "CHANNEL_CLOSE" {
				close(ended)
			}
		}})
		var during bool
		require.NoError(t, s.Run(ctx, &hawser.Command{Line: "echo x", Stdout: writerFunc(func(p []byte) (int, error) {
			select {
			case <-ended:
			case <-time.After(soon):
				return 0, errors.New("the channel did not close")
			}
			during = s.Reusable()
			return len(p), nil
		})}))
		assert.False(t, during)
		assert.True(t, s.Reusable())
	})
	t.Run("a writer that fails ends the command, and its error is kept", func(t *testing.T) {
		begun := time.Now()
		err := s.Run(t.Context(), &hawser.Command{Line: "exec yes", Stdout: failing{}, Grace: 500 * time.Millisecond})
		require.ErrorIs(t, err, assert.AnError)
		assert.ErrorContains(t, err, "stdout: ")
		table.add("a writer that fails", requireSoon(t, begun))
	})
	t.Run("a writer of errors that fails ends the command", func(t *testing.T) {
		err := s.Run(t.Context(), &hawser.Command{Line: "exec yes >&2", Stderr: failing{}, Grace: 500 * time.Millisecond})
		require.ErrorIs(t, err, assert.AnError)
		assert.ErrorContains(t, err, "stderr: ")
	})
	t.Run("a Stdin that fails ends the command, and its error is kept", func(t *testing.T) {
		out, _, err := run(&hawser.Command{
			Line: "cat; echo the input is whole", Grace: 500 * time.Millisecond,
			Stdin: io.MultiReader(strings.NewReader("half"), failing{}),
		})
		require.ErrorIs(t, err, assert.AnError)
		assert.ErrorContains(t, err, "stdin: ")
		assert.NotContains(t, out, "the input is whole")
	})
	t.Run("a context that ends ends the command", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var ended time.Time
		out := writerFunc(func(p []byte) (int, error) { ended = time.Now(); cancel(); return len(p), nil })
		err := s.Run(ctx, &hawser.Command{Line: "echo ready; exec sleep 60", Stdout: out, Grace: 500 * time.Millisecond})
		table.add("a context that ends", requireSoon(t, ended))
		require.ErrorIs(t, err, context.Canceled)
	})
	t.Run("a context that ends does not wait for a writer that blocks", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		release := make(chan struct{})
		t.Cleanup(func() { close(release) })
		var ended time.Time
		out := writerFunc(func(p []byte) (int, error) { ended = time.Now(); cancel(); <-release; return len(p), nil })
		err := s.Run(ctx, &hawser.Command{Line: "exec yes", Stdout: out, Grace: 200 * time.Millisecond})
		table.add("a context that ends, with a writer that blocks", requireSoon(t, ended))
		require.ErrorIs(t, err, context.Canceled)
	})
	t.Run("an ended context runs nothing", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, s.Run(ctx, &hawser.Command{Line: "true"}), context.Canceled)
	})
	t.Run("nothing is written once Run has returned", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var over bool // unguarded: the race detector is the test
		out := writerFunc(func(p []byte) (int, error) {
			cancel()
			if over {
				t.Error("written after Run")
			}
			return len(p), nil
		})
		_ = s.Run(ctx, &hawser.Command{Line: "exec yes", Stdout: out, Grace: time.Nanosecond})
		over = true
	})
	require.NoError(t, s.Ping(t.Context()), "after all that")
}

type failing struct{}

func (failing) Read([]byte) (int, error)  { return 0, assert.AnError }
func (failing) Write([]byte) (int, error) { return 0, assert.AnError }

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
