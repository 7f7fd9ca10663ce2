package testserver

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

const (
	readyWithin = 20 * time.Second // for a daemon to answer
	probeEvery  = 10 * time.Millisecond
	stopWithin  = 5 * time.Second // from SIGTERM to SIGKILL
	portTries   = 5
	notAllowed  = 77 // exit status of a daemon that the machine forbids
)

// daemon is a program that serves SSH in the foreground until SIGTERM.
type daemon struct {
	name string
	dir  string // of the configuration
	keys []ssh.PublicKey
	// command configures the program for a port and returns what to start.
	command func(port uint16) *exec.Cmd
}

// launch starts the daemon and waits until it answers. The test's cleanup stops it.
func (d daemon) launch(t testing.TB, s *Server) {
	t.Helper()
	output := filepath.Join(d.dir, "output.log")
	s.logs = append(s.logs, output)
	s.HostKeys = d.keys
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s:\n%s", d.name, s.Log())
		}
	})
	for range portTries {
		s.Host, s.Port = freePort(t)
		run := d.start(t, output, s.Port)
		if d.ready(t, run, s) {
			return
		}
		// Another process may have taken the port since freePort.
		run.stop()
		if run.cmd.ProcessState.ExitCode() == notAllowed {
			Unavailable(t, d.name, "this machine does not let it mount")
		}
	}
	t.Fatalf("%s: ended %d times before it answered", d.name, portTries)
}

func (d daemon) start(t testing.TB, output string, port uint16) *running {
	t.Helper()
	log, err := os.OpenFile(output, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	cmd := d.command(port)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		Unavailable(t, d.name, fmt.Sprintf("cannot be started here: %v", err))
	}
	run := &running{cmd: cmd, ended: make(chan struct{})}
	go func() {
		defer close(run.ended)
		_ = cmd.Wait()
	}()
	t.Cleanup(run.stop)
	return run
}

// ready polls until the daemon presents one of its host keys, and reports false if it ended first. That something
// accepts would not do: it may be another process on the same port.
func (d daemon) ready(t testing.TB, run *running, s *Server) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), readyWithin)
	defer cancel()
	ticker := time.NewTicker(probeEvery)
	defer ticker.Stop()
	for {
		if d.presentsKey(ctx, s.Addr()) {
			return true
		}
		select {
		case <-ticker.C:
		case <-run.ended:
			return false
		case <-ctx.Done():
			t.Fatalf("%s: no answer within %v", d.name, readyWithin)
		}
	}
}

func (d daemon) presentsKey(ctx context.Context, addr string) bool {
	var dialer net.Dialer
	c, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return false
	}
	defer func() { _ = c.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	seen := false
	// It ends in an error, for there is no way to log in; the key is all that is asked for.
	_, _, _, _ = ssh.NewClientConn(c, addr, &ssh.ClientConfig{
		HostKeyCallback: func(_ string, _ net.Addr, key ssh.PublicKey) error {
			seen = slices.ContainsFunc(d.keys, func(k ssh.PublicKey) bool { return sameKey(k, key) })
			return net.ErrClosed
		},
	})
	return seen
}

// running is a started process. One goroutine waits for it and closes ended.
type running struct {
	cmd   *exec.Cmd
	ended chan struct{}
}

// stop ends the process by its id and returns when it has ended.
func (r *running) stop() {
	_ = r.cmd.Process.Signal(syscall.SIGTERM)
	timer := time.NewTimer(stopWithin)
	defer timer.Stop()
	select {
	case <-r.ended:
		return
	case <-timer.C:
	}
	_ = r.cmd.Process.Kill()
	<-r.ended
}

// freePort finds a port that was free a moment ago.
func freePort(t testing.TB) (string, uint16) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr, err := net.ResolveTCPAddr("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return addr.IP.String(), addr.AddrPort().Port()
}
