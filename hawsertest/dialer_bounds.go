package hawsertest

import (
	"context"
	"net"
	"os"
	"time"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func boundRules() []rule[*dialer] {
	return []rule[*dialer]{
		{"an ended context dials nothing", "a job that was stopped must not show up in the server's log", dialEnded},
		{"a context that ends ends Dial", "at once, with the context's own error, also where the server says nothing", dialCancelled},
		{"Timeout bounds Dial", "a server that accepts and says nothing must not hold a job for ever", dialTimeout},
		{"a context that ends ends Ping", "at once, with the context's own error, also where the server says nothing", pingCancelled},
		{"Timeout bounds Ping", "a server that says nothing must not hold a job for ever", pingTimeout},
		{"Close unblocks", "a session that hangs is ended by closing it", closeUnblocks},
		{"a connection that was cut matches ErrLost", "a pool throws the session away, and a job may try again", pingLost},
	}
}

func dialEnded(d *dialer) {
	e := d.refused(ended(d.ctx), d.Good, prompt)
	assert.ErrorIs(d, e, context.Canceled, "Dial with an ended context")
	server := listen(d)
	e = d.refused(ended(d.ctx), d.local(server.Addr().String()), prompt)
	assert.ErrorIs(d, e, context.Canceled, "Dial with an ended context")
	// Connections are accepted in the order in which they were made.
	mine, err := net.Dial("tcp", server.Addr().String())
	require.NoError(d, err)
	defer mine.Close()
	first, err := server.Accept()
	require.NoError(d, err)
	defer first.Close()
	assert.Equal(d, mine.LocalAddr().String(), first.RemoteAddr().String(), "who connected, after Dial with an ended context")
}

// silent returns a connection to a server that accepts and says nothing. It
// tells accepted of each.
func (d *dialer) silent(accepted func()) hawser.Connection {
	d.Helper()
	server := listen(d)
	go func() { // ends when the listener is closed with the rule
		for conn, err := server.Accept(); err == nil; conn, err = server.Accept() {
			defer conn.Close()
			accepted()
		}
	}()
	return d.local(server.Addr().String())
}

func dialCancelled(d *dialer) {
	ctx, cancel := context.WithCancel(d.ctx)
	defer cancel()
	c := d.silent(cancel)
	c.Timeout = patience
	e := d.refused(ctx, c, prompt)
	assert.ErrorIs(d, e, context.Canceled, "Dial whose context is cancelled")
	ctx, cancel = context.WithTimeout(d.ctx, 50*time.Millisecond)
	defer cancel()
	e = d.refused(ctx, c, prompt)
	assert.ErrorIs(d, e, context.DeadlineExceeded, "Dial whose context has a deadline")
}

func dialTimeout(d *dialer) {
	c := d.silent(func() {})
	c.Timeout = 100 * time.Millisecond
	e := d.refused(d.ctx, c, c.Timeout+prompt)
	assert.ErrorIs(d, e, os.ErrDeadlineExceeded, "Dial that Connection.Timeout ended")
}

func pingCancelled(d *dialer) {
	relay, s := d.relayed(patience)
	relay.silence()
	ctx, cancel := context.WithCancel(d.ctx)
	defer cancel()
	time.AfterFunc(20*time.Millisecond, cancel)
	err := within(d, prompt, "Ping whose context is cancelled", func() error { return s.Ping(ctx) })
	assert.ErrorIs(d, err, context.Canceled, "Ping whose context is cancelled")
	err = within(d, prompt, "Ping with an ended context", func() error { return s.Ping(ctx) })
	assert.ErrorIs(d, err, context.Canceled, "Ping with an ended context")
}

func pingTimeout(d *dialer) {
	const timeout = time.Second
	relay, s := d.relayed(timeout)
	relay.silence()
	err := within(d, timeout+prompt, "Ping of a server that says nothing", func() error { return s.Ping(d.ctx) })
	assert.ErrorIs(d, err, os.ErrDeadlineExceeded, "Ping that Connection.Timeout ended")
}

func closeUnblocks(d *dialer) {
	relay, s := d.relayed(patience)
	relay.silence()
	closed := make(chan struct{})
	// Most likely Ping waits by then; it must end either way.
	time.AfterFunc(20*time.Millisecond, func() {
		_ = s.Close()
		close(closed)
	})
	err := within(d, prompt, "Ping of a session that is closed", func() error { return s.Ping(d.ctx) })
	assert.Error(d, err, "Ping of a session that is closed")
	within(d, prompt, "Close while Ping waits", func() struct{} { return <-closed })
}

func pingLost(d *dialer) {
	relay, s := d.relayed(patience)
	relay.cut()
	err := within(d, prompt, "Ping of a session that was cut", func() error { return s.Ping(d.ctx) })
	assert.ErrorIs(d, err, hawser.ErrLost, "Ping of a session that was cut")
	if _, ok := ability[hawser.Leasable](s); ok {
		assert.False(d, reusable(s), "Reusable after ErrLost")
	}
}
