// Package hawser opens sessions to remote servers that are described by named,
// stored connections: files over FTP, FTPS and SFTP, commands over SSH, mail
// over SMTP. A job names a connection and does its work; how to reach the
// server, log in, trust it and survive its faults is hawser's business.
//
// # A first program
//
// A [Registry] says what a name means, a [Dialer] turns that definition into a
// live [Session], and a [Manager] joins the two. Package standard wires the
// drivers of this module together:
//
//	connections := hawser.NewMemory(hawser.Connection{
//		Name: "bank", Protocol: hawser.SFTP, Host: "sftp.example.com",
//		Auth: hawser.Auth{User: "jobs", Password: hawser.SecretRef("env:BANK_PASSWORD")},
//	})
//	m := standard.New(connections, standard.Options{Trust: trust})
//	defer m.Close()
//
//	err := hawser.Use(ctx, m, "bank", func(ctx context.Context, files hawser.FileSystem) error {
//		r, err := files.Open(ctx, "out/statement.csv", 0)
//		...
//	})
//
// [Use] opens the session, or takes one that another job gave back, hands over
// what it can do, and gives it back. It is the form to prefer; [Manager.Open] is
// there for what does not fit it, and [Manager.FileSystem] for files that many
// goroutines work on.
//
// # Connections
//
// A [Connection] is plain data with the fields of a connection editor. It
// comes from JSON, from a URL ([ParseURL]) or from a literal, and
// [Connection.Validate] names every problem of it by field. It is global:
// whoever changes it in the Registry changes it for every job that names it,
// from the next open on. [Memory] is a Registry in the process; packages
// registry/file, registry/sql, registry/postgres and registry/etcd keep
// connections for longer, and package registry composes them. Sessions of the old definition end as soon as nobody
// uses them; while the Registry fails, the last good definition serves.
//
// [Limits] bounds the sessions that a server sees, those of idle users included.
// Who has to wait is served in turn, and gets [ErrBusy] when that takes too long.
// A [Limiter] holds the limit for many processes together. [Manager.Stats] tells
// how the pool is used.
//
// What is secret is a [Secret]: a literal, or a reference such as
// "env:BANK_PASSWORD" that is resolved just before dialing. A Secret prints,
// logs and marshals as a mask, wherever it stands.
//
// # What a session can do
//
// A [Session] is a [FileSystem], a [Runner] or a [Mailer], and may have more
// abilities, such as [Symlinker]. [As] finds one, through whatever wraps the
// session. [FS] makes an io/fs file system of a FileSystem.
//
// Files are moved by io.Copy: the reader of [FileSystem.Open] has WriteTo and
// the writer of [FileSystem.Create] has ReadFrom, which keep many requests
// under way. A written file is complete only once Close returned nil.
//
// A mail is any io.WriterTo of one, such as smtp.Message, and is sent once, whole,
// or not at all. The [Receipt] of [Mailer.Send] says which recipients the server
// refused, and why.
//
// # Time
//
// Every call takes a context, and every wait ends with it. Besides,
// [Connection.Timeout] bounds each wait for the server, so that a job that
// sets no deadline does not hang on a dead link either.
//
// # Trust
//
// A server has to prove who it is: an unknown or changed SSH host key is
// refused, with its fingerprint in the error. A [Verifier] decides; package
// certs has one that knows pins, known_hosts files and a person to ask. Names of
// ways around begin with Insecure or are fields that say what they accept.
//
// # Errors
//
// Opening fails with an [*Error], which says in which [Phase]. [ErrAuth],
// [ErrUntrusted], [ErrLost] and the others are matched by errors.Is, as are
// fs.ErrNotExist and its like for files, and the context's own errors.
// [Retryable] tells whether trying again later may help and repeats nothing.
// [ErrMaybeSent] is of a message that the server may have taken, since the
// connection was lost before it said so: whoever sends it again may send it twice.
// No error holds a secret.
//
// # Watching
//
// A [Trace] in the context is told each step of opening a session, each
// protocol message and the progress of files. [LogTo] makes one that writes a
// wire log.
//
// # Layers
//
// Three kinds of middleware, none of which wraps a capability: a [Transport]
// opens byte streams (directly, through a proxy, through a jump host), a
// [Verifier] judges identities, and a [Dialer] opens sessions (a driver, [Mux],
// [Retry]). A wrapper of a Session intercepts Close and Ping alone and has
// Unwrap, so no ability is ever hidden.
package hawser
