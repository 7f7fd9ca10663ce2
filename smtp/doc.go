// Package smtp is the driver for mail: submission by SMTP (RFC 5321, 6409), in
// the clear, with STARTTLS (RFC 3207), which is the default, and over implicit TLS
// (RFC 8314).
//
//	session, err := smtp.Dialer{}.Open(ctx, connection)
//	...
//	defer session.Close()
//	report := &smtp.Message{From: "Jobs <jobs@example.com>", To: []string{"jo@example.com"}, Subject: "Done"}
//	receipt, err := report.Send(ctx, session)
//
// A [Session] is a hawser.Mailer for one goroutine at a time. What it sends comes
// from any io.WriterTo of an RFC 5322 message; [Message] composes one.
//
// # Once, whole, or not at all
//
// A message that cannot be read to its end is never submitted. A connection that is
// lost is told apart by whether the server may have taken the message, which matches
// hawser.ErrMaybeSent, or cannot have: then hawser.Retryable says whether it may go
// later. Each recipient that was refused is in the Receipt, with the server's reply
// as an [*Error]. Mail for somebody else than the server named in the connection is
// for that server to deliver: nothing here looks up MX records.
//
// # Trust and login
//
// A server without STARTTLS is left, before anything is said that matters, unless
// tls.mode is none or implicit; so is one whose certificate the Verifier refuses.
// A connection with a login uses the first of these that the server offers and
// smtp.auth allows: EXTERNAL by a client certificate; OAUTHBEARER and XOAUTH2 by a
// token; SCRAM-SHA-256, SCRAM-SHA-1, CRAM-MD5, PLAIN and LOGIN by a password. Those
// that show the secret are not used without TLS, but for smtp.insecure_auth. What the
// server refuses is not tried again by another mechanism. ANONYMOUS is used where
// auth.anonymous is set and smtp.auth names it. No wire log shows what is sent or
// asked in an exchange.
//
// # Speed
//
// Commands are pipelined (RFC 2920), and the message is sent by BDAT (RFC 3030)
// where the server offers that: one round trip a message instead of four, and one
// for each further recipient. A message of up to 128 KiB is held in memory, a larger
// one is sent while it is read.
//
// # Extensions
//
// SIZE (RFC 1870) is heeded before anything is sent. 8BITMIME (RFC 6152) and
// SMTPUTF8 (RFC 6531) are used where they are needed, and where the server lacks
// them such a message is refused, because it would arrive broken. Notifications are
// asked for where the server offers DSN (RFC 3461). Not spoken are BINARYMIME,
// REQUIRETLS and what signs messages, such as DKIM, which a message may bring along.
package smtp
