package standard_test

import (
	"testing"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/hawsertest"
)

// The files of a Manager, which leases a session for each operation, keep every
// promise of a FileSystem.
func TestManagerFileSystem(t *testing.T) {
	t.Parallel()
	m := manage(t, ownSite(t).through(func(*hawser.Connection) {}))
	hawsertest.TestFileSystem(t, func(*testing.T) hawser.FileSystem { return plain{m.FileSystem("sftp")} })
}

// plain is a FileSystem without its optional abilities, of which the server in this
// process has not all.
type plain struct{ hawser.FileSystem }
