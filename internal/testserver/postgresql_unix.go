//go:build unix

package testserver

import (
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
	"testing"
)

// account is a user to run programs as. The zero one is who runs the test.
type account struct {
	name     string
	uid, gid int
}

// postgresqlAccount is whom PostgreSQL runs as where root may not.
func postgresqlAccount(t testing.TB) account {
	t.Helper()
	if os.Geteuid() != 0 {
		return account{}
	}
	for _, name := range []string{"postgres", "nobody"} {
		found, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.Atoi(found.Uid)
		gid, gidErr := strconv.Atoi(found.Gid)
		if uidErr == nil && gidErr == nil {
			return account{name, uid, gid}
		}
	}
	Unavailable(t, "postgresql", "it does not run as root, and there is neither a user postgres nor nobody")
	return account{}
}

func (a account) become(cmd *exec.Cmd) {
	if a.name == "" {
		return
	}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
}

func (a account) own(t testing.TB, path string) {
	t.Helper()
	if a.name == "" {
		return
	}
	if err := os.Chown(path, a.uid, a.gid); err != nil {
		Unavailable(t, "postgresql", "files cannot be given to user "+a.name+" here: "+err.Error())
	}
}

func (a account) mkdir(t testing.TB, path string) {
	t.Helper()
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	a.own(t, path)
}
