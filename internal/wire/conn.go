package wire

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/wirelog"
)

// A Conn is the control connection of one session. One goroutine uses it at a
// time, but for Bind's release, Interrupt and Close.
type Conn struct {
	timeout time.Duration // of each reply, and of sending each command
	socket  *peek         // below TLS
	log     *wirelog.Log
	r       *bufio.Reader
	secrets []string // what the reply to come must not show
	out     []byte   // what waits for Flush
	content []byte   // what waits behind that

	mu     sync.Mutex // guards all below
	conn   net.Conn
	ended  bool // no deadline may let it go on
	closed bool
}

// New takes over conn. Each wait for the server takes timeout at most.
func New(conn net.Conn, timeout time.Duration, log *wirelog.Log) *Conn {
	return &Conn{timeout: timeout, log: log, socket: newPeek(conn), conn: conn, r: bufio.NewReader(conn)}
}

// Bind lets the end of ctx end every wait, now and later: an exchange that was
// cut in the middle leaves the two sides out of step. release undoes it, once,
// and reports whether it came too late.
func (c *Conn) Bind(ctx context.Context) (release func() (cut bool)) {
	stop := context.AfterFunc(ctx, c.Interrupt)
	return func() bool { return !stop() }
}

// Interrupt ends every wait, now and later.
func (c *Conn) Interrupt() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	_ = c.conn.SetDeadline(time.Unix(1, 0))
}

// Close closes the connection. It unblocks who waits.
func (c *Conn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	c.ended, c.closed = true, true
	return c.conn.Close()
}

// NetConn is the connection below, to tell addresses or to shake hands on.
func (c *Conn) NetConn() net.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.conn
}

// Upgrade replaces the connection by one that shake makes of it, after AUTH TLS
// or STARTTLS. What the server sent ahead of that is refused: somebody in
// between could have put it there, and it would be read as if it were protected.
func (c *Conn) Upgrade(shake func(net.Conn) (net.Conn, error)) error {
	if c.r.Buffered() > 0 {
		return fmt.Errorf("%w: it sent more behind its consent to TLS, which somebody in between may have put there", hawser.ErrUntrusted)
	}
	// The handshake has bounds of its own.
	if err := c.setDeadline(time.Time{}); err != nil {
		return err
	}
	conn, err := shake(c.NetConn())
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.conn = conn
	c.mu.Unlock()
	c.r.Reset(conn)
	return nil
}

// Send sends a command line, which has no line break in it. shown is what the
// wire log says of it; "" is the line itself. secrets are what the server may echo
// of it; "" is none.
func (c *Conn) Send(line, shown string, secrets ...string) error {
	if err := c.Queue(line, shown, secrets...); err != nil {
		return err
	}
	return c.Flush()
}

// Receive reads one reply. A wait for it takes the timeout at most.
func (c *Conn) Receive() (Reply, error) { return c.ReceiveWithin(c.timeout) }

// ReceiveWithin reads one reply, for which the server has as long as d.
func (c *Conn) ReceiveWithin(d time.Duration) (Reply, error) {
	if err := c.setDeadline(time.Now().Add(d)); err != nil {
		return Reply{}, err
	}
	reply, err := readReply(c.readLine)
	if err != nil {
		return Reply{}, c.broken(err, d)
	}
	return reply, nil
}

// broken ends every wait for good: a reply that did not come in its time would
// be taken for the answer to another command later.
func (c *Conn) broken(err error, waited time.Duration) error {
	if err != nil {
		c.Interrupt()
	}
	return c.explain(err, waited)
}

// Epitaph is the error that a server which hung up left to be read, such as an
// alert of TLS. Nothing can be said or received afterwards.
func (c *Conn) Epitaph() error {
	const moment = time.Second
	c.Interrupt()
	conn := c.NetConn()
	if err := conn.SetReadDeadline(time.Now().Add(moment)); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, io.LimitReader(conn, maxReply))
	return err
}

// LastWords is the reply that a server left which no longer takes anything, if
// there is one. Nothing can be said or received afterwards.
func (c *Conn) LastWords() (Reply, bool) {
	const moment = 500 * time.Millisecond
	c.Interrupt()
	if err := c.NetConn().SetReadDeadline(time.Now().Add(moment)); err != nil {
		return Reply{}, false
	}
	r, err := readReply(c.readLine)
	return r, err == nil
}

// readLine reads a line without its end.
func (c *Conn) readLine() (string, error) {
	var line []byte
	for {
		part, err := c.r.ReadSlice('\n')
		if len(line)+len(part) > maxLine {
			return "", fmt.Errorf("%w: a line of more than %d bytes", errMalformed, maxLine)
		}
		line = append(line, part...)
		if err == nil {
			break
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			if errors.Is(err, io.EOF) && len(line) > 0 {
				err = io.ErrUnexpectedEOF
			}
			return "", err
		}
	}
	text := strings.TrimRight(string(line), "\r\n")
	if len(c.secrets) > 0 { // behind the code, whose digits a password may have
		code := 0
		if len(text) > 3 && isDigits(text[:3]) {
			code = 4
		}
		for _, secret := range c.secrets {
			text = text[:code] + strings.ReplaceAll(text[code:], secret, "***")
		}
	}
	c.log.Received("%s", c.shown(text))
	return text, nil
}

// shown is what the wire log says of a line. A challenge (334; RFC 4954) that
// answers a secret tells with it enough to guess that: SCRAM signs with both.
func (c *Conn) shown(line string) string {
	if len(c.secrets) > 0 && strings.HasPrefix(line, "334 ") {
		return "334 ***"
	}
	return line
}

// setDeadline does not undo an interrupt.
func (c *Conn) setDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return fmt.Errorf("%w: %w", hawser.ErrLost, net.ErrClosed)
	}
	return c.explain(c.conn.SetDeadline(t), c.timeout)
}

// explain says what the loss of the connection was, after a wait of at most so
// long.
func (c *Conn) explain(err error, waited time.Duration) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errMalformed):
		return fmt.Errorf("%w: %w", hawser.ErrLost, err)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%w: no answer within %v: %w", hawser.ErrLost, waited, os.ErrDeadlineExceeded)
	case errors.Is(err, io.EOF):
		return fmt.Errorf("%w: the server closed the connection: %w", hawser.ErrLost, io.EOF)
	}
	return fmt.Errorf("%w: %w", hawser.ErrLost, err)
}

// Stirred reports, without waiting, whether the server has hung up or said
// something that was not read yet, as far as this machine can tell. Between a reply
// and the next command it has a reason to do neither.
func (c *Conn) Stirred() bool {
	if err := c.setDeadline(time.Now().Add(c.timeout)); err != nil {
		return true
	}
	return c.r.Buffered() > 0 || c.socket.stirred()
}

// Ready waits until something of a reply is there, for d at most.
func (c *Conn) Ready(d time.Duration) bool {
	if err := c.setDeadline(time.Now().Add(d)); err != nil {
		return false
	}
	_, err := c.r.Peek(1)
	return err == nil
}
