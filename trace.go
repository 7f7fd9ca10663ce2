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
	// Step is told each step of opening a session, and of a data connection of
	// ftp, as it ends.
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
	before := ContextTraces(ctx)
	return context.WithValue(ctx, traceKey{}, append(before[:len(before):len(before)], t))
}

// ContextTraces returns the traces of ctx, the first added first. Drivers
// report to each, passing over hooks that are nil; where there is none,
// nothing needs to be built for them. The caller must not change the slice.
func ContextTraces(ctx context.Context) []*Trace {
	traces, _ := ctx.Value(traceKey{}).([]*Trace)
	return traces
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
