package smtp

import (
	"errors"
	"fmt"
	"io"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/wire"
)

// A transaction is one message on its way (RFC 5321, section 3.3).
type transaction struct {
	o        *operation
	env      *envelope
	declared int64 // the size that the message says; -1: none
	lines    lines
	source   error // why the message could not be read
	begun    bool  // some of it was sent before all of it was read

	// Of the latest attempt.
	mail     error // why MAIL was refused
	accepted int   // recipients
	refused  recipientsError
	pending  int    // replies to BDAT that are to come
	midway   bool   // the server waits for more of the message
	inLine   bool   // what was sent of it ends within a line
	ended    bool   // the end of the message was sent
	answered bool   // the server has said whether it takes the message, or what proves that it does not
	queueID  string // of the message that was taken
}

func (t *transaction) receipt() hawser.Receipt {
	return hawser.Receipt{QueueID: t.queueID, Refused: t.refused}
}

// maybe reports whether nobody knows if the message was taken.
func (t *transaction) maybe() bool { return t.ended && !t.answered }

// run sends msg. A message that cannot be read is told by t.source.
func (t *transaction) run(msg io.WriterTo) error {
	if err := t.o.prepare(); err != nil {
		return err
	}
	if err := t.check(t.declared); err != nil {
		return err
	}
	t.lines = lines{ctx: t.o.ctx, buf: t.o.s.buf[:0], spill: t.spill}
	defer func() {
		t.o.s.buf = t.lines.buf
		if t.midway { // also where msg panics
			t.o.drop()
		}
	}()
	_, err := msg.WriteTo(&t.lines)
	switch {
	case t.lines.err != nil:
		return t.lines.err
	case err != nil:
		t.source = fmt.Errorf("the message was not sent, because it could not be read: %w", err)
		return t.o.ctx.Err()
	case t.o.ctx.Err() != nil: // which the line may not have been told yet
		return t.o.ctx.Err()
	}
	t.lines.finish()
	if !t.begun {
		return t.attempts(t.sendWhole)
	}
	return t.sendRest()
}

// check refuses a message of size bytes, -1 if that is not known, that the server
// would not take, before anything of it is sent.
func (t *transaction) check(size int64) error {
	f := t.o.line.features
	if most := f.maxSize(); most > 0 && size > most {
		return fmt.Errorf("%w: it has %d bytes, and the server takes %d at most", ErrTooLarge, size, most)
	}
	if t.env.utf8 != "" && !f.has("SMTPUTF8") {
		return fmt.Errorf("%w: the address %q needs SMTPUTF8 (RFC 6531), which the server does not offer", errors.ErrUnsupported, t.env.utf8)
	}
	return nil
}

// checkContent looks at what is in the buffer.
func (t *transaction) checkContent() error {
	f := t.o.line.features
	if !f.has("8BITMIME") && !isSevenBit(t.lines.buf) {
		return fmt.Errorf("%w: the message has bytes of eight bits, for which the server lacks 8BITMIME (RFC 6152); encode it as quoted-printable or base64", errors.ErrUnsupported)
	}
	if !t.begun && !f.has("SMTPUTF8") && !isSevenBit(t.lines.header()) {
		return fmt.Errorf("%w: the header of the message is not ASCII, for which the server lacks SMTPUTF8 (RFC 6531); encode its fields (RFC 2047)", errors.ErrUnsupported)
	}
	return nil
}

// attempts has try send the envelope, and once more on a new line where the old
// one turns out to take no more messages.
func (t *transaction) attempts(try func() error) error {
	for {
		err := t.o.prepare()
		if err == nil {
			err = t.check(t.size())
		}
		if err == nil {
			err = t.checkContent()
		}
		if err != nil {
			return err
		}
		t.mail, t.accepted, t.refused, t.ended, t.answered, t.inLine = nil, 0, nil, false, false, false
		err = try()
		if !t.again(err) {
			return err
		}
		if !errors.Is(err, hawser.ErrLost) {
			t.o.line.quit()
		}
		if err := t.o.renew(); err != nil {
			return err
		}
	}
}

// size is the size of the message as far as it is known; else -1.
func (t *transaction) size() int64 {
	if t.lines.whole {
		return t.lines.total
	}
	return t.declared
}

// again reports whether err is of a line that has had its share, and nothing of
// the message can have been taken.
func (t *transaction) again(err error) bool {
	if err == nil || t.o.fresh || t.maybe() || t.o.ctx.Err() != nil || t.o.s.Cause() != nil {
		return false
	}
	var reply *Error
	full := errors.As(t.mail, &reply) && reply.Code == codeFull
	return full || errors.Is(err, hawser.ErrLost)
}

// verdict is why the message is not sent after what the server said to its
// envelope; nil if it is.
func (t *transaction) verdict() error {
	switch {
	case t.mail != nil:
		return t.mail
	case t.accepted == 0:
		return fmt.Errorf("nobody of the recipients is accepted: %w", t.refused)
	case t.env.AllOrNone && len(t.refused) > 0:
		return fmt.Errorf("not sent, because it is for all recipients or none: %w", t.refused)
	}
	return nil
}

func (t *transaction) tookMail(r wire.Reply) {
	if r.Class() != 2 {
		t.mail = refusal("MAIL", r)
		t.answered = true
		return
	}
	t.o.line.open = true
	t.o.line.sent++
}

func (t *transaction) tookRcpt(to recipient, r wire.Reply) {
	if r.Class() == 2 {
		t.accepted++
		return
	}
	t.refused = append(t.refused, hawser.RecipientError{Address: to.given, Err: refusal("RCPT", r)})
	t.answered = len(t.refused) == len(t.env.to)
}

// tookEnd is the reply to the whole message.
func (t *transaction) tookEnd(r wire.Reply) error {
	t.answered = true
	if r.Class() != 2 {
		return refusal("message", r)
	}
	t.o.line.open = false
	t.queueID = queueID(r)
	return nil
}
