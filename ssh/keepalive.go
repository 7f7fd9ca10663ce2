package ssh

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/bounded"
)

const (
	defaultKeepAlive = 30 * time.Second
	// keepAliveMisses is after how many signs of life that did not come a
	// server is given up, as OpenSSH's ServerAliveCountMax.
	keepAliveMisses = 3
)

func keepAlive(c hawser.Connection) time.Duration {
	if c.SSH.KeepAlive == 0 {
		return defaultKeepAlive
	}
	return c.SSH.KeepAlive
}

// keepAlive asks a server that was silent for interval for a sign of life. It
// returns when the session ended.
func (s *Session) keepAlive(interval time.Duration) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	misses, asked := 0, time.Duration(0)
	for {
		select {
		case <-s.ended:
			return
		case <-ticker.C:
		}
		// Whatever came since the last question is an answer, also if it came so
		// soon that the whole interval since was silent.
		if heard := s.socket.lastHeard(); heard != asked {
			misses, asked = 0, heard
		}
		if s.socket.silence() < interval {
			continue
		}
		if misses == keepAliveMisses {
			s.end(fmt.Errorf("%w: no answer to %d keepalives, one every %v", hawser.ErrLost, misses, interval))
			return
		}
		misses++
		s.pinger.start(s)
	}
}

// A pinger has at most one keepalive request under way, because x/crypto sends
// one global request at a time and would queue the others for ever.
type pinger struct {
	mu   sync.Mutex // guards done and err
	done chan struct{}
	err  error
}

// start sends a request unless one is under way, and returns the channel that
// is closed when it is answered or the session is over.
func (p *pinger) start(s *Session) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done != nil {
		return p.done
	}
	done := make(chan struct{})
	p.done = done
	s.log.Sent("GLOBAL_REQUEST keepalive@openssh.com")
	started := s.calls.Go(func() {
		// A refusal is as good an answer as a success.
		ok, _, err := s.conn.SendRequest("keepalive@openssh.com", true, nil)
		if err == nil {
			s.log.Received("%s", reply("REQUEST", ok))
		}
		p.mu.Lock()
		p.done, p.err = nil, err
		p.mu.Unlock()
		close(done)
	})
	if !started {
		p.done, p.err = nil, net.ErrClosed
		close(done)
	}
	return done
}

// ping waits for an answer until ctx ends or the session's Timeout is over.
func (p *pinger) ping(ctx context.Context, s *Session) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.Cause(); err != nil {
		return err
	}
	timer := time.NewTimer(s.calls.Timeout)
	defer timer.Stop()
	select {
	case <-p.start(s):
		p.mu.Lock()
		err := p.err
		p.mu.Unlock()
		if err != nil {
			err = s.settle(err)
		}
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-s.ended:
		return s.Cause()
	case <-timer.C:
		s.end(bounded.NoAnswer(s.calls.Timeout))
		return s.Cause()
	}
}

func reply(kind string, ok bool) string {
	if ok {
		return kind + "_SUCCESS"
	}
	return kind + "_FAILURE"
}

func isContext(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
