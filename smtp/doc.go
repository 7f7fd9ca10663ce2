// Package smtp is the driver for mail: submission by SMTP (RFC 5321, 6409), in
// the clear, with STARTTLS (RFC 3207), which is the default, and over implicit TLS
// (RFC 8314).
//
// A [Session] is a hawser.Mailer for one user at a time. What it sends comes from
// any io.WriterTo of an RFC 5322 message; [Message] composes one.
//
// A message is sent once, whole, or not at all. One that cannot be read to its end
// is never submitted; a connection that is lost is told apart by whether the
// server may have taken the message (hawser.ErrMaybeSent) or cannot have; each
// recipient that was refused is told with the server's reply.
//
// Commands are pipelined (RFC 2920) and the message is sent by BDAT (RFC 3030)
// where the server offers that: one round trip a message instead of four, and one
// for each further recipient.
package smtp
