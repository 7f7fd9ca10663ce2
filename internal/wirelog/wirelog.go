// Package wirelog reports a session's protocol messages to the traces of the
// operations that are under way.
package wirelog

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/hawser/hawser"
)

// A Log is the wire log of one session. A message of the protocol does not
// tell which operation it belongs to, so each goes to every trace that is
// listening; a session serves one user at a time, and its operations carry
// that user's traces. All methods may be called concurrently.
type Log struct {
	protocol  hawser.Protocol
	listening atomic.Bool

	mu     sync.Mutex // guards all below
	name   string
	log    hawser.Log
	traces map[*hawser.Trace]int // how many operations listen by it
}

// New returns the Log of a session to c.
func New(c hawser.Connection) *Log {
	l := &Log{protocol: c.Protocol, traces: map[*hawser.Trace]int{}}
	l.Lease(c)
	return l
}

// Lease makes later messages those of c's user.
func (l *Log) Lease(c hawser.Connection) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.name, l.log = c.Name, c.Log
}

// Listen adds the traces of ctx until the returned func is called.
func (l *Log) Listen(ctx context.Context) (done func()) {
	traces := hawser.ContextTraces(ctx)
	if len(traces) == 0 {
		return func() {}
	}
	l.add(traces, 1)
	return func() { l.add(traces, -1) }
}

func (l *Log) add(traces []*hawser.Trace, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range traces {
		if t.Sent == nil && t.Received == nil {
			continue
		}
		l.traces[t] += n
		if l.traces[t] == 0 {
			delete(l.traces, t)
		}
	}
	l.listening.Store(len(l.traces) > 0)
}

// Listening reports whether anybody listens, so that whoever has to build a
// message can leave it.
func (l *Log) Listening() bool { return l.listening.Load() }

// Sent reports a message to the server.
func (l *Log) Sent(format string, args ...any) {
	if l.Listening() {
		l.report(fmt.Sprintf(format, args...), func(t *hawser.Trace) func(hawser.Message) { return t.Sent })
	}
}

// Received reports a message from the server.
func (l *Log) Received(format string, args ...any) {
	if l.Listening() {
		l.report(fmt.Sprintf(format, args...), func(t *hawser.Trace) func(hawser.Message) { return t.Received })
	}
}

func (l *Log) report(text string, hook func(*hawser.Trace) func(hawser.Message)) {
	l.mu.Lock()
	m := hawser.Message{Connection: l.name, Protocol: l.protocol, Log: l.log, Text: hawser.Printable(text)}
	traces := slices.Collect(maps.Keys(l.traces))
	l.mu.Unlock()
	for _, t := range traces {
		if tell := hook(t); tell != nil {
			tell(m)
		}
	}
}
