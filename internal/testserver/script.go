package testserver

import (
	"crypto/tls"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// scripted is a server that plays a script, whatever the protocol. All methods may be called concurrently.
type scripted struct {
	*TCP
	protocol string // for the test's log
	t        testing.TB
	id       *Identity
	tls      *tls.Config // nil if no step needs it
	telnet   bool        // commands of Telnet may stand in a line
	split    int         // bytes of a reply in one write; zero means all
	fault    fault       // of the first connection

	passed []atomic.Int64 // bytes, by stream
	struck atomic.Bool
	closed sync.Once

	mu       sync.Mutex // guards what follows
	actors   []*actor
	commands []string
}

// The streams that every script has. The protocols' own come behind them.
const (
	repliesStream     = iota // replies, as they are without TLS
	repliesWireStream        // what the server sends on the connection of commands, TLS and all
)

// Identity is what the server presents. It is nil if no step needs one.
func (s *scripted) Identity() *Identity { return s.id }

// Commands are what clients have said since the start, one line each.
func (s *scripted) Commands() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.commands)
}

// Struck reports whether the Fault has happened.
func (s *scripted) Struck() bool { return s.struck.Load() }

// settleWithin is how long Close waits for a script whose client may still be on its way out.
const settleWithin = 2 * time.Second

// Close ends the script and all that it opened, and fails the test if the client strayed from it. The end of the test
// does the same. Closing twice is harmless.
func (s *scripted) Close() error {
	var err error
	s.closed.Do(func() {
		s.t.Helper()
		timer := time.NewTimer(settleWithin)
		defer timer.Stop()
		s.mu.Lock()
		actors := slices.Clone(s.actors)
		s.mu.Unlock()
		for _, a := range actors {
			select {
			case <-a.settled:
			case <-timer.C:
				timer.Reset(0) // for the others: they had the same time
			}
		}
		err = s.TCP.Close()
		for _, a := range actors {
			if a.problem != nil {
				s.t.Errorf("%s script, connection %d, %v", s.protocol, a.number, a.problem)
			}
		}
	})
	return err
}

// scriptTLS is how a script speaks TLS. Zero is versions 1.2 and 1.3.
type scriptTLS struct {
	needed   bool
	min, max uint16
}

// start serves until the test ends or Close.
func (s *scripted) start(how scriptTLS, handle Handler) {
	s.t.Helper()
	if how.needed {
		if err := s.secure(how); err != nil {
			s.t.Fatal(err)
		}
	}
	tcp, err := StartTCP(handle)
	if err != nil {
		s.t.Fatal(err)
	}
	s.TCP = tcp
	s.t.Cleanup(func() { _ = s.Close() })
}

// secure prepares TLS, with a fresh identity if there is none.
func (s *scripted) secure(how scriptTLS) error {
	if s.id == nil {
		fresh, err := NewIdentity()
		if err != nil {
			return err
		}
		s.id = fresh
	}
	s.tls = &tls.Config{
		Certificates: []tls.Certificate{s.id.Certificate}, MinVersion: how.min, MaxVersion: how.max,
	}
	return nil
}

// enter makes the actor of a new connection.
func (s *scripted) enter(c net.Conn) *actor {
	a := &actor{server: s, raw: c, settled: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.actors = append(s.actors, a)
	if a.number = len(s.actors); a.number == 1 {
		a.fault = s.fault
	}
	return a
}

// part is what connection number plays: steps, or from the second one on what later says.
func part[S any](number int, steps S, later []S) S {
	if number == 1 || len(later) == 0 {
		return steps
	}
	return later[min(number-2, len(later)-1)]
}

// heard notes a command.
func (s *scripted) heard(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.commands = append(s.commands, line)
}

// lines is a reply as it goes over the wire.
func lines(reply string) string {
	if reply == "" {
		return ""
	}
	return strings.ReplaceAll(reply, "\n", "\r\n") + "\r\n"
}
