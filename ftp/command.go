package ftp

import (
	"fmt"
	"strings"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/wire"
)

// exchange sends a command line and reads its reply. The caller has the turn. An
// error is of the connection: a reply that refuses is a reply.
func (s *Session) exchange(line string) (wire.Reply, error) { return exchange(s.wire, line, "", "") }

// exchange sends line, which the wire log shows as shown, and reads its reply.
func exchange(c *wire.Conn, line, shown, secret string) (wire.Reply, error) {
	if err := send(c, line, shown, secret); err != nil {
		return wire.Reply{}, err
	}
	return receiveLast(c, verbOf(line))
}

// send sends a command, if nothing is there that would be taken for its reply.
func send(c *wire.Conn, line, shown, secret string) error {
	if c.Ready(0) { // of what was read from the network
		return unasked(c, verbOf(line))
	}
	return c.Send(line, shown, secret)
}

// unasked is why command is not sent: its own reply would be taken for that to
// another, and so would each later one.
func unasked(c *wire.Conn, command string) error {
	r, err := receive(c, command)
	if err != nil {
		return err
	}
	return fmt.Errorf("%w: before %s the server said what nobody had asked for: %s", hawser.ErrLost, command, r)
}

// receiveLast reads the reply to command that is its last: preliminary ones may
// come before (RFC 959, section 4.2).
func receiveLast(c *wire.Conn, command string) (wire.Reply, error) {
	const most = 100
	for range most {
		if r, err := receive(c, command); err != nil || r.Class() != 1 {
			return r, err
		}
	}
	c.Interrupt()
	return wire.Reply{}, fmt.Errorf("%w: %s: the server goes on announcing a reply", hawser.ErrLost, command)
}

// receive reads one reply to command. The one that hangs up is an error.
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

// command sends a command line whose reply must be of class 2.
func (s *Session) command(line string) (wire.Reply, error) {
	r, err := s.exchange(line)
	if err != nil {
		return r, err
	}
	if !isDone(r) {
		return r, refusal(verbOf(line), r)
	}
	return r, nil
}

// isDone reports whether r says that a command was carried out. 202 says that it
// is superfluous, which servers say of what they do not know.
func isDone(r wire.Reply) bool { return r.Class() == 2 && r.Code != codeSuperfluous }

// verbOf is the first word of a command line.
func verbOf(line string) string {
	verb, _, _ := strings.Cut(line, " ")
	return verb
}
