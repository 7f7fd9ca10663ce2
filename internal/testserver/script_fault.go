package testserver

import (
	"context"
	"errors"
	"io"
	"net"
)

// errStruck is what a stream returns whose fault has ended it.
var errStruck = errors.New("the fault struck")

// fault goes wrong at one byte of one stream of a connection. The zero value does nothing.
type fault struct {
	kind  Fault
	on    int
	after int64
	seen  int64 // bytes of the stream on
}

// faultyConn counts one stream of a connection and makes the actor's fault happen to it.
type faultyConn struct {
	net.Conn
	actor  *actor
	stream int
	reads  bool     // the stream is what is read, not what is written
	late   bool     // the fault waits until somebody wants to read more than it lets pass
	raw    net.Conn // the connection below TLS
	ctx    context.Context
	eof    bool // the client has ended the connection
}

func (c *faultyConn) Write(b []byte) (int, error) {
	if c.reads {
		return c.Conn.Write(b)
	}
	return c.pass(b, c.Conn.Write)
}

func (c *faultyConn) Read(b []byte) (int, error) {
	if !c.reads {
		n, err := c.Conn.Read(b)
		c.eof = c.eof || err == io.EOF
		return n, err
	}
	return c.pass(b, c.Conn.Read)
}

// pass moves what of b may pass, and then makes the fault happen if it is time.
func (c *faultyConn) pass(b []byte, move func([]byte) (int, error)) (int, error) {
	fault := &c.actor.fault
	left := fault.after - fault.seen
	if fault.on != c.stream || fault.kind == Pass || left > int64(len(b)) || left < 0 {
		return c.count(b, move)
	}
	if fault.kind == Garble {
		return c.garble(b, left, move)
	}
	n, err := 0, error(nil)
	if left > 0 {
		n, err = c.count(b[:left], move)
	}
	if err != nil || int64(n) < left || left > 0 && c.late {
		return n, err
	}
	c.actor.server.struck.Store(true)
	c.strike(fault.kind)
	return n, errStruck
}

func (c *faultyConn) count(b []byte, move func([]byte) (int, error)) (int, error) {
	n, err := move(b)
	c.actor.server.passed[c.stream].Add(int64(n))
	if c.actor.fault.on == c.stream {
		c.actor.fault.seen += int64(n)
	}
	return n, err
}

// garble changes the byte at index at, if it is among those that move.
func (c *faultyConn) garble(b []byte, at int64, move func([]byte) (int, error)) (int, error) {
	if c.reads {
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
		c.actor.server.struck.Store(true)
		c.actor.settle()
	}
}

// strike ends the connection, or waits for the end of the script.
func (c *faultyConn) strike(kind Fault) {
	switch kind {
	case Stall:
		c.actor.settle()
		<-c.ctx.Done()
	case Reset:
		resetOnClose(c.raw)
	}
	_ = c.raw.Close()
}
