package ssh

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	xssh "golang.org/x/crypto/ssh"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/bounded"
	"github.com/hawser/hawser/internal/opening"
)

// DialContext has the server connect to addr, host:port as seen from there, and
// returns the connection through a direct-tcpip channel (RFC 4254, section 7.2).
// It makes a Session the ContextDialer of golang.org/x/net/proxy. network is tcp,
// tcp4 or tcp6; the server resolves names, so the latter two only restrict IP
// addresses. ctx, and the Timeout of the session, bound DialContext alone. Errors
// are a [*TunnelError], or a *hawser.FieldError where nothing was sent.
//
// The result has deadlines and CloseWrite. Its Close returns at once, and what was
// written before is still sent. Where the session is lost, Read and Write match
// hawser.ErrLost, so io.EOF is the end of what was sent. The caller closes it.
func (s *Session) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	s.mu.Lock()
	host := s.c.Name
	s.mu.Unlock()
	t, err := s.dialTunnel(ctx, host, network, addr, func() {})
	if err != nil {
		return nil, err
	}
	return t, nil
}

// dialTunnel is DialContext under the name host of the jump host. release is called
// once the tunnel does not need the session any more, and not after an error.
func (s *Session) dialTunnel(ctx context.Context, host, network, addr string, release func()) (*tunnel, error) {
	defer s.log.Listen(ctx)()
	to, err := parseTarget(network, addr)
	if err != nil {
		return nil, err
	}
	o := &tunnelOpening{s: s, to: to, host: host, asked: time.Now()}
	opened, err := o.run(ctx)
	if err != nil {
		return nil, err
	}
	return s.newTunnel(opened.channel, opened.requests, host, to.addr, release), nil
}

// A tunnelOpening is one CHANNEL_OPEN and the wait for its answer. It is no
// [bounded.Do], because a target that does not answer must not cost the session,
// which has other tunnels.
type tunnelOpening struct {
	s     *Session
	to    target
	host  string
	asked time.Time
}

type openedTunnel struct {
	channel  xssh.Channel
	requests <-chan *xssh.Request
	err      error
}

func (o *tunnelOpening) run(ctx context.Context) (openedTunnel, error) {
	if ctx.Err() != nil {
		return openedTunnel{}, o.fail(opening.Ended(ctx))
	}
	o.s.log.Sent("CHANNEL_OPEN direct-tcpip %s", o.to.addr)
	deserted := make(chan struct{})
	defer close(deserted)
	results := o.start(deserted)
	if results == nil {
		return openedTunnel{}, o.fail(o.s.Cause())
	}
	noAnswer := fmt.Errorf("no answer within %v: %w", o.s.calls.Timeout, os.ErrDeadlineExceeded)
	limited, cancel := context.WithTimeoutCause(ctx, o.s.calls.Timeout, noAnswer)
	defer cancel()
	// Where the target does not answer, the jump host is asked for a sign of life,
	// so that the right one is blamed.
	moment := min(time.Second, o.s.calls.Timeout/4)
	defer time.AfterFunc(moment, func() { o.s.pinger.start(o.s) }).Stop()
	select {
	case opened := <-results:
		return opened, o.answer(opened.err)
	case <-limited.Done():
		return openedTunnel{}, o.unanswered(ctx, limited)
	case <-o.s.ended:
		return openedTunnel{}, o.fail(o.s.Cause())
	}
}

// start sends the message, and returns where the answer is to be had. One that
// comes when nobody waits any more is for a channel that is closed. It returns nil
// if the session is closed.
func (o *tunnelOpening) start(deserted <-chan struct{}) <-chan openedTunnel {
	results := make(chan openedTunnel)
	started := o.s.calls.Go(func() {
		channel, requests, err := o.s.conn.OpenChannel("direct-tcpip", o.to.message())
		select {
		case results <- openedTunnel{channel, requests, err}:
		case <-deserted:
			if err == nil {
				_ = channel.Close()
				xssh.DiscardRequests(requests)
			}
		}
	})
	if !started {
		return nil
	}
	return results
}

// answer is the error of what the server answered.
func (o *tunnelOpening) answer(err error) error {
	var refused *xssh.OpenChannelError
	switch {
	case err == nil:
		o.s.log.Received("CHANNEL_OPEN_CONFIRMATION")
		return nil
	case errors.As(err, &refused):
		o.s.log.Received("CHANNEL_OPEN_FAILURE %v: %s", refused.Reason, refused.Message)
		e := o.fail(nil)
		e.Code, e.Reason = uint32(refused.Reason), hawser.Printable(refused.Message)
		return e
	}
	return o.fail(o.s.broken(err))
}

// unanswered is the error of a wait that ended with ctx or, before, with limited.
func (o *tunnelOpening) unanswered(ctx, limited context.Context) error {
	alive := o.s.socket.silence() < time.Since(o.asked)
	if ctx.Err() == nil && !alive {
		o.s.end(bounded.NoAnswer(o.s.calls.Timeout))
		return o.fail(o.s.Cause())
	}
	e := o.fail(opening.Ended(limited))
	e.silent = alive
	return e
}

func (o *tunnelOpening) fail(err error) *TunnelError {
	return &TunnelError{Host: o.host, Addr: o.s.addr, Target: o.to.addr.String(), Err: err}
}
