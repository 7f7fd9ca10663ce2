package smtp

import (
	"fmt"
	"time"

	"github.com/hawser/hawser"
)

// mostChunks is how many chunks may be on their way, unanswered.
const mostChunks = 16

// spill sends what is in the buffer of a message that does not fit into it. The
// envelope goes first, and what the server says to that is waited for, so that a
// large message is not sent to nobody.
func (t *transaction) spill() error {
	if err := t.beforeMore(); err != nil {
		return err
	}
	if !t.chunked() {
		t.queueStuffed("")
	} else if err := t.queueNext(""); err != nil {
		return err
	}
	t.lines.buf = t.lines.buf[:0]
	if err := t.o.flush(); err != nil {
		return err
	}
	most := 0
	if t.o.link.pipelining {
		most = mostChunks
	}
	return t.takeChunks(most, time.Time{})
}

// beforeMore sees to it that the server waits for what is in the buffer.
func (t *transaction) beforeMore() error {
	if !t.begun {
		err := t.attempts(t.begin)
		t.begun = err == nil
		return err
	}
	if err := t.check(t.lines.total); err != nil {
		return err
	}
	if err := t.checkLines(); err != nil {
		return err
	}
	if t.pending > 0 {
		return nil
	}
	return unasked(t.o.link.Conn)
}

// begin sends the envelope, and DATA if the server has no CHUNKING.
func (t *transaction) begin() error {
	f := &flight{o: t.o}
	if err := t.sendEnvelope(f); err != nil {
		return err
	}
	if err := t.await(f); err != nil {
		return err
	}
	if t.chunked() {
		t.midway = true
		return nil
	}
	return t.startData(f)
}

// queueNext queues a chunk whose reply takeChunks will take.
func (t *transaction) queueNext(last string) error {
	t.pending++
	return t.queueChunk(last)
}

// takeChunks takes replies to BDAT until no more than most are to come. After a
// refusal it takes them all, so that both sides are in step.
func (t *transaction) takeChunks(most int, until time.Time) error {
	var refused error
	for t.pending > most {
		r, err := t.o.receive("BDAT", until)
		if err != nil {
			return then(refused, err)
		}
		t.pending--
		switch {
		case refused != nil && r.Class() == 2 && t.ended && t.pending == 0:
			t.answered = false // nobody knows what the server has made of it
			return fmt.Errorf("%w: the server took the end of a message of which it had refused a part: %w", hawser.ErrLost, refused)
		case r.Class() != 2 && refused == nil:
			refused, most = refusal("BDAT", r), 0
			t.answered = true
		}
	}
	if refused != nil {
		t.midway = false
	}
	return refused
}

// sendRest sends the end of a message that was begun.
func (t *transaction) sendRest() error {
	if err := t.beforeMore(); err != nil {
		return err
	}
	if !t.chunked() {
		return t.endData()
	}
	if err := t.queueNext(" LAST"); err != nil {
		return err
	}
	if err := t.o.flush(); err != nil {
		return err
	}
	t.ended = true
	until := time.Now().Add(t.o.s.endWithin)
	if err := t.takeChunks(1, until); err != nil {
		return err
	}
	return t.awaitEnd(until)
}
