// Package testserver holds the servers that hawser's tests and examples talk to.
//
// Two kinds live here. The in-process ones need Go alone: [SSH] with its SFTP subsystem, the faulty peers that are
// a [Handler] behind [StartTCP], and [Relay], which delays, stalls or cuts what passes between a client and any
// server. None of them wants a testing.TB, so example programs may start them as well.
//
// The real ones, [OpenSSH] and [ProFTPD], start the programs installed on this machine from temporary
// configurations, and skip the test where they are not installed; see [Real].
//
// Everything listens on 127.0.0.1, on a port that the system chose. Closing a server waits for its goroutines,
// connections and processes, so a test that closes what it started passes goleak.
package testserver
