package smtp

import (
	"errors"
	"fmt"
	"time"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/wire"
)

const (
	// mostWaiting is how many replies may be outstanding. Without a bound, a
	// server that waits to be rid of its replies and a client that waits to be rid
	// of its commands wait for each other (RFC 2920, section 3.1).
	mostWaiting = 100
	// endWithin is how long a server may take to answer the end of a message (RFC
	// 5321, section 4.5.3.2.6). It has many things to do, and whoever gives up too
	// early sends the message twice. The replies that it could have sent before
	// may come together with that.
	endWithin = 10 * time.Minute
)

// A flight is a group of commands that go out together (RFC 2920), or one by one
// where the server offers no PIPELINING. Their replies are taken in order.
type flight struct {
	o       *operation
	waiting []waiting
	ends    *bool // set once the end of a message is on its way; nil: none is in the flight
}

// A waiting is a reply that is to come.
type waiting struct {
	command string
	take    func(wire.Reply)
}

// add puts a command on the flight.
func (f *flight) add(line string, take func(wire.Reply)) error {
	if err := f.o.line.Queue(line, "", ""); err != nil {
		return err
	}
	f.waiting = append(f.waiting, waiting{verbOf(line), take})
	if f.o.line.pipelining && len(f.waiting) < mostWaiting {
		return nil
	}
	return f.land()
}

// land sends what waits and takes the replies. A loss ends it.
func (f *flight) land() error {
	all := f.waiting
	f.waiting = nil
	if f.o.line.Ready(0) { // of what was read from the network
		return f.unasked()
	}
	if err := f.o.flush(); err != nil {
		return err
	}
	within := time.Duration(0)
	if f.ends != nil {
		*f.ends = true
		within = f.o.s.endWithin
	}
	for _, w := range all {
		r, err := f.o.receive(w.command, within)
		if err != nil {
			return err
		}
		if !answers(w.command, r) {
			return fmt.Errorf("%w: %s is answered by %s, which is no answer to it", hawser.ErrLost, w.command, r)
		}
		w.take(r)
	}
	return nil
}

// unasked is why a flight is not sent: the replies to it would be taken for those
// to other commands.
func (f *flight) unasked() error {
	r, err := f.o.receive("before the message", 0)
	if err != nil {
		return err
	}
	return fmt.Errorf("%w: the server said what nobody had asked for: %s", hawser.ErrLost, r)
}

// answers reports whether r can be the answer to command (RFC 5321, section
// 4.3.2). If not, the two sides are out of step.
func answers(command string, r wire.Reply) bool {
	switch r.Class() {
	case 4, 5:
		return true
	case 2:
		return command != "DATA"
	case 3:
		return command == "DATA"
	}
	return false
}

// flush sends what was queued. A server that no longer takes it may have said why.
func (o *operation) flush() error {
	err := o.line.Flush()
	if err == nil || o.ctx.Err() != nil || o.s.Cause() != nil {
		return err
	}
	if last, said := o.line.LastWords(); said {
		return fmt.Errorf("%w; the last that the server said is: %s", err, last)
	}
	return err
}

// receive reads the reply to command, for which the server has the timeout, or as
// long as within if that is not 0.
func (o *operation) receive(command string, within time.Duration) (r wire.Reply, err error) {
	if within == 0 {
		r, err = o.line.Receive()
	} else {
		r, err = o.line.ReceiveWithin(within)
	}
	o.line.spoke = time.Now()
	switch {
	case err != nil:
		return r, fmt.Errorf("%s: %w", command, err)
	case r.Code == codeClosing:
		return r, refusal(command, r)
	}
	return r, nil
}

// isHangup reports whether err is the reply by which a server ends a session: it
// has not looked at what was sent behind the command that it answers.
func isHangup(err error) bool {
	var reply *Error
	return errors.As(err, &reply) && reply.Code == codeClosing
}
