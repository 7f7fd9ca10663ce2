package testserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
)

// Shell runs c with "sh -c" in c.Dir and returns its exit status, or sets ExitSignal if a signal ended it. It is
// what an [SSH] server does without an Exec of its own.
//
// The command has an environment of its own: PATH, HOME, USER, TERM if there is a terminal, and what the client set.
// On Unix it leads a process group, which the client's signals reach as a whole. Unlike OpenSSH, Shell kills the
// group as soon as the channel is closed, so that nothing outlives the test. A terminal is not made: TTY sets TERM
// and joins Stderr to Stdout, no more.
func Shell(c *Command) int {
	cmd := exec.Command("sh", "-c", c.Line)
	cmd.Dir = c.Dir
	cmd.Env = shellEnv(c)
	setGroup(cmd)
	p, err := startPiped(cmd)
	if err != nil {
		_, _ = fmt.Fprintf(c.Stderr, "%v\n", err)
		return 127
	}
	return p.run(c)
}

func shellEnv(c *Command) []string {
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + c.Dir, "USER=" + c.User}
	if c.TTY {
		env = append(env, "TERM="+c.Term)
	}
	return append(env, c.Env...)
}

// process is a started command with our ends of its pipes. They are made here and not by os/exec, whose Wait either
// loses output that a slow client has not read yet or waits for it without end.
type process struct {
	cmd            *exec.Cmd
	stdin          *os.File
	stdout, stderr *os.File
}

func startPiped(cmd *exec.Cmd) (*process, error) {
	var files []*os.File
	closeAll := func() {
		for _, f := range files {
			_ = f.Close()
		}
	}
	for range 3 {
		r, w, err := os.Pipe()
		if err != nil {
			closeAll()
			return nil, err
		}
		files = append(files, r, w)
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = files[0], files[3], files[5]
	if err := cmd.Start(); err != nil {
		closeAll()
		return nil, err
	}
	for _, i := range []int{0, 3, 5} {
		_ = files[i].Close()
	}
	return &process{cmd: cmd, stdin: files[1], stdout: files[2], stderr: files[4]}, nil
}

// run moves the bytes until the process and all who hold its output have ended.
func (p *process) run(c *Command) int {
	stop := context.AfterFunc(c.Context, func() {
		killGroup(p.cmd)
		// One that left the group may hold the pipes for ever.
		_ = p.stdout.Close()
		_ = p.stderr.Close()
	})
	defer stop()

	ended := make(chan struct{})
	var input, output, signals sync.WaitGroup
	input.Go(func() {
		_, _ = io.Copy(p.stdin, c.Stdin)
		_ = p.stdin.Close()
	})
	stderr := c.Stderr
	if c.TTY {
		stderr = c.Stdout
	}
	output.Go(func() { drain(c.Stdout, p.stdout) })
	output.Go(func() { drain(stderr, p.stderr) })
	signals.Go(func() { p.forward(c, ended) })

	waitErr := p.cmd.Wait()
	output.Wait()
	close(ended)
	signals.Wait()
	_ = c.Stdin.Close()
	input.Wait()

	var exit *exec.ExitError
	if waitErr != nil && !errors.As(waitErr, &exit) {
		return 126
	}
	c.ExitSignal = endedBy(p.cmd.ProcessState)
	return p.cmd.ProcessState.ExitCode()
}

// drain copies and then closes src, so that a process that goes on writing to a client that is gone gets SIGPIPE.
func drain(dst io.Writer, src *os.File) {
	_, _ = io.Copy(dst, src)
	_ = src.Close()
}

// forward passes the client's signals on until ended is closed.
func (p *process) forward(c *Command, ended <-chan struct{}) {
	for {
		select {
		case sig := <-c.Signals:
			signalGroup(p.cmd, sig)
		case <-ended:
			return
		}
	}
}
