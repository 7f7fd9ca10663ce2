//go:build unix

package testserver

import (
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/crypto/ssh"
)

// setGroup makes the command the leader of a process group of its own.
func setGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}

func killGroup(cmd *exec.Cmd) {
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
}

// signalGroup sends the signal that RFC 4254, section 6.10 names; unknown ones are ignored.
func signalGroup(cmd *exec.Cmd, name ssh.Signal) {
	if sig, ok := signalNames()[name]; ok {
		_ = syscall.Kill(-cmd.Process.Pid, sig)
	}
}

// endedBy names the signal that ended a process, or returns "" if none did.
func endedBy(state *os.ProcessState) ssh.Signal {
	status, ok := state.Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() {
		return ""
	}
	for name, sig := range signalNames() {
		if sig == status.Signal() {
			return name
		}
	}
	return ssh.Signal(status.Signal().String())
}

func signalNames() map[ssh.Signal]syscall.Signal {
	return map[ssh.Signal]syscall.Signal{
		ssh.SIGABRT: syscall.SIGABRT, ssh.SIGALRM: syscall.SIGALRM, ssh.SIGFPE: syscall.SIGFPE,
		ssh.SIGHUP: syscall.SIGHUP, ssh.SIGILL: syscall.SIGILL, ssh.SIGINT: syscall.SIGINT,
		ssh.SIGKILL: syscall.SIGKILL, ssh.SIGPIPE: syscall.SIGPIPE, ssh.SIGQUIT: syscall.SIGQUIT,
		ssh.SIGSEGV: syscall.SIGSEGV, ssh.SIGTERM: syscall.SIGTERM, ssh.SIGUSR1: syscall.SIGUSR1,
		ssh.SIGUSR2: syscall.SIGUSR2,
	}
}
