package hawsertest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func streamRules() []rule[*runner] {
	return []rule[*runner]{
		{"input is streamed whole", "a file is piped into a command", inputWhole},
		{"output is streamed whole", "a dump is piped out of a command; what comes last must not be lost", outputWhole},
		{"no Stdin is an empty one", "a command that reads must not wait for ever", noStdin},
		{"no Stdout drops the output", "a command that writes much must not stall because nobody listens", noStdout},
		{"a Stdout that fails ends Run with its error", "a full disk on this side is told, and does not hang the job", stdoutFails},
		{"a Stdin that fails ends Run with its error", "half an input must not look like a whole one", stdinFails},
		{"a Stdin that blocks does not hold up the end", "commands end without reading all that they might", stdinBlocks},
	}
}

func inputWhole(r *runner) {
	data := content(4<<20 + 7)
	var out bytes.Buffer
	require.NoError(r, r.sh(&hawser.Command{Line: "cat", Stdin: struct{ io.Reader }{bytes.NewReader(data)}, Stdout: &out}), "cat")
	sameContent(r, data, out.Bytes())
}

func outputWhole(r *runner) {
	const lines = 1 << 20
	var out bytes.Buffer
	line := fmt.Sprintf(`awk 'BEGIN { for (i = 0; i < %d; i++) printf "%%07d\n", i }'`, lines)
	require.NoError(r, r.sh(&hawser.Command{Line: line, Stdout: &out}), "awk")
	var want bytes.Buffer
	for i := range lines {
		fmt.Fprintf(&want, "%07d\n", i)
	}
	sameContent(r, want.Bytes(), out.Bytes())
}

func noStdin(r *runner) {
	err := within(r, patience/6, "cat without Stdin", func() error { return r.Runner.Run(r.ctx, &hawser.Command{Line: "cat"}) })
	require.NoError(r, err, "cat without Stdin")
}

// much writes 4 MiB to both outputs: more than any window or pipe holds.
const much = "dd if=/dev/zero bs=1024 count=4096 2>/dev/null; dd if=/dev/zero bs=1024 count=4096 >&2 2>/dev/null"

func noStdout(r *runner) {
	err := within(r, patience/6, "a command whose output nobody takes", func() error { return r.Runner.Run(r.ctx, &hawser.Command{Line: much}) })
	require.NoError(r, err, "a command whose output nobody takes")
}

func stdoutFails(r *runner) {
	full := errors.New("the disk is full")
	fails := writerFunc(func([]byte) (int, error) { return 0, full })
	for what, cmd := range map[string]*hawser.Command{
		"Stdout": {Line: much, Stdout: fails}, "Stderr": {Line: much, Stderr: fails},
	} {
		err := within(r, patience/6, "Run whose "+what+" fails", func() error { return r.Runner.Run(r.ctx, cmd) })
		assert.ErrorIs(r, err, full, "Run whose %s fails", what)
	}
}

func stdinFails(r *runner) {
	broken := errors.New("the source broke")
	stdin := io.MultiReader(bytes.NewReader(content(100_000)), readerFunc(func([]byte) (int, error) { return 0, broken }))
	err := within(r, patience/6, "Run whose Stdin fails", func() error {
		return r.Runner.Run(r.ctx, &hawser.Command{Line: "cat", Stdin: stdin})
	})
	assert.ErrorIs(r, err, broken, "Run whose Stdin fails")
}

func stdinBlocks(r *runner) {
	stdin, source := io.Pipe()
	defer source.Close() // lets a last Read go
	var out bytes.Buffer
	err := within(r, patience/6, "Run whose Stdin blocks", func() error {
		return r.Runner.Run(r.ctx, &hawser.Command{Line: "echo done", Stdin: stdin, Stdout: &out})
	})
	require.NoError(r, err, "Run whose Stdin blocks")
	assert.Equal(r, "done\n", out.String(), "Stdout")
}

func stopRules() []rule[*runner] {
	return []rule[*runner]{
		{"an ended context runs nothing", "a job that was stopped must not leave traces", runEnded},
		{"a context that ends stops the command", "TERM, then KILL after Grace; the error is the context's own", runCancelled},
		{"a command that ignores TERM is stopped too", "by KILL or by closing its channel; Run does not wait for ever", runStubborn},
		{"TERM comes first", "a command gets Grace to clean up", runGraceful},
	}
}

func runEnded(r *runner) {
	var out bytes.Buffer
	err := within(r, prompt, "Run with an ended context", func() error {
		return r.Runner.Run(ended(r.ctx), &hawser.Command{Line: "echo run", Stdout: &out})
	})
	assert.ErrorIs(r, err, context.Canceled, "Run with an ended context")
	assert.Empty(r, out.String(), "Stdout of a command that must not have run")
}

// cancelled runs line until it says ready, and cancels it. Run must come back
// with the context's error soon after grace.
func (r *runner) cancelled(line string, grace time.Duration) {
	r.Helper()
	ctx, cancel := context.WithCancel(r.ctx)
	r.Cleanup(cancel)
	ready := make(chan struct{})
	tell := sync.OnceFunc(func() { close(ready) })
	out := writerFunc(func(p []byte) (int, error) { tell(); return len(p), nil })
	done := make(chan error, 1)
	go func() { // ends with Run
		done <- r.Runner.Run(ctx, &hawser.Command{Line: line, Stdout: out, Grace: grace})
	}()
	within(r, patience, "the first output of "+line, func() struct{} { return <-ready })
	cancel()
	err := within(r, grace+prompt, "Run whose context is cancelled", func() error { return <-done })
	assert.ErrorIs(r, err, context.Canceled, "Run whose context is cancelled")
}

const grace = 200 * time.Millisecond

func runCancelled(r *runner) { r.cancelled("echo ready; sleep 30", grace) }

func runStubborn(r *runner) {
	r.cancelled("trap '' TERM HUP PIPE; echo ready; i=0; while [ $i -lt 30 ]; do sleep 1; i=$((i+1)); done", grace)
}

func runGraceful(r *runner) {
	const grace = 3 * time.Second
	file := "/tmp/hawsertest-" + rand.Text()
	start := time.Now()
	r.cancelled("trap 'echo cleaned >"+file+"; exit 0' TERM; echo ready; i=0; while [ $i -lt 300 ]; do sleep 0.1; i=$((i+1)); done", grace)
	took := time.Since(start)
	// The cancelled session may have ended with its command.
	after := &runner{T: r.T, ctx: r.ctx, Runner: r.open(r.T)}
	cleaned := after.output("cat " + file + " 2>/dev/null; rm -f " + file)
	if cleaned == "" && took > grace {
		r.Log("skipped: no signal arrived; the server delivers none")
		return
	}
	assert.Equal(r, "cleaned\n", cleaned, "what the command wrote when it got TERM; it ended after %v of %v", took, grace)
}
