package ssh

import (
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	xssh "golang.org/x/crypto/ssh"
)

// A tunnel is a connection from the server to somewhere, through a direct-tcpip
// channel (RFC 4254, section 7.2). Three goroutines of the session carry its
// bytes, and end when the channel does. It has no SetLinger: a tunnel knows no
// reset.
type tunnel struct {
	s             *Session
	channel       xssh.Channel
	host          string // what the jump host is called in errors
	local, remote net.Addr
	in, out       *tunnelFlow

	closed   chan struct{} // closed by Close
	over     chan struct{} // closed when the channel ended
	received chan struct{} // closed when all that came is in the flow
	release  func()        // called once when the session is not needed any more

	mu    sync.Mutex // guards all below
	timer *time.Timer
	moved int64 // what had been sent when the timer was started
}

var _ interface {
	net.Conn
	CloseWrite() error
} = (*tunnel)(nil)

// newTunnel takes over the channel. release is called when it ended, or when
// Close is long past.
func (s *Session) newTunnel(channel xssh.Channel, requests <-chan *xssh.Request, host string, remote net.Addr, release func()) *tunnel {
	t := &tunnel{
		s: s, channel: channel, host: host, local: s.socket.LocalAddr(), remote: remote,
		in: newTunnelFlow(), out: newTunnelFlow(),
		closed: make(chan struct{}), over: make(chan struct{}), received: make(chan struct{}),
		release: sync.OnceFunc(release),
	}
	s.opened()
	s.calls.Go(t.send)
	if !s.calls.Go(t.receive) {
		close(t.received)
	}
	if !s.calls.Go(func() { t.serve(requests) }) { // the session is being closed
		t.finish()
	}
	return t
}

// serve waits for the end of the channel.
func (t *tunnel) serve(requests <-chan *xssh.Request) {
	xssh.DiscardRequests(requests)
	if t.failure(io.EOF, nil) == nil {
		t.s.log.Received("CHANNEL_CLOSE")
	}
	t.finish()
}

func (t *tunnel) finish() {
	t.out.refuse(t.failure(io.EOF, io.ErrClosedPipe), true)
	t.in.unbind() // the user may take long, and the session is not there for ever
	<-t.received
	t.in.end(t.failure(io.EOF, io.EOF)) // nobody has received where the session was being closed
	close(t.over)
	t.stopTimer()
	t.s.closed()
	t.release()
}

// receive carries what comes to the user, until the channel ends.
func (t *tunnel) receive() {
	defer close(t.received)
	for {
		n, err := t.channel.Read(t.in.room())
		t.in.put(n)
		switch err {
		case nil:
		case io.EOF:
			t.in.end(t.failure(err, io.EOF))
			return
		default: // of the WINDOW_ADJUST for what was read, behind which is more
			_ = t.s.broken(err)
		}
	}
}

// send carries what the user writes to the channel, until the user ends that.
// What was written before Close is still sent.
func (t *tunnel) send() {
	if err := t.sendAll(); err != io.EOF {
		return // the channel ended, or is given up
	}
	t.s.log.Sent("CHANNEL_EOF")
	_ = t.channel.CloseWrite()
	select {
	case <-t.closed:
		t.s.log.Sent("CHANNEL_CLOSE")
		_ = t.channel.Close()
	case <-t.over:
	}
}

// sendAll returns io.EOF once all is sent.
func (t *tunnel) sendAll() error {
	for {
		piece, err := t.out.next()
		if err != nil {
			return err
		}
		if _, err := t.channel.Write(piece); err != nil {
			t.out.refuse(t.failure(err, io.ErrClosedPipe), true)
			return io.ErrClosedPipe
		}
		t.out.sent(len(piece))
	}
}

// failure is the error of the user's calls after the channel failed with err: ended
// where the other side ended it, and the session's where that was lost.
func (t *tunnel) failure(err, ended error) error {
	if err != io.EOF {
		_ = t.s.broken(err) // which is told below
	}
	if lost := t.s.lost(); lost != nil {
		return &TunnelError{Host: t.host, Addr: t.s.addr, Err: lost}
	}
	return ended
}

// Read reads what the other side sent. It ends with io.EOF when the other side
// ended that; where the session was lost the error matches hawser.ErrLost.
func (t *tunnel) Read(p []byte) (int, error) {
	n, err := t.in.Read(p)
	return n, t.fail("read", err)
}

// Write takes p to be sent. An error of sending is that of a later call.
func (t *tunnel) Write(p []byte) (int, error) {
	n, err := t.out.Write(p)
	return n, t.fail("write", err)
}

// CloseWrite ends what is sent, behind what was written.
func (t *tunnel) CloseWrite() error {
	t.out.end(io.EOF)
	refused, _ := t.out.failed()
	return t.fail("close", refused)
}

// Close ends both directions, at once for the caller: what was written is sent in
// the background, as long as that goes on at all. It unblocks Read and Write. Its
// error is that of what is known to be lost already.
func (t *tunnel) Close() error {
	if !t.in.refuse(net.ErrClosed, true) {
		return t.fail("close", net.ErrClosed)
	}
	t.out.end(io.EOF)
	t.out.refuse(net.ErrClosed, false)
	close(t.closed)
	t.startTimer()
	_, spilled := t.out.failed()
	return t.fail("close", spilled)
}

// startTimer bounds what Close left to the background.
func (t *tunnel) startTimer() {
	t.mu.Lock()
	defer t.mu.Unlock()
	select {
	case <-t.over:
	default:
		t.moved = t.out.progress()
		t.timer = time.AfterFunc(t.s.calls.Timeout, t.expire)
	}
}

func (t *tunnel) stopTimer() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.timer != nil {
		t.timer.Stop()
	}
}

// expire gives up what could not be sent since it was called last. The channel may
// stay open until the server or the end of the session closes it, but nobody waits
// for that.
func (t *tunnel) expire() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if moved := t.out.progress(); moved > t.moved {
		t.moved = moved
		t.timer.Reset(t.s.calls.Timeout)
		return
	}
	t.out.refuse(net.ErrClosed, true)
	t.s.calls.Go(func() { _ = t.channel.Close() })
	t.release()
}

// LocalAddr is that of the socket of the session.
func (t *tunnel) LocalAddr() net.Addr { return t.local }

// RemoteAddr is the address that was dialed.
func (t *tunnel) RemoteAddr() net.Addr { return t.remote }

// SetDeadline bounds Read and Write.
func (t *tunnel) SetDeadline(d time.Time) error {
	if err := t.SetReadDeadline(d); err != nil {
		return err
	}
	return t.SetWriteDeadline(d)
}

// SetReadDeadline bounds Read, also one that is under way.
func (t *tunnel) SetReadDeadline(d time.Time) error { return t.fail("set", t.in.setDeadline(d)) }

// SetWriteDeadline bounds Write, also one that is under way.
func (t *tunnel) SetWriteDeadline(d time.Time) error { return t.fail("set", t.out.setDeadline(d)) }

// fail wraps err as package net does.
func (t *tunnel) fail(op string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return &net.OpError{Op: op, Net: "tcp", Source: t.local, Addr: t.remote, Err: err}
}

// Format writes where the tunnel leads: what is inside changes while it is
// looked at.
func (t *tunnel) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "tunnel to ", t.remote) }
