package hawser

import (
	"context"
	"io"
	"sync"
)

// A Trace is told what happens; any hook may be nil, and hooks may be called
// concurrently. A hook that blocks holds up the session. A Trace travels in
// the context of each operation, so pooled sessions report to the job that
// uses them. Secrets are masked where the message is built, never by searching
// for their text.
type Trace struct {
	Sent, Received func(Message)
	// Step is told each step of opening a session as it ends.
	Step func(connection string, s Step)
	// Progress is told how many bytes of a file are through. total is -1
	// where it is not known.
	Progress func(name string, done, total int64)
}

// A Message is one protocol message: a line, or a packet by its name.
type Message struct {
	Connection string
	Protocol   Protocol
	Log        Log    // of the connection: hooks see every message, LogTo heeds it
	Text       string // one line without its line end
}

type traceKey struct{}

// WithTrace adds t to the traces that ctx already has.
func WithTrace(ctx context.Context, t *Trace) context.Context {
	if t == nil {
		return ctx
	}
	if before := ContextTrace(ctx); before != nil {
		t = both(before, t)
	}
	return context.WithValue(ctx, traceKey{}, t)
}

// ContextTrace returns all traces of ctx as one, nil if it has none. Drivers
// report to it; a hook that is nil has no listener, so nothing needs to be
// built for it. Two calls for one ctx return the same pointer.
func ContextTrace(ctx context.Context) *Trace {
	t, _ := ctx.Value(traceKey{}).(*Trace)
	return t
}

// both tells a, then b.
func both(a, b *Trace) *Trace {
	return &Trace{
		Sent:     bothMessage(a.Sent, b.Sent),
		Received: bothMessage(a.Received, b.Received),
		Step:     bothStep(a.Step, b.Step),
		Progress: bothProgress(a.Progress, b.Progress),
	}
}

func bothMessage(a, b func(Message)) func(Message) {
	if a == nil {
		return b
	}
	if b == nil {
		return a
	}
	return func(m Message) { a(m); b(m) }
}

func bothStep(a, b func(string, Step)) func(string, Step) {
	if a == nil {
		return b
	}
	if b == nil {
		return a
	}
	return func(connection string, s Step) { a(connection, s); b(connection, s) }
}

func bothProgress(a, b func(string, int64, int64)) func(string, int64, int64) {
	if a == nil {
		return b
	}
	if b == nil {
		return a
	}
	return func(name string, done, total int64) { a(name, done, total); b(name, done, total) }
}

// LogTo returns a Trace that writes one line a message to w, "bank > " for
// what was sent and "bank < " for what was received, in the directions that
// each Connection's [Log] turns on. It calls w.Write once a line, one call at
// a time, and passes over its errors.
func LogTo(w io.Writer) *Trace {
	l := &lineLog{w: w}
	return &Trace{
		Sent: func(m Message) {
			if m.Log.Outgoing {
				l.write(m, " > ")
			}
		},
		Received: func(m Message) {
			if m.Log.Incoming {
				l.write(m, " < ")
			}
		},
	}
}

type lineLog struct {
	mu sync.Mutex // one line at a time
	w  io.Writer
}

func (l *lineLog) write(m Message, direction string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = io.WriteString(l.w, Printable(m.Connection)+direction+Printable(m.Text)+"\n")
}
