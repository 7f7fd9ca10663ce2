package smtp

import (
	"fmt"

	"github.com/hawser/hawser/internal/wire"
)

// sendWhole sends the message, all of which is in the buffer, in as few round
// trips as the server allows: one with CHUNKING, two without, four and one more for
// each further recipient without PIPELINING.
func (t *transaction) sendWhole() error {
	f := &flight{o: t.o}
	if err := t.sendEnvelope(f); err != nil {
		return err
	}
	if !t.together() {
		if err := t.await(f); err != nil {
			return err
		}
	}
	if t.o.line.features.has("CHUNKING") {
		return t.sendChunked(f)
	}
	if err := t.startData(f); err != nil {
		return err
	}
	return t.endData()
}

// together reports whether the message may follow the envelope before that is
// answered: not if one refusal gives up the message for all.
func (t *transaction) together() bool {
	return t.o.line.pipelining && (!t.env.AllOrNone || len(t.env.to) == 1)
}

// sendEnvelope puts MAIL and RCPT on the flight, and before them RSET if the
// transaction before has not come to its end.
func (t *transaction) sendEnvelope(f *flight) error {
	l := t.o.line
	if l.open {
		if err := f.add("RSET", func(wire.Reply) { l.open = false }); err != nil {
			return err
		}
	}
	utf8 := l.features.has("SMTPUTF8") && (t.env.utf8 != "" || !isSevenBit(t.lines.header()))
	if err := f.add(t.env.mail(l.features, t.size(), utf8), t.tookMail); err != nil {
		return err
	}
	for _, to := range t.env.to {
		if t.mail != nil {
			return t.mail
		}
		if err := f.add(t.env.rcpt(l.features, to), func(r wire.Reply) { t.tookRcpt(to, r) }); err != nil {
			return err
		}
	}
	return nil
}

// await takes the replies to the envelope.
func (t *transaction) await(f *flight) error {
	if err := f.land(); err != nil {
		return err
	}
	return t.verdict()
}

// sendChunked sends the whole message by one BDAT (RFC 3030).
func (t *transaction) sendChunked(f *flight) error {
	var end error
	l := t.o.line
	if err := l.Queue(fmt.Sprintf("BDAT %d LAST", len(t.lines.buf)), "", ""); err != nil {
		return err
	}
	l.QueueContent(t.lines.buf)
	f.waiting = append(f.waiting, waiting{"BDAT", func(r wire.Reply) { end = t.tookEnd(r) }})
	f.ends = &t.ended
	err := f.land()
	if err != nil {
		return t.lost(err)
	}
	if refused := t.verdict(); refused != nil {
		return refused
	}
	return end
}

// lost is err of a message whose end was sent. What the server had said before
// proves that it was not taken, or nobody knows.
func (t *transaction) lost(err error) error {
	t.answered = t.answered || isHangup(err)
	if t.ended && t.answered && t.mail != nil {
		return fmt.Errorf("%w; and then: %w", t.mail, err)
	}
	return err
}

// startData asks for leave to send the message, together with the envelope if
// that is still on the flight.
func (t *transaction) startData(f *flight) error {
	var wanted bool
	var refused error
	err := f.add("DATA", func(r wire.Reply) {
		if wanted = r.Code == codeStartBody; !wanted {
			refused = refusal("DATA", r)
		}
	})
	if err == nil {
		err = t.await(f)
	}
	switch {
	case err != nil && wanted:
		// It takes a message for nobody. There is no other way to send none.
		t.o.drop()
		return err
	case err != nil:
		return err
	}
	t.midway = wanted
	return refused
}

// endData sends what is in the buffer as the last of the message, and the dot.
func (t *transaction) endData() error {
	t.queueStuffed(".\r\n")
	if err := t.o.flush(); err != nil {
		return err
	}
	t.ended = true
	r, err := t.o.receive("message", t.o.s.endWithin)
	if err != nil {
		return t.lost(err)
	}
	t.midway = false
	return t.tookEnd(r)
}

// queueStuffed queues what is in the buffer as lines of DATA, and then end.
func (t *transaction) queueStuffed(end string) {
	buf := t.lines.buf
	out := appendStuffed(t.o.s.scratch[:0], buf, !t.inLine)
	if len(buf) > 0 {
		t.inLine = buf[len(buf)-1] != '\n'
	}
	out = append(out, end...)
	t.o.line.QueueContent(out)
	t.o.s.scratch = out
}
