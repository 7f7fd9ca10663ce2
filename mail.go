package hawser

import (
	"context"
	"io"
)

// A Mailer submits messages. It is used by one goroutine at a time, unless its
// session is [Parallel]. hawsertest.TestMailer checks one.
type Mailer interface {
	// Send submits an RFC 5322 message, which msg writes once at most. Recipients
	// that the server refused are in the Receipt, also beside an error; the error
	// is nil if at least one was accepted, unless env.AllOrNone. A message that
	// could not be read whole is never submitted. An error that matches
	// [ErrMaybeSent] leaves open whether the server has taken the message; after
	// any other it has not. Whoever sends it again gives a msg that begins again.
	//
	// Line ends may be LF or CR LF. If msg has a method Len() int or Size() int64,
	// that is how many bytes it will write, and a server that takes no message of
	// that size is sent nothing; a negative one means that it is not known.
	Send(ctx context.Context, env Envelope, msg io.WriterTo) (Receipt, error)
}

// An Envelope says who a message is from and to (RFC 5321, section 2.3.1),
// which the message's own header need not repeat. Addresses are bare, without
// angle brackets and names: "a@example.com".
type Envelope struct {
	From string   // "": the empty reverse-path of a notification
	To   []string // at least one; who is named twice gets it once
	// AllOrNone gives up the whole message if one recipient is refused.
	AllOrNone bool
	// Notify asks for delivery status notifications: "SUCCESS", "FAILURE",
	// "DELAY" or "NEVER" (RFC 3461, section 4.1), where the server offers them.
	Notify []string
	// Return is how much of the message a notification holds: "FULL", "HDRS" or,
	// for what the server likes, "" (RFC 3461, section 4.3).
	Return string
	// ID stands in notifications, to tell which message they are of (RFC 3461,
	// section 4.4). "": none.
	ID string
}

// A Receipt is what the server said of a message, whether it took it or not.
type Receipt struct {
	QueueID string // "" if the server told none
	Refused []RecipientError
}

// A RecipientError is why the server refused one recipient.
type RecipientError struct {
	Address string
	Err     error
}

var _ error = RecipientError{}

// Error returns "a@example.com: " and the cause.
func (e RecipientError) Error() string {
	if e.Err == nil {
		return Printable(e.Address)
	}
	return Printable(e.Address) + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e RecipientError) Unwrap() error { return e.Err }
