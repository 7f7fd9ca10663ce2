package sftp_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
)

// A tally is a Hook that lets everything pass and keeps what it saw.
type tally struct {
	mu      sync.Mutex // guards packets
	packets []testserver.Packet
}

func (y *tally) hook(p testserver.Packet) (forward, reply *testserver.Packet) {
	y.mu.Lock()
	defer y.mu.Unlock()
	kept := p
	if p.Type == testserver.FxpWrite {
		kept.Payload = nil // its content
	}
	y.packets = append(y.packets, kept)
	return &p, nil
}

// then is y in front of hook.
func (y *tally) then(hook testserver.Hook) testserver.Hook {
	return func(p testserver.Packet) (forward, reply *testserver.Packet) {
		y.hook(p)
		return hook(p)
	}
}

func (y *tally) of(kind byte) []testserver.Packet {
	y.mu.Lock()
	defer y.mu.Unlock()
	var found []testserver.Packet
	for _, p := range y.packets {
		if p.Type == kind {
			found = append(found, p)
		}
	}
	return found
}

func (y *tally) count(kind byte) int { return len(y.of(kind)) }

// A recorder is a Trace that keeps what it is told.
type recorder struct {
	mu       sync.Mutex // guards all below
	messages []hawser.Message
	lines    []string // "> " or "< " and the text
}

func (r *recorder) trace() *hawser.Trace {
	note := func(direction string) func(hawser.Message) {
		return func(m hawser.Message) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.messages = append(r.messages, m)
			r.lines = append(r.lines, direction+m.Text)
		}
	}
	return &hawser.Trace{Sent: note("> "), Received: note("< ")}
}

func (r *recorder) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.lines, "\n")
}

func (r *recorder) all() []hawser.Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]hawser.Message(nil), r.messages...)
}

// A gauge is a source or a sink of n bytes, content's first, that can wait.
type gauge struct {
	data  []byte
	at    int
	after map[int]func() error // called once when so many bytes have passed
}

func (g *gauge) Read(p []byte) (int, error) {
	if fn := g.after[g.at]; fn != nil {
		delete(g.after, g.at)
		if err := fn(); err != nil {
			return 0, err
		}
	}
	if g.at == len(g.data) {
		return 0, io.EOF
	}
	end := len(g.data)
	for mark := range g.after {
		if mark > g.at {
			end = min(end, mark)
		}
	}
	n := copy(p, g.data[g.at:end])
	g.at += n
	return n, nil
}

// longest is the longest length that the wire log tells of requests of a name.
func longest(t *testing.T, r *recorder, name string) int {
	t.Helper()
	most := 0
	for _, m := range r.all() {
		if !strings.HasPrefix(m.Text, name+" ") {
			continue
		}
		_, length, found := strings.Cut(m.Text, " length ")
		require.True(t, found, m.Text)
		length, _, _ = strings.Cut(length, " ")
		n, err := strconv.Atoi(length)
		require.NoError(t, err, m.Text)
		most = max(most, n)
	}
	return most
}

func countOf(text, part string) int { return strings.Count(text, part) }

// lastRead is a Transport that notes when reading last came to anything.
type lastRead struct {
	mu sync.Mutex // guards at
	at time.Time
}

func (l *lastRead) DialNet(ctx context.Context, c hawser.Connection, network, addr string) (net.Conn, error) {
	l.note()
	conn, err := hawser.Direct{}.DialNet(ctx, c, network, addr)
	if err != nil {
		return nil, err
	}
	return notingConn{Conn: conn, last: l}, nil
}

func (l *lastRead) note() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at = time.Now()
}

func (l *lastRead) ago() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Since(l.at)
}

type notingConn struct {
	net.Conn
	last *lastRead
}

func (c notingConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if !errors.Is(err, net.ErrClosed) { // of this side
		c.last.note()
	}
	return n, err
}
