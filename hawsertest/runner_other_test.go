//go:build !unix

package hawsertest

// brokenRunners is empty, because the fakes need a POSIX shell.
func brokenRunners() []broken { return nil }
