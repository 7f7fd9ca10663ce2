// Package hawsertest holds conformance suites for authors of registries, drivers,
// transports and verifiers. Each suite is one call in a test of the author's own:
//
//	func TestConformance(t *testing.T) {
//		hawsertest.TestFileSystem(t, func(t *testing.T) hawser.FileSystem {
//			return dial(t) // closed by t.Cleanup
//		})
//	}
//
// Every rule is a subtest whose name reads as the rule; when it fails, it says
// why the rule is there. A rule that a server cannot keep is left out with
// go test -skip 'TestConformance/name of the rule'. What is optional, an
// interface that is missing or a call whose error matches
// errors.ErrUnsupported, is skipped with a line in the log.
//
// Suites count goroutines and bound what must be prompt to two seconds, so they
// do not run beside parallel tests. They need no more of a server than a
// directory that may be written to, a POSIX shell, or three mailboxes whose
// messages can be seen, and clean up files.
package hawsertest
