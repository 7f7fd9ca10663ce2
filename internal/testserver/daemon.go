package testserver

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
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

// daemon is a program that serves in the foreground until SIGTERM.
type daemon struct {
	name string
	dir  string // of the configuration
	host string // to listen on; empty is 127.0.0.1
	logs logs   // that it writes besides its output
	// command configures the program for a port and returns what to start.
	command func(port uint16) *exec.Cmd
	// answers reports whether this very program listens on addr: that something accepts would not do, for it may be
	// another process on the same port.
	answers func(ctx context.Context, addr string) bool
	// abrupt is set for a program that does not heed SIGTERM.
	abrupt bool
}

// launch starts the daemon and waits until it answers. The test's cleanup stops it.
func (d daemon) launch(t testing.TB) endpoint {
	t.Helper()
	output := filepath.Join(d.dir, "output.log")
	e := endpoint{Host: cmp.Or(d.host, "127.0.0.1"), logs: append(slices.Clip(d.logs), output)}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s:\n%s", d.name, e.Log())
		}
	})
	for range portTries {
		e.Port = freePort(t, e.Host)
		run := d.start(t, output, e.Port)
		if d.ready(t, run, e.Addr()) {
			return e
		}
		// Another process may have taken the port since freePort.
		run.stop()
		if run.cmd.ProcessState.ExitCode() == notAllowed {
			Unavailable(t, d.name, "this machine does not let it mount")
		}
	}
	t.Fatalf("%s: ended %d times before it answered", d.name, portTries)
	return endpoint{}
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
	run := &running{cmd: cmd, abrupt: d.abrupt, ended: make(chan struct{})}
	go func() {
		defer close(run.ended)
		_ = cmd.Wait()
	}()
	t.Cleanup(run.stop)
	return run
}

// ready polls until the daemon answers, and reports false if it ended first.
func (d daemon) ready(t testing.TB, run *running, addr string) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), readyWithin)
	defer cancel()
	ticker := time.NewTicker(probeEvery)
	defer ticker.Stop()
	for {
		if d.answers(ctx, addr) {
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

// presents is the answers of an SSH server that has these host keys.
func presents(keys []ssh.PublicKey) func(ctx context.Context, addr string) bool {
	return func(ctx context.Context, addr string) bool {
		seen := false
		probe(ctx, addr, func(c net.Conn) {
			// It ends in an error, for there is no way to log in; the key is all that is asked for.
			_, _, _, _ = ssh.NewClientConn(c, addr, &ssh.ClientConfig{
				HostKeyCallback: func(_ string, _ net.Addr, key ssh.PublicKey) error {
					seen = slices.ContainsFunc(keys, func(k ssh.PublicKey) bool { return sameKey(k, key) })
					return net.ErrClosed
				},
			})
		})
		return seen
	}
}

// probe runs ask on a connection to addr, if somebody accepts one. The end of ctx closes the connection.
func probe(ctx context.Context, addr string, ask func(c net.Conn)) {
	var dialer net.Dialer
	c, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return
	}
	defer func() { _ = c.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	ask(c)
}

// running is a started process. One goroutine waits for it and closes ended.
type running struct {
	cmd    *exec.Cmd
	abrupt bool
	ended  chan struct{}
}

// stop ends the process by its id and returns when it has ended.
func (r *running) stop() {
	if r.abrupt {
		_ = r.cmd.Process.Kill()
		<-r.ended
		return
	}
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

// freePort finds a port of host that was free a moment ago. It is not one of those that systems give to whoever asks
// for any: else a test could get it before the daemon does, and the probes meant for that. And it is even, for ProFTPD
// makes active data connections from the port below its own.
func freePort(t testing.TB, host string) uint16 {
	t.Helper()
	const first, many, tries = 20000, 6000, 100
	var err error
	for range tries {
		port := first + 2*rand.N(uint16(many))
		var l net.Listener
		l, err = net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(int(port))))
		if err != nil {
			continue
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		return port
	}
	t.Fatalf("no free port of %s: %v", host, err)
	return 0
}
