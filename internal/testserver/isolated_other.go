//go:build !linux

package testserver

import (
	"errors"
	"os/exec"
)

// isolated returns a command that cannot be started: namespaces exist on Linux alone.
func isolated(string, ...string) *exec.Cmd {
	return &exec.Cmd{Err: errors.New("namespaces exist on Linux alone")}
}

// tie does nothing where a process cannot be told to end with its parent.
func tie(cmd *exec.Cmd) *exec.Cmd { return cmd }
