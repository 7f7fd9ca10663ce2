package hawsertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestRunner checks a [hawser.Runner] whose other side is a POSIX shell: that
// output comes whole and apart, and input goes whole; that exit status and
// signal are told by *hawser.ExitError; that arguments joined by [hawser.Quote],
// environment and terminal arrive; that readers and writers that fail or block
// do not hang it; that a context that ends stops the command and ends Run with
// its own error, also where the command ignores TERM; and that one command may
// follow another, or run beside it where the session is [hawser.Parallel].
//
// open returns a Runner of a session of its own, and is called for each rule;
// t.Cleanup is the place to close the session.
func TestRunner(t *testing.T, open func(t *testing.T) hawser.Runner) {
	t.Helper()
	run(t, runnerRules(), func(t *testing.T) *runner { return newRunner(t, open) })
}

func runnerRules() []rule[*runner] {
	return slices.Concat(commandRules(), streamRules(), stopRules())
}

// runner is the subject of the rules.
type runner struct {
	*testing.T
	hawser.Runner
	ctx  context.Context // of the rule; ends after patience
	open func(t *testing.T) hawser.Runner
}

func newRunner(t *testing.T, open func(t *testing.T) hawser.Runner) *runner {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	r := &runner{T: t, ctx: ctx, Runner: open(t), open: open}
	require.NotNil(t, r.Runner, "open returned no Runner")
	return r
}

// sh runs cmd. It fails the rule when that does not come to an end.
func (r *runner) sh(cmd *hawser.Command) error {
	r.Helper()
	return within(r, patience, cmd.Line, func() error { return r.Runner.Run(r.ctx, cmd) })
}

// output runs line, which must succeed, and returns its output.
func (r *runner) output(line string) string {
	r.Helper()
	var out bytes.Buffer
	require.NoError(r, r.sh(&hawser.Command{Line: line, Stdout: &out}), "Run(%q)", line)
	return out.String()
}

func commandRules() []rule[*runner] {
	return []rule[*runner]{
		{"output and errors come apart", "what a program reports must not end up in its result", outputApart},
		{"the exit status is told", "an *hawser.ExitError tells a command that failed from a connection that did", exitStatus},
		{"the ending signal is told", "a command that was killed did not exit by itself", exitSignal},
		{"quoted arguments arrive as they are", "an argument is never an option, a pattern or a command of the shell", quotedArguments},
		{"the environment is set or Run fails", "a command must not run without what it was told; the error names the variable", environment},
		{"a terminal is there when asked for", "and only then: programs behave differently on one", terminal},
		{"an empty line is refused", "it would open an interactive shell that nobody talks to", emptyLine},
		{"one command may follow another", "a job runs many on one session", sequential},
		{"commands may run in parallel", "a Parallel session tells apart what belongs to whom", parallel},
		{"a session is not Reusable during a command", "a pool must not hand out a session on which a command runs", runningNotReusable},
	}
}

func outputApart(r *runner) {
	var out, errs bytes.Buffer
	require.NoError(r, r.sh(&hawser.Command{Line: "echo result; echo report >&2; printf end", Stdout: &out, Stderr: &errs}))
	assert.Equal(r, "result\nend", out.String(), "Stdout")
	assert.Equal(r, "report\n", errs.String(), "Stderr")
}

func exitStatus(r *runner) {
	var out bytes.Buffer
	err := r.sh(&hawser.Command{Line: "echo result; exit 7", Stdout: &out})
	assert.Equal(r, hawser.ExitError{Code: 7}, r.exit(err), "exit 7")
	assert.Equal(r, "result\n", out.String(), "the output of a command that failed")
	err = r.sh(&hawser.Command{Line: "hawsertest-there-is-no-such-command 2>&1", Stdout: &out})
	assert.Equal(r, hawser.ExitError{Code: 127}, r.exit(err), "a command that is not there") // POSIX, 2.8.2
}

// exit returns the *hawser.ExitError that err must be.
func (r *runner) exit(err error) hawser.ExitError {
	r.Helper()
	var exit *hawser.ExitError
	require.ErrorAs(r, err, &exit, "Run of a command that failed")
	return *exit
}

func exitSignal(r *runner) {
	exit := r.exit(r.sh(&hawser.Command{Line: "kill -TERM $$; sleep 10"}))
	if exit == (hawser.ExitError{Code: 128 + 15}) {
		r.Log("the server tells a signal by the shell's exit status")
		return
	}
	assert.Equal(r, hawser.ExitError{Code: -1, Signal: "TERM"}, exit, "kill -TERM $$")
}

func quotedArguments(r *runner) {
	args := []string{
		"plain", "", " ", "two  words", "it's", "'", "''", `"`, `\`, `\\n`, "$HOME", "${x}", "`id`", "$(id)", "*", "?", "[a-z]", "{a,b}", "~",
		"#", "!", "!!", "a;b", "a&b", "a|b", "<", ">", "(", ")", "-n", "--", "=", "%s", "two\nlines", "\ttab", "grüße 日本語", "x=y",
	}
	line := hawser.Quote(append([]string{"printf", "<%s>"}, args...)...)
	assert.Equal(r, "<"+strings.Join(args, "><")+">", r.output(line), "the arguments that arrived")
}

func environment(r *runner) {
	// OpenSSH of many distributions takes LC_*.
	const name, value = "LC_HAWSERTEST", `two  words, "it's" $HOME`
	var out bytes.Buffer
	err := r.sh(&hawser.Command{Line: `printf '<%s>' "$` + name + `"`, Env: map[string]string{name: value}, Stdout: &out})
	if err != nil {
		assert.Empty(r, out.String(), "the output of a command that must not have run: %v", err)
		assert.ErrorContains(r, err, name, "the refusal names the variable")
		r.Logf("skipped, because the server refuses the variable: %v", err)
		return
	}
	assert.Equal(r, "<"+value+">", out.String(), "the variable that arrived")
	assert.Equal(r, "<>", r.output(`printf '<%s>' "$`+name+`"`), "the variable in the next command")
}

func terminal(r *runner) {
	exit := r.exit(r.sh(&hawser.Command{Line: "test -t 0"}))
	assert.Equal(r, 1, exit.Code, "test -t 0 without a terminal")
	var out, errs bytes.Buffer
	err := r.sh(&hawser.Command{Line: "test -t 0 && echo out && echo err >&2", TTY: true, Stdout: &out, Stderr: &errs})
	if unsupported(r, "TTY", err) {
		return
	}
	require.NoError(r, err, "test -t 0 with a terminal")
	assert.Equal(r, "out\r\nerr\r\n", out.String(), "Stdout of a terminal")
	assert.Empty(r, errs.String(), "Stderr of a terminal")
}

func emptyLine(r *runner) {
	err := within(r, prompt, "Run of an empty line", func() error { return r.Runner.Run(r.ctx, &hawser.Command{}) })
	require.Error(r, err, "Run of an empty line")
	var exit *hawser.ExitError
	assert.False(r, errors.As(err, &exit), "Run of an empty line gave %v: something was run", err)
	assert.Equal(r, "after\n", r.output("echo after"), "the session afterwards")
}

func sequential(r *runner) {
	for i := range 20 {
		require.Equal(r, fmt.Sprintf("%d\n", i), r.output(fmt.Sprintf("echo %d", i)), "command %d", i)
	}
}

func parallel(r *runner) {
	n := parallelism(r.Runner, 4)
	if n == 1 {
		r.Skip("skipped: not hawser.Parallel")
	}
	err := each(n, 4*n, func(i int) error {
		var out bytes.Buffer
		in := fmt.Sprintf("input %d", i)
		err := r.Runner.Run(r.ctx, &hawser.Command{Line: fmt.Sprintf("cat; echo; echo %d", i), Stdin: strings.NewReader(in), Stdout: &out})
		if want := fmt.Sprintf("%s\n%d\n", in, i); err == nil && out.String() != want {
			err = fmt.Errorf("got %q, want %q", out.String(), want)
		}
		return err
	})
	require.NoError(r, err, "%d commands at once", n)
}

func runningNotReusable(r *runner) {
	if _, ok := ability[hawser.Leasable](r.Runner); !ok {
		r.Skip("skipped: not hawser.Leasable")
	}
	assert.True(r, reusable(r.Runner), "Reusable before a command")
	during := true
	require.NoError(r, r.sh(&hawser.Command{Line: "echo ready", Stdout: writerFunc(func(p []byte) (int, error) {
		during = reusable(r.Runner)
		return len(p), nil
	})}))
	assert.False(r, during, "Reusable during a command")
	assert.True(r, reusable(r.Runner), "Reusable after a command")
	_ = r.sh(&hawser.Command{Line: "exit 7"})
	assert.True(r, reusable(r.Runner), "Reusable after a command that failed")
}
