package hawsertest

import (
	"fmt"
	"strings"
	"sync"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func leaseRules() []rule[*dialer] {
	return []rule[*dialer]{
		{"a session may be closed twice", "defer Close beside a checked Close is how Go is written", sessionClosedTwice},
		{"Ping after Close fails", "a closed session must not look alive", pingClosed},
		{"Reusable is true when idle and false after Close", "a pool keeps sessions by it", reusableTells},
		{"Lease gives the session to another user", "messages carry the name and log of who uses it, not of who opened it", leaseRenames},
		{"each step of Dial is reported", "a test of a connection shows how far it came", stepsReported},
		{"the wire log tells both directions", "messages are lines that say whose they are", wireLog},
	}
}

func sessionClosedTwice(d *dialer) {
	s := d.login(d.ctx, d.Good)
	assert.NoError(d, within(d, prompt, "Close", s.Close), "Close")
	assert.NoError(d, within(d, prompt, "Close, again", s.Close), "Close, again")
}

func pingClosed(d *dialer) {
	s := d.login(d.ctx, d.Good)
	require.NoError(d, s.Close(), "Close")
	err := within(d, prompt, "Ping after Close", func() error { return s.Ping(d.ctx) })
	assert.Error(d, err, "Ping after Close")
}

// leasable logs in and returns the session as both, or skips the rule.
func (d *dialer) leasable() (hawser.Session, hawser.Leasable) {
	d.Helper()
	s := d.login(d.ctx, d.Good)
	l, ok := ability[hawser.Leasable](s)
	if !ok {
		d.Skipf("skipped: %T is not hawser.Leasable", s)
	}
	return s, l
}

func reusableTells(d *dialer) {
	s, l := d.leasable()
	assert.True(d, l.Reusable(), "Reusable after Dial")
	require.NoError(d, s.Ping(d.ctx), "Ping")
	assert.True(d, l.Reusable(), "Reusable after Ping")
	require.NoError(d, s.Close(), "Close")
	assert.False(d, l.Reusable(), "Reusable after Close")
}

func leaseRenames(d *dialer) {
	s, l := d.leasable()
	next := d.Good.Clone()
	next.Name, next.Log = "next user", hawser.Log{Outgoing: !d.Good.Log.Outgoing, Incoming: !d.Good.Log.Incoming}
	require.NoError(d, l.Lease(d.ctx, next), "Lease")
	w := &wire{}
	require.NoError(d, s.Ping(hawser.WithTrace(d.ctx, w.trace())), "Ping after Lease")
	w.expect(d, next)
	assert.True(d, l.Reusable(), "Reusable after Lease and Ping")
}

func stepsReported(d *dialer) {
	w := &wire{}
	d.login(hawser.WithTrace(d.ctx, w.trace()), d.Good)
	connect, login := w.step(hawser.PhaseConnect), w.step(hawser.PhaseLogin)
	require.GreaterOrEqual(d, connect, 0, "the step connect, in %v", w.steps)
	require.GreaterOrEqual(d, login, 0, "the step login, in %v", w.steps)
	assert.Less(d, connect, login, "the step connect comes before login, in %v", w.steps)
	if encrypted(d.Good) {
		assert.GreaterOrEqual(d, w.step(hawser.PhaseTrust), 0, "the step trust, in %v", w.steps)
	}
	for _, s := range w.steps {
		assert.Equal(d, d.Good.Name, s.connection, "whose step it is: %v", s)
		assert.NoError(d, s.Err, "the step %s of a Dial that went well", s.Phase)
	}
	w = &wire{}
	_, err := d.Dialer.Dial(hawser.WithTrace(d.ctx, w.trace()), d.Denied)
	require.Error(d, err, "Dial with a wrong password")
	login = w.step(hawser.PhaseLogin)
	require.GreaterOrEqual(d, login, 0, "the step login that failed, in %v", w.steps)
	assert.ErrorIs(d, w.steps[login].Err, hawser.ErrAuth, "the error of the step login")
}

// encrypted reports whether a server must prove who it is.
func encrypted(c hawser.Connection) bool {
	switch c.Protocol {
	case hawser.SSH, hawser.SFTP:
		return true
	case hawser.FTP:
		return c.TLS.Mode == hawser.TLSExplicit || c.TLS.Mode == hawser.TLSImplicit
	case hawser.SMTP:
		return c.TLS.Mode != hawser.TLSNone
	}
	return false
}

func wireLog(d *dialer) {
	w := &wire{}
	ctx := hawser.WithTrace(d.ctx, w.trace())
	s := d.login(ctx, d.Good)
	w.expect(d, d.Good)
	w.clear()
	require.NoError(d, s.Ping(ctx), "Ping")
	w.expect(d, d.Good)
}

// wire collects what a Trace tells.
type wire struct {
	mu             sync.Mutex // guards all below while sessions run
	sent, received []hawser.Message
	steps          []wireStep
}

type wireStep struct {
	connection string
	hawser.Step
}

func (w *wire) trace() *hawser.Trace {
	return &hawser.Trace{
		Sent:     func(m hawser.Message) { w.locked(func() { w.sent = append(w.sent, m) }) },
		Received: func(m hawser.Message) { w.locked(func() { w.received = append(w.received, m) }) },
		Step: func(connection string, s hawser.Step) {
			w.locked(func() { w.steps = append(w.steps, wireStep{connection, s}) })
		},
	}
}

func (w *wire) locked(fn func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	fn()
}

func (w *wire) clear() { w.locked(func() { w.sent, w.received, w.steps = nil, nil, nil }) }

// step is the place of the last step of phase, -1 if there is none.
func (w *wire) step(phase hawser.Phase) int {
	at := -1
	w.locked(func() {
		for i, s := range w.steps {
			if s.Phase == phase {
				at = i
			}
		}
	})
	return at
}

// expect asks for messages in both directions, all of them c's.
func (w *wire) expect(d *dialer, c hawser.Connection) {
	d.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	assert.NotEmpty(d, w.sent, "messages that Trace.Sent was told")
	assert.NotEmpty(d, w.received, "messages that Trace.Received was told")
	for _, m := range append(w.sent[:len(w.sent):len(w.sent)], w.received...) {
		assert.Equal(d, c.Name, m.Connection, "Message.Connection of %q", m.Text)
		assert.Equal(d, c.Protocol, m.Protocol, "Message.Protocol of %q", m.Text)
		assert.Equal(d, c.Log, m.Log, "Message.Log of %q", m.Text)
		assert.NotEmpty(d, m.Text, "Message.Text")
		assert.False(d, strings.ContainsAny(m.Text, "\r\n"), "Message.Text %q is one line without its end", m.Text)
	}
}

// text is all that was told.
func (w *wire) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var b strings.Builder
	for _, m := range append(w.sent[:len(w.sent):len(w.sent)], w.received...) {
		b.WriteString(m.Text + "\n")
	}
	for _, s := range w.steps {
		fmt.Fprintf(&b, "%s %s %v\n", s.Phase, s.Detail, s.Err)
	}
	return b.String()
}
