package wire

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hawser/hawser"
)

// maxWrite is how many bytes are written under one deadline, so that a slow line
// has the timeout for each few of them and not for all.
const maxWrite = 32 << 10

// Queue adds a command line to what Flush sends, as commands that are pipelined
// are (RFC 2920). Its arguments are those of Send.
func (c *Conn) Queue(line, shown string, secrets ...string) error {
	if strings.ContainsAny(line, "\r\n\x00") {
		return fmt.Errorf("%w: a command must not hold CR, LF or NUL", hawser.ErrInvalid)
	}
	if shown == "" {
		shown = line
	}
	c.log.Sent("%s", shown)
	c.secrets = slices.DeleteFunc(slices.Clone(secrets), func(secret string) bool { return secret == "" })
	c.out = append(append(c.out, line...), '\r', '\n')
	return nil
}

// QueueContent adds bytes that are no command, of which the wire log shows how
// many there are, as the last before Flush. The caller must not change p until then.
func (c *Conn) QueueContent(p []byte) {
	c.log.Sent("(%d bytes of content)", len(p))
	c.content = p
}

// Flush sends what was queued. Each wait for the server to take some of it takes
// the timeout at most.
func (c *Conn) Flush() error {
	defer func() { c.out, c.content = c.out[:0], nil }()
	if len(c.content) <= maxWrite { // one packet rather than two
		c.out, c.content = append(c.out, c.content...), nil
	}
	if err := c.write(c.out); err != nil {
		return err
	}
	return c.write(c.content)
}

func (c *Conn) write(rest []byte) error {
	for len(rest) > 0 {
		if err := c.setDeadline(time.Now().Add(c.timeout)); err != nil {
			return err
		}
		n, err := c.NetConn().Write(rest[:min(len(rest), maxWrite)])
		if err != nil {
			return c.broken(err, c.timeout)
		}
		rest = rest[n:]
	}
	return nil
}
