package wire

import (
	"fmt"
	"strings"
	"time"

	"github.com/hawser/hawser"
)

// maxWrite is how many bytes are written under one deadline, so that a slow line
// has the timeout for each few of them and not for all.
const maxWrite = 32 << 10

// Queue adds a command line to what Flush sends, as commands that are pipelined
// are (RFC 2920). Its arguments are those of Send.
func (c *Conn) Queue(line, shown, secret string) error {
	if strings.ContainsAny(line, "\r\n\x00") {
		return fmt.Errorf("%w: a command must not hold CR, LF or NUL", hawser.ErrInvalid)
	}
	if shown == "" {
		shown = line
	}
	c.log.Sent("%s", shown)
	c.secret = secret
	c.out = append(append(c.out, line...), '\r', '\n')
	return nil
}

// QueueContent adds bytes that are no command, of which the wire log shows how
// many there are. The caller may change p afterwards.
func (c *Conn) QueueContent(p []byte) {
	c.log.Sent("(%d bytes of content)", len(p))
	c.out = append(c.out, p...)
}

// Flush sends what was queued. Each wait for the server to take some of it takes
// the timeout at most.
func (c *Conn) Flush() error {
	defer func() { c.out = c.out[:0] }()
	for rest := c.out; len(rest) > 0; {
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
