package smtp

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/wire"
)

// exchange sends a command and reads its reply. A reply that refuses is no error,
// but the one that hangs up is.
func exchange(c *wire.Conn, line string) (wire.Reply, error) {
	if err := unasked(c); err != nil {
		return wire.Reply{}, err
	}
	if err := c.Send(line, ""); err != nil {
		return wire.Reply{}, err
	}
	return receive(c, verbOf(line))
}

// receive reads the reply to command.
func receive(c *wire.Conn, command string) (wire.Reply, error) {
	r, err := c.Receive()
	if err != nil {
		return wire.Reply{}, fmt.Errorf("%s: %w", command, err)
	}
	if r.Code == codeClosing {
		return r, refusal(command, r)
	}
	return r, nil
}

// unasked fails if the server has said what nobody asked for, which would be taken
// for the reply to come. No reply may be outstanding.
func unasked(c *wire.Conn) error {
	if !c.Ready(0) { // of what was read from the network
		return nil
	}
	r, err := receive(c, "unasked")
	if err != nil {
		return err
	}
	return fmt.Errorf("%w: the server said what nobody had asked for: %s", hawser.ErrLost, r)
}

// lastWords is what a server said before it ceased to listen, if somebody still
// waits for it.
func (o *operation) lastWords() (wire.Reply, bool) {
	if o.ctx.Err() != nil || o.s.Cause() != nil {
		return wire.Reply{}, false
	}
	return o.link.LastWords()
}

// flush sends content that was queued. A server that no longer takes it may have
// said why.
func (o *operation) flush() error {
	err := o.link.Flush()
	if err == nil {
		return nil
	}
	if r, said := o.lastWords(); said && r.Class() >= 4 {
		return then(refusal("message", r), err)
	}
	return err
}

// receive reads the reply to command, for which the server has the timeout, or as
// long as until if that is not zero. One that hangs up, or cannot be an answer to
// it, is an error: what is said from there on has no meaning.
func (o *operation) receive(command string, until time.Time) (r wire.Reply, err error) {
	if until.IsZero() {
		r, err = o.link.Receive()
	} else {
		r, err = o.link.ReceiveWithin(time.Until(until).Round(time.Millisecond))
	}
	o.link.spoke = time.Now()
	switch {
	case err != nil:
		return r, fmt.Errorf("%s: %w", command, err)
	case r.Code == codeClosing:
		return r, refusal(command, r)
	case !answers(command, r):
		return r, fmt.Errorf("%w: %s is answered by %s, which is no answer to it", hawser.ErrLost, command, r)
	}
	return r, nil
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

// isHangup reports whether err is the reply by which a server ends a session: it
// has not looked at what was sent behind the command that it answers.
func isHangup(err error) bool {
	var reply *Error
	return errors.As(err, &reply) && reply.Code == codeClosing
}

// verbOf is the first word of a command line.
func verbOf(line string) string {
	verb, _, _ := strings.Cut(line, " ")
	return verb
}
