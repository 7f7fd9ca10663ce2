package smtp

import (
	"fmt"
	"time"
)

// mostChunks is how many chunks may be on their way, unanswered.
const mostChunks = 16

// spill sends what is in the buffer of a message that does not fit into it. The
// envelope goes first, and what the server says to that is waited for, so that a
// large message is not sent to nobody.
func (t *transaction) spill() error {
	if !t.begun {
		if err := t.attempts(t.begin); err != nil {
			return err
		}
		t.begun = true
	} else if err := t.checkContent(); err != nil {
		return err
	}
	if err := t.check(t.lines.total); err != nil {
		return err
	}
	if !t.chunked() {
		t.queueStuffed("")
	} else if err := t.sendChunk(""); err != nil {
		return err
	}
	t.lines.buf = t.lines.buf[:0]
	if err := t.o.flush(); err != nil {
		return err
	}
	most := 0
	if t.o.line.pipelining {
		most = mostChunks
	}
	return t.takeChunks(most, 0)
}

func (t *transaction) chunked() bool { return t.o.line.features.has("CHUNKING") }

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

// sendChunk queues what is in the buffer as a BDAT, with last behind the count.
func (t *transaction) sendChunk(last string) error {
	l := t.o.line
	if err := l.Queue(fmt.Sprintf("BDAT %d%s", len(t.lines.buf), last), "", ""); err != nil {
		return err
	}
	l.QueueContent(t.lines.buf)
	t.pending++
	return nil
}

// takeChunks takes replies to BDAT until no more than most are to come. After a
// refusal it takes them all, so that both sides are in step.
func (t *transaction) takeChunks(most int, within time.Duration) error {
	var refused error
	for t.pending > most {
		r, err := t.o.receive("BDAT", within)
		if err != nil {
			return err
		}
		t.pending--
		if r.Class() != 2 && refused == nil {
			refused, most = refusal("BDAT", r), 0
		}
	}
	if refused != nil {
		t.midway, t.answered = false, true
	}
	return refused
}

// sendRest sends the end of a message that was begun.
func (t *transaction) sendRest() error {
	if err := t.checkContent(); err != nil {
		return err
	}
	if err := t.check(t.lines.total); err != nil {
		return err
	}
	if !t.chunked() {
		return t.endData()
	}
	if err := t.sendChunk(" LAST"); err != nil {
		return err
	}
	if err := t.o.flush(); err != nil {
		return err
	}
	t.ended = true
	refused := t.takeChunks(1, t.o.s.endWithin)
	if refused != nil {
		return t.lost(refused)
	}
	r, err := t.o.receive("message", t.o.s.endWithin)
	if err != nil {
		return t.lost(err)
	}
	t.midway = false
	return t.tookEnd(r)
}
