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
	attempt
}

// An attempt is a transaction on one link.
type attempt struct {
	mail     *Error // why MAIL was refused; nil: it was not, or not yet
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
func (t *transaction) run(msg io.WriterTo) (err error) {
	if err := t.o.prepare(); err != nil {
		return err
	}
	if err := t.check(t.declared); err != nil {
		return err
	}
	t.lines = lines{ctx: t.o.ctx, buf: t.o.s.buf[:0], spill: t.spill}
	defer func() {
		t.o.s.keep(t.lines.buf)
		if t.midway && !errors.Is(err, hawser.ErrLost) { // also where msg panics
			t.o.cut = t.o.ctx.Err() != nil
			t.o.drop()
		}
	}()
	err = t.read(msg)
	switch {
	case t.lines.err != nil:
		return t.lost(t.lines.err)
	case t.o.ctx.Err() != nil: // which the link may not have been told yet
		return t.o.ctx.Err()
	case err == nil && t.lines.isEmpty():
		err = errors.New("it writes nothing; one that was written before must begin again")
	}
	if err != nil {
		t.source = sourceError{err}
		return nil
	}
	t.lines.finish()
	if !t.begun {
		return t.attempts(t.sendWhole)
	}
	return t.lost(t.sendRest())
}

// read has msg write its lines.
func (t *transaction) read(msg io.WriterTo) error {
	p := &pen{lines: &t.lines}
	defer p.drop()
	t.o.s.reading.Store(true)
	defer t.o.s.reading.Store(false)
	_, err := msg.WriteTo(p)
	return err
}

// A sourceError is of a message that could not be read. It is what the message
// says, but for what that says of connections of its own: this session is not
// lost, and the message was not sent.
type sourceError struct{ err error }

// Error tells the cause.
func (e sourceError) Error() string {
	return "the message was not sent, because it could not be read: " + e.err.Error()
}

// Is is that of the cause.
func (e sourceError) Is(target error) bool {
	return target != hawser.ErrLost && target != hawser.ErrMaybeSent && errors.Is(e.err, target)
}

// As is that of the cause.
func (e sourceError) As(target any) bool { return errors.As(e.err, target) }

// attempts has try send the envelope, and once more on a new link where the old
// one turns out to take no more messages.
func (t *transaction) attempts(try func() error) error {
	for {
		err := t.o.prepare()
		if err == nil {
			err = t.check(max(t.size(), t.lines.total))
		}
		if err == nil {
			err = t.checkLines()
		}
		if err != nil {
			return err
		}
		t.attempt = attempt{}
		err = t.lost(try())
		if !t.again(err) {
			return err
		}
		if l := t.o.link; l != nil && !errors.Is(err, hawser.ErrLost) {
			l.quit()
		}
		if err := t.o.renew(); err != nil {
			return err
		}
	}
}

// again reports whether err is of a link that has had its share, and nothing of
// the message can have been taken.
func (t *transaction) again(err error) bool {
	if err == nil || t.o.fresh || t.maybe() || t.o.ctx.Err() != nil || t.o.s.Cause() != nil {
		return false
	}
	if refused := t.refusal(); refused != nil {
		return t.mail != nil && t.mail.Code == codeFull
	}
	return errors.Is(err, hawser.ErrLost)
}

// size is the size of the message as far as it is known; else -1.
func (t *transaction) size() int64 {
	if t.lines.whole || t.declared >= 0 && t.declared < t.lines.total {
		return t.lines.total
	}
	return t.declared
}

// refusal is what the server has said to the envelope that proves that it does not
// take the message; nil: nothing.
func (t *transaction) refusal() error {
	switch {
	case t.mail != nil:
		return t.mail
	case len(t.refused) == len(t.env.to):
		return fmt.Errorf("nobody of the recipients is accepted: %w", t.refused)
	}
	return nil
}

// verdict is why the message is not sent after what the server said to its
// envelope; nil if it is.
func (t *transaction) verdict() error {
	if refused := t.refusal(); refused != nil {
		return refused
	}
	if t.env.AllOrNone && len(t.refused) > 0 {
		return fmt.Errorf("not sent, because it is for all recipients or none: %w", t.refused)
	}
	return nil
}

// lost is err, with what the server said before it was lost.
func (t *transaction) lost(err error) error {
	if !errors.Is(err, hawser.ErrLost) {
		return err
	}
	refused := t.refusal()
	t.answered = t.answered || refused != nil || isHangup(err)
	return then(refused, err)
}

func (t *transaction) tookMail(r wire.Reply) {
	if r.Class() != 2 {
		t.mail = refusal("MAIL", r)
		return
	}
	t.o.link.open = true
	t.o.link.sent++
}

func (t *transaction) tookRcpt(to recipient, r wire.Reply) {
	if r.Class() == 2 {
		return
	}
	t.refused = append(t.refused, hawser.RecipientError{Address: to.given, Err: refusal("RCPT", r)})
}

// tookEnd is the reply to the whole message.
func (t *transaction) tookEnd(r wire.Reply) error {
	t.answered = true
	if r.Class() != 2 {
		return refusal("message", r)
	}
	t.o.link.open = false
	t.queueID = queueID(r)
	return nil
}
