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
// The error is a *hawser.Error. It is Temporary if the message was not sent and
// may be accepted later. A reply that refuses is an [*Error] in it.
func (s *Session) Send(ctx context.Context, env hawser.Envelope, msg io.WriterTo) (hawser.Receipt, error) {
	checked, err := newEnvelope(env)
	if err != nil {
		return hawser.Receipt{}, s.life.Fail("send", err)
	}
	t := &transaction{env: checked, declared: sizeOf(msg)}
	err = s.do(ctx, func(o *operation) error {
		t.o = o
		return t.run(msg)
	})
	return t.receipt(), s.outcome(t, err)
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
	if err == nil {
		err = t.source
	}
	if err == nil {
		return nil
	}
	if t.maybe() {
		e := s.life.Fail("send", fmt.Errorf("%w: its end was sent, and no answer came: %w; find out from the server or the recipients before you send it again", hawser.ErrMaybeSent, err))
		return e
	}
	e := s.life.Fail("send", err)
	e.Temporary = temporary(err)
	return e
}

// temporary reports whether what err has kept from being sent may be sent later.
func temporary(err error) bool {
	var nobody recipientsError
	var reply *Error
	switch {
	case errors.As(err, &nobody):
		return nobody.temporary()
	case errors.As(err, &reply):
		return reply.Temporary()
	}
	var opening *hawser.Error
	if errors.As(err, &opening) {
		return opening.Temporary
	}
	return errors.Is(err, hawser.ErrLost)
}
