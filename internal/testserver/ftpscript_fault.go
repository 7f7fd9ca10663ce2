package testserver

import (
	"context"
	"errors"
	"io"
	"net"
)

// errStruck is what a stream returns whose fault has ended it.
var errStruck = errors.New("the fault struck")

// faultyConn counts one stream of a connection and makes the player's fault happen to it. Reads are counted for an
// upload, else writes.
type faultyConn struct {
	net.Conn
	player *player
	stream FTPStream
	raw    net.Conn // the connection below TLS
	ctx    context.Context
	eof    bool // the client has ended the connection
}

func (c *faultyConn) Write(b []byte) (int, error) {
	if c.stream == FTPUpload {
		return c.Conn.Write(b)
	}
	return c.pass(b, c.Conn.Write)
}

func (c *faultyConn) Read(b []byte) (int, error) {
	if c.stream != FTPUpload {
		n, err := c.Conn.Read(b)
		c.eof = c.eof || err == io.EOF
		return n, err
	}
	if c.player.fault.On != c.stream || c.player.fault.Fault == Pass {
		n, err := c.Conn.Read(b)
		c.server().passed[c.stream].Add(int64(n))
		return n, err
	}
	return c.pass(b, c.Conn.Read)
}

func (c *faultyConn) server() *ScriptedFTP { return c.player.server }

// pass moves what of b may pass, and then makes the fault happen if it is time.
func (c *faultyConn) pass(b []byte, move func([]byte) (int, error)) (int, error) {
	fault := &c.player.fault
	left := fault.After - c.player.seen
	if fault.On != c.stream || fault.Fault == Pass || left > int64(len(b)) || left < 0 {
		return c.count(b, move)
	}
	if fault.Fault == Garble {
		return c.garble(b, left, move)
	}
	n, err := 0, error(nil)
	if left > 0 {
		n, err = c.count(b[:left], move)
	}
	if err != nil || int64(n) < left {
		return n, err
	}
	c.server().struck.Store(true)
	c.strike(fault.Fault)
	return n, errStruck
}

func (c *faultyConn) count(b []byte, move func([]byte) (int, error)) (int, error) {
	n, err := move(b)
	c.server().passed[c.stream].Add(int64(n))
	if c.player.fault.On == c.stream {
		c.player.seen += int64(n)
	}
	return n, err
}

// garble changes the byte at index at, if it is among those that move.
func (c *faultyConn) garble(b []byte, at int64, move func([]byte) (int, error)) (int, error) {
	if c.stream == FTPUpload {
		n, err := c.count(b, move)
		c.change(b[:n], at)
		return n, err
	}
	b = append([]byte(nil), b...) // a Writer must not change what it was given
	c.change(b, at)
	return c.count(b, move)
}

func (c *faultyConn) change(b []byte, at int64) {
	if at < int64(len(b)) {
		b[at] ^= garble
		c.server().struck.Store(true)
		c.player.settle()
	}
}

// strike ends the connection, or waits for the end of the script.
func (c *faultyConn) strike(fault Fault) {
	switch fault {
	case Stall:
		c.player.settle()
		<-c.ctx.Done()
	case Reset:
		resetOnClose(c.raw)
	}
	_ = c.raw.Close()
}
