package smtp

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/hawser/hawser"
)

// Send submits a message; see [hawser.Mailer]. A message of up to 128 KiB is read
// before anything of it is sent, and a larger one is sent while it is read; where
// the server counts in bytes what it takes (SIZE) and msg does not say its size,
// that ends as soon as it is too much.
//
// Where the server refuses the envelope because the connection has had its share,
// or is gone, the message goes on a new one, if it has not been begun.
//
// The server has Connection.Timeout for each reply and each write, and ten minutes
// for the answer to the end of the message (RFC 5321, section 4.5.3.2.6).
//
// The error is a *hawser.Error. It is Temporary if the message was not sent and
// may be accepted later. A reply that refuses is an [*Error] in it, found by
// errors.As; what is wrong with env is a *hawser.FieldError for each field, and
// nothing was sent then. [ErrTooLarge] and errors.ErrUnsupported match where the
// server cannot take the message.
func (s *Session) Send(ctx context.Context, env hawser.Envelope, msg io.WriterTo) (hawser.Receipt, error) {
	checked, err := newEnvelope(env)
	if err != nil {
		return hawser.Receipt{}, s.life.Fail("send", err)
	}
	if err := checkSource(msg); err != nil {
		return hawser.Receipt{}, s.life.Fail("send", err)
	}
	t := &transaction{env: checked, declared: sizeOf(msg)}
	err = s.do(ctx, func(o *operation) error {
		t.o = o
		return t.run(msg)
	})
	return t.receipt(), s.outcome(t, err)
}

// checkSource refuses what would write no message, or the rest of one: a reader that
// a Send before has read, which would go out as if it were whole.
func checkSource(msg io.WriterTo) error {
	if msg == nil {
		return &hawser.FieldError{Field: "message", Problem: "is nil; want what writes one"}
	}
	reader, ok := msg.(interface { // *bytes.Reader and *strings.Reader
		Len() int
		Size() int64
	})
	if ok && int64(reader.Len()) < reader.Size() {
		return &hawser.FieldError{Field: "message", Problem: "was read before; each Send wants a reader of its own"}
	}
	return nil
}

// sizeOf is what msg says of its size; -1 if it does not.
func sizeOf(msg io.WriterTo) int64 {
	switch m := msg.(type) {
	case interface{ Len() int }:
		return max(int64(m.Len()), -1)
	case interface{ Size() int64 }:
		return max(m.Size(), -1)
	}
	return -1
}

// outcome is what Send returns for err, to which t has come.
func (s *Session) outcome(t *transaction, err error) error {
	switch {
	case err == nil && t.source != nil:
		return s.life.Fail("send", t.source)
	case err == nil:
		return nil
	}
	if t.maybe() {
		return s.life.Fail("send", fmt.Errorf("%w: its end was sent, and no answer came: %w; find out from the server or the recipients before you send it again", hawser.ErrMaybeSent, err))
	}
	e := s.life.Fail("send", err)
	e.Temporary = temporary(err)
	return e
}

// temporary reports whether what err has kept from being sent may be sent later.
func temporary(err error) bool {
	var opening *hawser.Error // of a new connection
	var refused recipientsError
	var reply *Error
	switch {
	case errors.As(err, &opening):
		return opening.Temporary
	case errors.As(err, &refused):
		return refused.temporary()
	case errors.As(err, &reply):
		return reply.Temporary()
	}
	return errors.Is(err, hawser.ErrLost)
}
