package smtp

import (
	"fmt"
	"time"

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
	if t.chunked() {
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
	return t.o.link.pipelining && (!t.env.AllOrNone || len(t.env.to) == 1)
}

func (t *transaction) chunked() bool { return t.o.link.features.has("CHUNKING") }

// sendEnvelope puts MAIL and RCPT on the flight.
func (t *transaction) sendEnvelope(f *flight) error {
	features := t.o.link.features
	utf8 := features.has("SMTPUTF8") && (t.env.utf8 != "" || !isSevenBit(t.lines.header()))
	if err := f.add(t.env.mail(features, t.size(), utf8), t.tookMail); err != nil {
		return err
	}
	for _, to := range t.env.to {
		if t.mail != nil {
			return t.mail
		}
		if err := f.add(t.env.rcpt(features, to), func(r wire.Reply) { t.tookRcpt(to, r) }); err != nil {
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
	if err := t.queueChunk(" LAST"); err != nil {
		return err
	}
	f.waiting = append(f.waiting, waiting{"BDAT", func(r wire.Reply) { end = t.tookEnd(r) }})
	f.ends = &t.ended
	if err := f.land(); err != nil {
		return err
	}
	if refused := t.verdict(); refused != nil {
		return refused
	}
	return end
}

// queueChunk queues what is in the buffer as a BDAT, with last behind the count.
func (t *transaction) queueChunk(last string) error {
	l := t.o.link
	if err := l.Queue(fmt.Sprintf("BDAT %d%s", len(t.lines.buf), last), ""); err != nil {
		return err
	}
	l.QueueContent(t.lines.buf)
	return nil
}

// startData asks for leave to send the message, together with the envelope if
// that is still on the flight.
func (t *transaction) startData(f *flight) error {
	var refused error
	err := f.add("DATA", func(r wire.Reply) {
		if t.midway = r.Code == codeStartBody; !t.midway {
			refused = refusal("DATA", r)
		}
	})
	if err == nil {
		err = t.await(f)
	}
	if err != nil && t.midway {
		// It takes a message for nobody. There is no other way to send none.
		t.o.drop()
		t.midway = false
	}
	if err != nil {
		return err
	}
	return refused
}

// endData sends what is in the buffer as the last of the message, and the dot.
func (t *transaction) endData() error {
	if err := unasked(t.o.link.Conn); err != nil {
		return err
	}
	t.queueStuffed(".\r\n")
	if err := t.o.flush(); err != nil {
		return err
	}
	return t.awaitEnd(time.Now().Add(t.o.s.endWithin))
}

// awaitEnd reads the answer to the end of the message, which was sent.
func (t *transaction) awaitEnd(until time.Time) error {
	t.ended = true
	r, err := t.o.receive("message", until)
	if err != nil {
		return err
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
	t.o.link.QueueContent(out)
	t.o.s.scratch = out
}
