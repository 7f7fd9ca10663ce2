package ssh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	xssh "golang.org/x/crypto/ssh"

	"github.com/hawser/hawser/internal/bounded"
)

// A channel is one session channel (RFC 4254, section 6) on its way from
// opening to the last request of the server.
type channel struct {
	xssh.Channel
	s *Session

	requestsEnded chan struct{} // closed when the server closed the channel
	outcome       outcome       // complete when requestsEnded is closed
}

// An outcome is how a command ended, as far as the server told.
type outcome struct {
	told   bool
	status int
	signal string // without SIG
}

// openChannel opens a session channel. The caller closes it.
func (s *Session) openChannel(ctx context.Context) (*channel, error) {
	s.log.Sent("CHANNEL_OPEN session")
	type opened struct {
		ch       xssh.Channel
		requests <-chan *xssh.Request
	}
	o, err := bounded.Do(ctx, s.calls, func() (opened, error) {
		ch, requests, err := s.conn.OpenChannel("session", nil)
		return opened{ch, requests}, err
	}, func(late opened) {
		_ = late.ch.Close()
		s.calls.Go(func() { xssh.DiscardRequests(late.requests) })
	})
	var refused *xssh.OpenChannelError
	if errors.As(err, &refused) {
		return nil, fmt.Errorf("the server refused another channel: %w", err)
	}
	if err != nil {
		return nil, s.settle(err)
	}
	s.log.Received("CHANNEL_OPEN_CONFIRMATION")
	c := &channel{Channel: o.ch, s: s, requestsEnded: make(chan struct{})}
	s.opened()
	s.calls.Go(func() {
		c.serve(o.requests)
		s.closed() // first, so that the session is Reusable when Run returns
		close(c.requestsEnded)
	})
	return c, nil
}

// serve reads the server's requests until it closes the channel.
func (c *channel) serve(requests <-chan *xssh.Request) {
	for r := range requests {
		switch r.Type {
		case "exit-status":
			var message struct{ Status uint32 }
			if xssh.Unmarshal(r.Payload, &message) == nil {
				c.outcome = outcome{told: true, status: int(message.Status)}
				c.s.log.Received("CHANNEL_REQUEST exit-status %d", message.Status)
			}
		case "exit-signal":
			var message struct {
				Signal     string
				CoreDumped bool
				Text, Lang string
			}
			if xssh.Unmarshal(r.Payload, &message) == nil {
				c.outcome = outcome{told: true, status: -1, signal: message.Signal}
				c.s.log.Received("CHANNEL_REQUEST exit-signal %s", message.Signal)
			}
		}
		if r.WantReply {
			_ = r.Reply(false, nil)
		}
	}
	c.s.log.Received("CHANNEL_CLOSE")
}

// request sends a channel request and waits for the server's yes. shown is
// what the wire log says of it.
func (c *channel) request(ctx context.Context, kind string, payload any, shown string) error {
	c.s.log.Sent("CHANNEL_REQUEST %s %s", kind, shown)
	ok, err := bounded.Do(ctx, c.s.calls, func() (bool, error) {
		return c.SendRequest(kind, true, xssh.Marshal(payload))
	}, nil)
	if err != nil {
		return c.s.settle(err)
	}
	c.s.log.Received("%s", reply("CHANNEL", ok))
	if !ok {
		return fmt.Errorf("the server refused the request %s %s", kind, shown)
	}
	return nil
}

// A Stream is a channel that carries another protocol, such as SFTP. One
// goroutine may read while another writes. Reading ends with io.EOF when the
// server ends it; [Stream.Stderr] may tell why.
type Stream struct {
	c     *channel
	ended chan struct{} // closed when the server ended its error stream

	mu     sync.Mutex // guards stderr
	stderr []byte
}

// Subsystem starts the subsystem called name (RFC 4254, section 6.5). ctx
// bounds Subsystem alone. The caller closes the Stream.
func (s *Session) Subsystem(ctx context.Context, name string) (*Stream, error) {
	return s.stream(ctx, "subsystem", name)
}

// Exec starts line as a Stream, for a server that has no such subsystem.
func (s *Session) Exec(ctx context.Context, line string) (*Stream, error) {
	return s.stream(ctx, "exec", line)
}

func (s *Session) stream(ctx context.Context, kind, name string) (*Stream, error) {
	defer s.log.Listen(ctx)()
	c, err := s.openChannel(ctx)
	if err != nil {
		return nil, s.Fail(kind, err)
	}
	if err := c.request(ctx, kind, struct{ Name string }{name}, name); err != nil {
		c.release(false)
		return nil, s.Fail(kind, err)
	}
	stream := &Stream{c: c, ended: make(chan struct{})}
	s.calls.Go(func() {
		defer close(stream.ended)
		_, _ = io.Copy(stderrTail{stream}, c.Stderr())
	})
	return stream, nil
}

// Read reads what the server sent.
func (s *Stream) Read(p []byte) (int, error) { return s.c.Read(p) }

// Write sends p, blocking while the server's window is full.
func (s *Stream) Write(p []byte) (int, error) { return s.c.Write(p) }

// Close closes the channel; what the server still sends is dropped.
func (s *Stream) Close() error {
	err := s.c.Close()
	if err == io.EOF { // the server was first
		return nil
	}
	return err
}

// LastWords is [Stream.Stderr] once the server can add nothing more to it, or
// after patience.
func (s *Stream) LastWords(patience time.Duration) string {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-s.ended:
	case <-timer.C:
	}
	return s.Stderr()
}

// Stderr is the end of what the server wrote as an error so far.
func (s *Stream) Stderr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.stderr)
}

// stderrTail keeps the last part of what is written to it. It must be read at
// all, because what waits there uses up the channel's window.
type stderrTail struct{ s *Stream }

func (t stderrTail) Write(p []byte) (int, error) {
	const most = 1 << 10
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	t.s.stderr = append(t.s.stderr, p...)
	if over := len(t.s.stderr) - most; over > 0 {
		t.s.stderr = append([]byte(nil), t.s.stderr[over:]...)
	}
	return len(p), nil
}
