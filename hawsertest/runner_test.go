//go:build unix

package hawsertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hawser/hawser"
)

// fakeRunner runs commands by sh of this machine, correctly but for its bug.
type fakeRunner struct {
	bug     string
	running atomic.Int32
	ran     atomic.Bool
	one     sync.Mutex // for a bug
}

func testRunner(bug string) func(t *testing.T) {
	return func(t *testing.T) {
		TestRunner(t, func(*testing.T) hawser.Runner { return &fakeRunner{bug: bug} })
	}
}

func TestRunnerOfShell(t *testing.T) { testRunner("")(t) }

func TestRunnerThatRefusesWhatItMay(t *testing.T) { testRunner("refuses what it may")(t) }

func (r *fakeRunner) is(bug string) bool { return r.bug == "runner: "+bug }

func (r *fakeRunner) Lease(context.Context, hawser.Connection) error { return nil }
func (r *fakeRunner) Reusable() bool                                 { return r.running.Load() == 0 || r.is("always Reusable") }
func (r *fakeRunner) Parallelism() int                               { return 4 }

func (r *fakeRunner) Run(ctx context.Context, c *hawser.Command) error {
	r.running.Add(1)
	defer r.running.Add(-1)
	if err := r.refuse(ctx, c); err != nil {
		return err
	}
	cmd, stdin, err := r.command(c)
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	failed := make(chan error, 1)
	go r.feed(stdin, c.Stdin, failed) // may outlive Run in a Read of Stdin
	ended := make(chan struct{})
	stopped := make(chan struct{})
	go func() { // ends with the command, and is waited for
		defer close(stopped)
		r.stop(ctx, cmd, c.Grace, ended)
	}()
	err = cmd.Wait()
	if r.is("Run waits for Stdin") {
		<-failed
	}
	close(ended)
	<-stopped
	if ctx.Err() == nil && !r.is("errors of Stdout are lost") {
		for _, w := range []io.Writer{cmd.Stdout, cmd.Stderr} {
			if w, ok := w.(*writing); ok && w.err != nil {
				return w.err
			}
		}
	}
	return r.result(ctx, err, failed)
}

// refuse returns why c is not run.
func (r *fakeRunner) refuse(ctx context.Context, c *hawser.Command) error {
	switch {
	case c.Line == "" && !r.is("an empty line is run"):
		return fmt.Errorf("%w: empty command line", hawser.ErrInvalid)
	case ctx.Err() != nil && r.is("an ended context is noticed late"):
		_ = r.Run(context.WithoutCancel(ctx), c)
		return ctx.Err()
	case ctx.Err() != nil:
		return ctx.Err()
	case r.ran.Swap(true) && r.is("one command a session"):
		return hawser.ErrLost
	case r.bug == "refuses what it may":
		if len(c.Env) > 0 {
			return errors.New("the server refuses LC_HAWSERTEST")
		}
		if c.TTY {
			return errors.ErrUnsupported
		}
	}
	return nil
}

// feed writes what the command reads. It tells failed before the command may
// end for want of more.
func (r *fakeRunner) feed(stdin io.WriteCloser, from io.Reader, failed chan<- error) {
	if from == nil {
		failed <- nil
		if !r.is("no Stdin stays open") {
			_ = stdin.Close()
		}
		return
	}
	if r.is("Stdin is cut") {
		from = io.LimitReader(from, 1<<20)
	}
	broken := &reading{Reader: from}
	_, _ = io.Copy(stdin, broken)
	failed <- broken.err
	_ = stdin.Close()
}

// reading keeps the error of its Reader apart from that of writing.
type reading struct {
	io.Reader
	err error
}

func (r *reading) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err != io.EOF {
		r.err = err
	}
	return n, err
}

// writing keeps the error of its Writer.
type writing struct {
	io.Writer
	err error
}

func (w *writing) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	w.err = errors.Join(w.err, err)
	return n, err
}

// stop sends signals when ctx ends before the command.
func (r *fakeRunner) stop(ctx context.Context, cmd *exec.Cmd, grace time.Duration, ended <-chan struct{}) {
	if r.is("the context is ignored") {
		return
	}
	select {
	case <-ended:
		return
	case <-ctx.Done():
	}
	if r.is("KILL comes first") {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
	if r.is("KILL is never sent") {
		return
	}
	select {
	case <-ended:
	case <-time.After(grace):
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
}

func (r *fakeRunner) result(ctx context.Context, err error, failed <-chan error) error {
	if ctx.Err() != nil && !r.is("an exit error after a cancel") {
		return ctx.Err()
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return err
	}
	select {
	case err := <-failed:
		if err != nil && !r.is("errors of Stdin are lost") {
			return err
		}
	default: // Stdin still blocks
	}
	if exit == nil {
		return nil
	}
	e := &hawser.ExitError{Code: exit.ExitCode()}
	if status := exit.Sys().(syscall.WaitStatus); status.Signaled() && status.Signal() == syscall.SIGTERM {
		e.Signal = "TERM"
	}
	switch {
	case r.is("the status is lost"):
		e.Code = 1
	case r.is("the signal is lost"):
		e.Signal = ""
	}
	return e
}

func (r *fakeRunner) command(c *hawser.Command) (*exec.Cmd, io.WriteCloser, error) {
	line := c.Line
	if r.is("the line is expanded twice") {
		line = `eval "` + line + `"`
	}
	if c.TTY && !r.is("no terminal") {
		line = "test() { true; }; " + line // as far as the suite can see
	}
	cmd := exec.Command("sh", "-c", line)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if !r.is("the environment is lost") {
		for name, value := range c.Env {
			cmd.Env = append(cmd.Environ(), name+"="+value)
		}
	}
	r.outputs(cmd, c)
	// exec prefers the exit status, which a broken pipe changes, to the error
	// of a writer.
	_, same := cmd.Stderr.(*crlf)
	same = same || r.is("errors are output")
	if cmd.Stdout != nil {
		cmd.Stdout = &writing{Writer: cmd.Stdout}
	}
	if same {
		cmd.Stderr = cmd.Stdout
	} else if cmd.Stderr != nil {
		cmd.Stderr = &writing{Writer: cmd.Stderr}
	}
	stdin, err := cmd.StdinPipe()
	return cmd, stdin, err
}

func (r *fakeRunner) outputs(cmd *exec.Cmd, c *hawser.Command) {
	cmd.Stdout, cmd.Stderr = c.Stdout, c.Stderr
	switch {
	case r.is("errors are output"):
		cmd.Stderr = c.Stdout
	case r.is("output is cut") && c.Stdout != nil:
		cmd.Stdout = &limited{w: c.Stdout, left: 4 << 20}
	case r.is("no Stdout stalls") && c.Stdout == nil:
		cmd.Stdout = writerFunc(func([]byte) (int, error) { select {} })
	case r.is("a Stdout that fails hangs") && c.Stdout != nil:
		cmd.Stdout = writerFunc(func(p []byte) (int, error) {
			if n, err := c.Stdout.Write(p); err == nil {
				return n, nil
			}
			select {}
		})
	case r.is("commands share their output") && c.Stdout != nil:
		cmd.Stdout = writerFunc(func(p []byte) (int, error) {
			r.one.Lock()
			defer r.one.Unlock()
			_, err := c.Stdout.Write(bytes.Repeat(p, int(r.running.Load())))
			return len(p), err
		})
	case c.TTY && c.Stdout != nil:
		cmd.Stdout = &crlf{c.Stdout}
		cmd.Stderr = cmd.Stdout // by which exec gives both one pipe
	}
}

// crlf ends lines as a terminal does.
type crlf struct{ w io.Writer }

func (c *crlf) Write(p []byte) (int, error) {
	_, err := io.WriteString(c.w, strings.ReplaceAll(string(p), "\n", "\r\n"))
	return len(p), err
}

// limited drops what is more than left.
type limited struct {
	w    io.Writer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	some := p[:min(len(p), l.left)]
	l.left -= len(some)
	_, err := l.w.Write(some)
	return len(p), err
}
