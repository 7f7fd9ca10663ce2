//go:build !unix

package testserver

import (
	"os"
	"os/exec"
	"testing"
)

// account is who runs the test, where programs cannot be run as another user.
type account struct{ name string }

func postgresqlAccount(testing.TB) account { return account{} }

func (account) become(*exec.Cmd) {}

func (account) own(testing.TB, string) {}

func (account) mkdir(t testing.TB, path string) {
	t.Helper()
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
}
