// Package sftp opens hawser connections of protocol "sftp": files over an SSH
// session (draft-ietf-secsh-filexfer-02, version 3 of the protocol).
//
// The verbs are spoken by github.com/pkg/sftp. Transfers are this package's
// own, because that library's WriteTo loses data where a server answers a READ
// short (pkg/sftp #658), knows no context, and sends one WRITE a round trip
// where it cannot guess the size of its source.
//
// # Transfers
//
// The reader of Open and the writer of Create keep up to 64 requests under
// way, of the size that the server announces by limits@openssh.com, else 32
// KiB. A reader begins with one and asks for more as they are read, so looking
// at the head of a large file costs little. Reading goes on to what the server
// says is the end of the file; the size that it claims is not relied on.
//
// A writer knows up to which byte everything was acknowledged. If it is given
// up, Close says so by a hawser.PartialError, and the file is cut to those
// bytes while the session lives: it never has holes and never looks whole.
//
// # Concurrency
//
// A Session is hawser.Parallel: its requests share one connection, and many
// small files go fastest 64 at a time.
package sftp
