package hawser

import (
	"context"
	"io"
)

// A Mailer submits messages.
type Mailer interface {
	// Send submits an RFC 5322 message. Recipients that the server refused are
	// in the Receipt; the error is nil if at least one was accepted, unless
	// env.AllOrNone. A message that could not be read whole is never submitted.
	Send(ctx context.Context, env Envelope, msg io.WriterTo) (Receipt, error)
}

// An Envelope says who a message is from and to (RFC 5321, section 2.3.1),
// which the message's own header need not repeat.
type Envelope struct {
	From string   // "": the empty reverse-path of a notification
	To   []string // at least one
	// AllOrNone gives up the whole message if one recipient is refused.
	AllOrNone bool
	// Notify asks for delivery status notifications: "SUCCESS", "FAILURE",
	// "DELAY" or "NEVER" (RFC 3461, section 4.1), where the server offers them.
	Notify []string
}

// A Receipt is what the server said of a message that it took.
type Receipt struct {
	QueueID string // "" if the server told none
	Refused []RecipientError
}

// A RecipientError is why the server refused one recipient.
type RecipientError struct {
	Address string
	Err     error
}
