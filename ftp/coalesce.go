package ftp

import (
	"errors"
	"net"
	"os"
	"time"
)

const (
	gathered = 256 << 10 // bytes that leave at once
	small    = 4 << 10   // bytes of what cannot be content: it leaves at once
)

// A coalescer gathers the records that crypto/tls writes one by one, 16 KiB each,
// so that a system call moves sixteen of them. What is small is of a handshake
// or an alert, or the end of a file, and leaves at once, with all before it.
type coalescer struct {
	net.Conn
	timeout time.Duration // of each part that leaves
	held    []byte
	ended   bool // the stream came to its end, which crypto/tls reads up to only if nobody has said so before
}

// Read notes the end.
func (c *coalescer) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.ended = c.ended || isEnd(err)
	return n, err
}

func (c *coalescer) Write(p []byte) (int, error) {
	if len(c.held) == 0 && len(p) < small {
		return c.Conn.Write(p)
	}
	c.held = append(c.held, p...)
	if len(p) >= small && len(c.held) < gathered {
		return len(p), nil
	}
	if err := c.flush(); err != nil {
		return 0, err
	}
	return len(p), nil
}

// flush lets out what is held. crypto/tls gives the end of a connection five
// seconds to be written, which on a slow link must not have this in front.
func (c *coalescer) flush() error {
	if len(c.held) == 0 {
		return nil
	}
	for rest := c.held; ; {
		n, err := c.Conn.Write(rest)
		if rest = rest[n:]; n > 0 && errors.Is(err, os.ErrDeadlineExceeded) { // it moves, if slowly
			err = c.Conn.SetWriteDeadline(time.Now().Add(c.timeout))
		}
		if err != nil || len(rest) == 0 {
			c.held = c.held[:0]
			return err
		}
	}
}
