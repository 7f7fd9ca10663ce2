package testserver

import (
	"os/exec"
	"syscall"
)

// isolated is a command that will be the first process of new mount and process namespaces: when it ends, the kernel
// ends all others there. It ends itself when this process does, by a panic for example.
func isolated(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID,
		Pdeathsig:  syscall.SIGKILL,
	}
	return cmd
}

// tie makes a command end when this process does.
func tie(cmd *exec.Cmd) *exec.Cmd {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	return cmd
}
