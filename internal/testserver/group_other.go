//go:build !unix

package testserver

import (
	"os"
	"os/exec"

	"golang.org/x/crypto/ssh"
)

// setGroup does nothing where there are no process groups.
func setGroup(*exec.Cmd) {}

func killGroup(cmd *exec.Cmd) { _ = cmd.Process.Kill() }

// signalGroup knows KILL alone here.
func signalGroup(cmd *exec.Cmd, name ssh.Signal) {
	if name == ssh.SIGKILL {
		killGroup(cmd)
	}
}

// endedBy reports no signal, for there are none.
func endedBy(*os.ProcessState) ssh.Signal { return "" }
