package testserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/crypto/ssh"
)

// forward serves one channel of type "direct-tcpip" (RFC 4254, section 7.2) until both of its directions have ended,
// or ctx has.
func (s *SSH) forward(ctx context.Context, offered ssh.NewChannel) {
	target, reason, text := s.dialForward(ctx, offered.ExtraData())
	if target == nil {
		_ = offered.Reject(reason, text)
		return
	}
	s.tunnels.Add(1) // The client that is told of the tunnel must find it counted.
	channel, requests, err := offered.Accept()
	if err != nil {
		s.tunnels.Add(-1)
		_ = target.Close()
		return
	}
	t := newTunnel(channel, target)
	var wg sync.WaitGroup
	wg.Go(func() {
		// Requests end when the client closes the channel, or the connection ends. A closed channel looks like one
		// that the client ended in its direction alone, so the target, which may go on talking, is told here.
		refuseRequests(requests)
		<-t.drained
		_ = target.Close()
	})
	t.run(ctx)
	s.tunnels.Add(-1)
	wg.Wait()
}

// dialForward connects to what the client asked for. Without a target, reason and text say why, as OpenSSH words it.
func (s *SSH) dialForward(
	ctx context.Context, payload []byte,
) (target halfConn, reason ssh.RejectionReason, text string) {
	var msg struct {
		Host       string
		Port       uint32
		Origin     string
		OriginPort uint32
	}
	if ssh.Unmarshal(payload, &msg) != nil {
		return nil, ssh.ConnectionFailed, "malformed request"
	}
	addr, err := s.cfg.Forward(net.JoinHostPort(msg.Host, strconv.FormatUint(uint64(msg.Port), 10)))
	if err != nil {
		return nil, ssh.Prohibited, err.Error()
	}
	c, err := dialHalf(ctx, addr)
	if err != nil {
		return nil, ssh.ConnectionFailed, dialText(err)
	}
	return c, 0, ""
}

func refuseRequests(requests <-chan *ssh.Request) {
	for req := range requests {
		if req.WantReply {
			_ = req.Reply(false, nil)
		}
	}
}

// dialText is the system's own word for why a dial failed, in capitals as strerror has it: "Connection refused".
func dialText(err error) string {
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return "Name or service not known"
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		text := errno.Error()
		return strings.ToUpper(text[:1]) + text[1:]
	}
	return err.Error()
}

// A halfConn is a stream that can end in one direction alone.
type halfConn interface {
	io.ReadWriteCloser
	CloseWrite() error
}

// netHalf is a halfConn of a network: a *net.TCPConn or a *tls.Conn.
type netHalf interface {
	net.Conn
	CloseWrite() error
}

func dialHalf(ctx context.Context, addr string) (netHalf, error) {
	var dialer net.Dialer
	c, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return asHalf(c)
}

// asHalf closes what is none.
func asHalf(c net.Conn) (netHalf, error) {
	half, ok := c.(netHalf)
	if !ok {
		return nil, errors.Join(fmt.Errorf("testserver: %T cannot end in one direction alone", c), c.Close())
	}
	return half, nil
}

// tunnel carries bytes between two streams. The end of one direction is passed on alone; an error in either ends both.
type tunnel struct {
	near, far halfConn
	drained   chan struct{} // closed once near has ended and far has all of it
}

func newTunnel(near, far halfConn) *tunnel {
	return &tunnel{near: near, far: far, drained: make(chan struct{})}
}

// run returns when both directions have ended, or ctx has, and closes both streams.
func (t *tunnel) run(ctx context.Context) {
	defer t.close()
	stop := context.AfterFunc(ctx, t.close)
	defer stop()
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(t.drained)
		t.carry(t.far, t.near)
	})
	wg.Go(func() { t.carry(t.near, t.far) })
	wg.Wait()
}

func (t *tunnel) carry(to, from halfConn) {
	if _, err := io.Copy(to, from); err != nil {
		t.close()
		return
	}
	// Where this fails the other direction fails as well, once it has carried what is left.
	_ = to.CloseWrite()
}

func (t *tunnel) close() {
	_ = t.near.Close()
	_ = t.far.Close()
}
