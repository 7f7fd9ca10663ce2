package smtp

import (
	"fmt"
	"strings"
	"time"

	"github.com/hawser/hawser/internal/wire"
)

// A line is one connection of a session, on which commands and replies are in
// step.
type line struct {
	*wire.Conn
	features   features
	pipelining bool
	sent       int       // transactions so far
	open       bool      // the last one has neither come to an end nor been reset
	spoke      time.Time // when the last reply came
}

// noop makes one round trip.
func (l *line) noop() (wire.Reply, error) {
	defer func() { l.spoke = time.Now() }()
	return exchange(l.Conn, "NOOP", "", "")
}

// exchange sends a command, which the wire log shows as shown, and reads its
// reply. A reply that refuses is no error, but the one that hangs up is.
func exchange(c *wire.Conn, line, shown, secret string) (wire.Reply, error) {
	if err := c.Send(line, shown, secret); err != nil {
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

// verbOf is the first word of a command line.
func verbOf(line string) string {
	verb, _, _ := strings.Cut(line, " ")
	return verb
}
