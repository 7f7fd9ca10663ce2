package ftp

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/wire"
)

// A transfer is a file, or a listing, on its way. It has the turn of its session
// until it ends.
type transfer struct {
	s        *Session
	ctx      context.Context // of the caller, until Close: the reader or writer is bound to it
	d        *data
	stop     func() bool // of the watch on ctx
	unlog    func()
	release  func() (cut bool)
	idle     *idle // nil: nothing is to be kept alive
	answered bool  // the server has said how it went
	over     bool  // ended, well or not
}

// startTransfer takes the turn and has open open the data connection. From then
// on nobody else may use the session, until end.
func (s *Session) startTransfer(ctx context.Context, open func() (*data, error)) (*transfer, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	t := &transfer{s: s, ctx: ctx, unlog: s.log.Listen(ctx), release: s.wire.Bind(ctx)}
	d, err := open()
	if err != nil {
		err = s.life.Settle(ctx, err, t.release())
		t.unlog()
		s.life.Finish()
		return nil, err
	}
	t.d, t.answered = d, d.first.Class() != 1
	t.stop = context.AfterFunc(ctx, d.drop)
	s.occupy(d)
	if !t.answered { // else nobody would read the answers
		t.idle = startIdle(s)
	}
	return t, nil
}

// occupy makes d the data connection of the file that is open; nil: none is. One
// that comes too late is dropped.
func (s *Session) occupy(d *data) {
	s.mu.Lock()
	s.current = d
	s.mu.Unlock()
	if d != nil && s.Cause() != nil {
		d.drop()
	}
}

// end gives the session back. err is what the end of the exchange was.
func (t *transfer) end(err error) error {
	t.over = true
	t.idle.close()
	t.stop()
	err = t.s.life.Settle(t.ctx, err, t.release())
	t.unlog()
	t.s.occupy(nil)
	t.s.life.Finish()
	return err
}

// finish reads how the server says that it went, once the data connection has
// come to its end.
func (t *transfer) finish() error {
	t.stop()
	_ = t.d.Close()
	r, err := t.final()
	if err == nil && r.Class() != 2 {
		err = t.d.refused(r)
	}
	return err
}

// final is the reply that ends the transfer. NOOPs that went out meanwhile have
// replies of their own, before it or behind it.
func (t *transfer) final() (wire.Reply, error) {
	if t.answered {
		return t.d.first, nil
	}
	t.answered = true
	noops := t.idle.close()
	replies := make([]wire.Reply, 0, noops+1)
	for range noops + 1 {
		r, err := receiveLast(t.s.wire, t.d.verb)
		if err == nil {
			replies = append(replies, r)
			continue
		}
		if own := ownReply(replies, noops); own.Class() == 2 && !isNoop(own) {
			// The file is complete; only a NOOP was never answered.
			t.s.life.Lose(fmt.Errorf("%w: NOOP: %w", hawser.ErrLost, err))
			return own, nil
		}
		return r, err
	}
	return ownReply(replies, noops), nil
}

// ownReply is the one of the replies that is the transfer's. The others are to
// NOOPs, of which some servers know none, or none now; where the two cannot be
// told apart, the transfer has failed. Without replies it is the zero Reply.
func ownReply(replies []wire.Reply, noops int) wire.Reply {
	var own, refused wire.Reply
	done := 0 // replies by which a transfer may be complete
	for _, r := range replies {
		switch {
		case isUnknown(r):
			refused = r
		case r.Class() > 2:
			return r // a failure wins, for a NOOP has none
		case own.Code == 0, isNoop(own), r.Code == codeSent:
			own = r
		}
		if r.Class() == 2 && !isNoop(r) {
			done++
		}
	}
	switch {
	case refused.Code == 0, own.Code == codeSent:
		return own
	case done == 1 && noops > 1: // one of NOOPs that are answered by 250 would not be alone
		return own
	}
	return refused
}

// isNoop reports whether r can be the reply to a NOOP alone.
func isNoop(r wire.Reply) bool { return r.Code == 200 }

// isUnknown reports whether r can be of a server that knows no NOOP, or none now.
func isUnknown(r wire.Reply) bool {
	return r.Code == 500 || r.Code == 502 || r.Code == 503 || r.Code == codeUnavailable
}

// abandon ends a transfer in the middle so that the server does not take what it
// has for the whole, and brings the session back into step: the server answers
// with 426 or the like, at once or once it is asked to by ABOR (RFC 959, section
// 4.1.3). err is why, which comes back unless the session is lost.
func (t *transfer) abandon(err error) error {
	t.stop()
	t.d.drop()
	if t.ctx.Err() != nil {
		t.s.life.Lose(fmt.Errorf("%w: a transfer was cut by the end of its context", hawser.ErrLost))
		return t.ctx.Err()
	}
	if lost := t.resync(); lost != nil {
		t.s.life.Lose(fmt.Errorf("%w: after a transfer that was given up: %w", hawser.ErrLost, lost))
	}
	return err
}

// resync waits for the reply to the transfer for a moment; then it asks for it,
// and reads up to the reply of a NOOP, which no other has the code of.
func (t *transfer) resync() error {
	if t.answered {
		return nil
	}
	t.answered = true
	noops := t.idle.close()
	if noops == 0 && t.s.wire.Ready(time.Second) {
		_, err := receiveLast(t.s.wire, t.d.verb)
		return err
	}
	if err := t.s.wire.Send("ABOR", "", ""); err != nil {
		return err
	}
	if err := t.s.wire.Send("NOOP", "", ""); err != nil {
		return err
	}
	for noops++; noops > 0; {
		r, err := receive(t.s.wire, "ABOR")
		if err != nil {
			return err
		}
		if isNoop(r) {
			noops--
		}
	}
	return nil
}

// step gives the next read or write of the data connection its time. Once ctx
// has ended there is none, also before the watch on it has run.
func (t *transfer) step() error {
	if err := t.ctx.Err(); err != nil {
		return err
	}
	return t.d.SetDeadline(time.Now().Add(t.s.timeout()))
}

// explain is err of the data connection, or of what caused it.
func (t *transfer) explain(err error) error {
	switch {
	case t.ctx.Err() != nil:
		return t.ctx.Err()
	case t.s.Cause() != nil:
		return t.s.Cause()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%s: no byte within %v: %w", t.d.verb, t.s.timeout(), os.ErrDeadlineExceeded)
	}
	return fmt.Errorf("%s: data connection: %w", t.d.verb, err)
}
