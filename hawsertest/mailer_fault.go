package hawsertest

import (
	"context"
	"io"
	"math"
	"net"
	"sync/atomic"
	"time"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func faultRules() []rule[*mails] {
	return []rule[*mails]{
		{"a connection lost during a message matches ErrLost", "and not ErrMaybeSent: the message may be sent again", lostDuring},
		{"Timeout does not bound the answer to the end of a message", "a server has ten minutes for it (RFC 5321, section 4.5.3.2.6); who gives up early sends the message twice", silentAtEnd},
		{"a message after whose end the connection is lost may have been sent", "ErrMaybeSent says so; who sends it again takes a choice", lostAtEnd},
		{"a message after whose end the context ends may have been sent", "the error is the context's, and ErrMaybeSent as well", cancelledAtEnd},
	}
}

// dial goes on with a session through a relay at addr.
func (m *mails) dial(addr net.Addr, timeout time.Duration) {
	m.Helper()
	m.mailer = m.Dial(m.T, addr.String(), timeout)
	require.NotNil(m, m.mailer, "Dial returned no Mailer")
}

// dials skips the rule where no session goes through a relay.
func (m *mails) dials() {
	m.Helper()
	if m.Dial == nil {
		m.Skip("skipped: the harness has no Dial")
	}
}

// lostDuring writes more after the end of the connection than the buffers of
// two machines hold, so that what is behind it cannot seem to be on its way.
func lostDuring(m *mails) {
	m.dials()
	for _, n := range []int{200, 100 << 10} {
		r := newRelay(m, m.Addr)
		m.dial(r.listener.Addr(), patience)
		l := m.sized(9 << 20)
		l.pieces = func(w io.Writer, text string) error {
			if err := inPieces(16<<10)(w, text[:n]); err != nil {
				return err
			}
			r.cut()
			return inPieces(16<<10)(w, text[n:])
		}
		_, err := m.fails(m.ctx, patience/6, m.to(m.To...), l)
		assert.ErrorIs(m, err, hawser.ErrLost, "Send whose connection is lost after %d bytes", n)
		m.unusable()
		m.absent(l)
	}
}

// unusable asks for a session that says that it has ended.
func (m *mails) unusable() {
	m.Helper()
	if _, ok := ability[hawser.Leasable](m.mailer); ok {
		assert.False(m, reusable(m.mailer), "Reusable after a message whose end is not known")
	}
}

// deaf sends l in the background through a relay that drops what the server
// says once it has heard as much as l holds.
func (m *mails) deaf(ctx context.Context, timeout time.Duration, l *letter) (*relay, <-chan error) {
	m.Helper()
	m.dials()
	left := &atomic.Int64{}
	left.Store(math.MaxInt64)
	r := &relay{target: m.Addr}
	r.listener = gauge{listen(m), left, r.silence}
	r.running.Go(r.accept)
	m.Cleanup(func() {
		_ = r.listener.Close()
		r.cut()
		r.running.Wait()
	})
	m.dial(r.listener.Addr(), timeout)
	left.Store(int64(len(l.want())))
	mailer, done := m.mailer, make(chan error, 1)
	go func() { // ends with Send, whose context ends with the rule
		_, err := mailer.Send(ctx, m.to(m.To[0]), l)
		done <- err
	}()
	return r, done
}

// maybe asks for an error that leaves open whether the message was sent.
func (m *mails) maybe(limit time.Duration, done <-chan error) error {
	m.Helper()
	err := within(m, limit, "Send of a message whose end is not answered", func() error { return <-done })
	require.ErrorIs(m, err, hawser.ErrMaybeSent, "Send of a message whose end is not answered")
	assert.False(m, hawser.Retryable(err), "Retryable of %v", err)
	m.unusable()
	return err
}

func silentAtEnd(m *mails) {
	const timeout = time.Second
	ctx, cancel := context.WithTimeout(m.ctx, 2*timeout)
	m.Cleanup(cancel)
	l := m.sized(10_000)
	_, done := m.deaf(ctx, timeout, l)
	err := m.maybe(2*timeout+prompt, done)
	assert.ErrorIs(m, err, context.DeadlineExceeded, "Send whose context ends after Timeout, and before the answer")
	m.arrives(l, m.To[0])
}

func lostAtEnd(m *mails) {
	l := m.sized(10_000)
	r, done := m.deaf(m.ctx, patience, l)
	m.arrives(l, m.To[0])
	r.cut()
	m.maybe(prompt, done)
}

func cancelledAtEnd(m *mails) {
	ctx, cancel := context.WithCancel(m.ctx)
	m.Cleanup(cancel)
	l := m.sized(10_000)
	_, done := m.deaf(ctx, patience, l)
	m.arrives(l, m.To[0])
	cancel()
	err := m.maybe(prompt, done)
	assert.ErrorIs(m, err, context.Canceled, "Send whose context ends before the answer")
}

// A gauge is a listener whose connections count down what they hear.
type gauge struct {
	net.Listener
	left *atomic.Int64
	done func() // called when nothing is left
}

func (g gauge) Accept() (net.Conn, error) {
	conn, err := g.Listener.Accept()
	return gauged{conn, g}, err
}

type gauged struct {
	net.Conn
	gauge gauge
}

func (g gauged) Read(p []byte) (int, error) {
	n, err := g.Conn.Read(p)
	if g.gauge.left.Add(int64(-n)) <= 0 {
		g.gauge.done()
	}
	return n, err
}
