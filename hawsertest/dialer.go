package hawsertest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A DialerHarness is a driver and the server it is tested against. The Dialer
// trusts the server and reaches the network by itself. Good and Denied are as
// a Manager hands them over: valid, with secrets resolved. Their secrets have
// eight bytes or more and are no words of the protocol, because errors and
// logs are searched for them.
type DialerHarness struct {
	Dialer hawser.Dialer
	Good   hawser.Connection // logs in
	Denied hawser.Connection // same server, wrong password
}

// TestDialer checks a [hawser.Dialer], a driver or what wraps one, and its
// sessions: login and Ping; errors that are *hawser.Error and name connection,
// address and phase; contexts and [hawser.Connection] Timeout, which bound Dial
// and Ping against servers that say nothing; Close, which unblocks; steps and
// wire log through [hawser.Trace], free of secrets, as errors are; Lease and
// Reusable; dials at once; and that no goroutine is left.
//
// Faults are made by servers on the loopback of this machine: those that fall
// silent in the middle of a session relay to that of h, so they are skipped
// where the Dialer does not trust that one at another address, and all are
// where h's connection has a proxy or a jump host.
func TestDialer(t *testing.T, h DialerHarness) {
	t.Helper()
	require.NotNil(t, h.Dialer, "the harness has no Dialer")
	require.NoError(t, h.Good.Validate(), "the harness: Good")
	require.NoError(t, h.Denied.Validate(), "the harness: Denied")
	for _, c := range []hawser.Connection{h.Good, h.Denied} {
		for name, s := range c.Secrets() {
			require.GreaterOrEqual(t, len(s.Reveal()), 8, "the harness: %s is too short to be searched for", name)
		}
	}
	run(t, dialerRules(), func(t *testing.T) *dialer { return newDialer(t, h) })
}

func dialerRules() []rule[*dialer] {
	return slices.Concat(loginRules(), boundRules(), leaseRules(), secretRules())
}

// dialer is the subject of the rules.
type dialer struct {
	*testing.T
	DialerHarness
	ctx context.Context // of the rule; ends after patience
}

func newDialer(t *testing.T, h DialerHarness) *dialer {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return &dialer{T: t, DialerHarness: h, ctx: ctx}
}

// login dials c, which must succeed. The session is closed with the rule.
func (d *dialer) login(ctx context.Context, c hawser.Connection) hawser.Session {
	d.Helper()
	s, err := d.Dialer.Dial(ctx, c)
	require.NoError(d, err, "Dial")
	require.NotNil(d, s, "Dial returned neither session nor error")
	d.closeLater(s)
	return s
}

// closeLater closes s with the rule, and does not wait for a Close that hangs:
// other rules tell of that.
func (d *dialer) closeLater(s hawser.Session) {
	d.Cleanup(func() {
		closed := make(chan struct{})
		go func() { // ends with Close
			defer close(closed)
			_ = s.Close()
		}()
		select {
		case <-closed:
		case <-time.After(prompt):
			d.Logf("Close of the session: still not back after %v", prompt)
		}
	})
}

// refused dials c, which must fail within limit with an *hawser.Error that
// tells of c.
func (d *dialer) refused(ctx context.Context, c hawser.Connection, limit time.Duration) *hawser.Error {
	d.Helper()
	type result struct {
		s   hawser.Session
		err error
	}
	got := within(d, limit, "Dial", func() result {
		s, err := d.Dialer.Dial(ctx, c)
		return result{s, err}
	})
	if got.err == nil {
		_ = got.s.Close()
		require.Fail(d, "Dial succeeded")
	}
	assert.Nil(d, got.s, "Dial returned a session beside the error %v", got.err)
	var e *hawser.Error
	require.True(d, errors.As(got.err, &e), "Dial gave %T (%v), want an *hawser.Error", got.err, got.err)
	assert.Equal(d, c.Name, e.Name, "Error.Name")
	assert.Equal(d, c.Protocol, e.Protocol, "Error.Protocol")
	assert.NotEmpty(d, e.Op, "Error.Op")
	return e
}

func loginRules() []rule[*dialer] {
	return []rule[*dialer]{
		{"Dial logs in and Ping answers", "a session is ready when Dial returns", dialPings},
		{"the context of Dial bounds Dial alone", "a session lives until Close; who opened it has gone on", dialOutlives},
		{"a wrong password matches ErrAuth", "and says so of the phase login, so that nobody tries again and locks the account", dialDenied},
		{"a refused connection says so of the phase connect", "a typing error in the port is told from one in the password", dialRefused},
		{"a server that hangs up gives an error", "soon and with the name of the connection", dialHungUp},
		{"sessions may be opened at once", "a Dialer is safe for concurrent use", dialConcurrent},
		{"no goroutine is left", "neither by a session that was closed nor by a Dial that failed", dialLeaks},
	}
}

func dialPings(d *dialer) {
	s := d.login(d.ctx, d.Good)
	require.NoError(d, s.Ping(d.ctx), "Ping")
	require.NoError(d, s.Ping(d.ctx), "Ping, again")
}

func dialOutlives(d *dialer) {
	ctx, cancel := context.WithCancel(d.ctx)
	s := d.login(ctx, d.Good)
	cancel()
	require.NoError(d, s.Ping(d.ctx), "Ping after the context of Dial ended")
	require.NoError(d, s.Ping(d.ctx), "Ping after the context of Dial ended, again")
}

func dialDenied(d *dialer) {
	c := d.Denied
	e := d.refused(d.ctx, c, patience) // servers make a wrong password wait
	assert.ErrorIs(d, e, hawser.ErrAuth, "Dial with a wrong password")
	assert.Equal(d, hawser.PhaseLogin, e.Phase, "Error.Phase")
	assert.Equal(d, c.Addr(), e.Addr, "Error.Addr")
	assert.False(d, hawser.Retryable(e), "Retryable of a wrong password")
}

func dialRefused(d *dialer) {
	c := d.local(unusedAddr(d))
	e := d.refused(d.ctx, c, prompt)
	assert.Equal(d, hawser.PhaseConnect, e.Phase, "Error.Phase")
	assert.Equal(d, c.Addr(), e.Addr, "Error.Addr")
	assert.NotErrorIs(d, e, hawser.ErrAuth, "Dial to a closed port")
}

func dialHungUp(d *dialer) {
	server := listen(d)
	go func() { // ends when the listener is closed with the rule
		for conn, err := server.Accept(); err == nil; conn, err = server.Accept() {
			_ = conn.Close()
		}
	}()
	c := d.local(server.Addr().String())
	e := d.refused(d.ctx, c, prompt)
	assert.Equal(d, c.Addr(), e.Addr, "Error.Addr")
	assert.NotErrorIs(d, e, hawser.ErrAuth, "Dial to a server that hangs up")
}

func dialConcurrent(d *dialer) {
	err := each(4, 8, func(int) error {
		s, err := d.Dialer.Dial(d.ctx, d.Good)
		if err != nil {
			return err
		}
		return errors.Join(s.Ping(d.ctx), s.Close())
	})
	require.NoError(d, err, "four sessions at once: Dial, Ping, Close")
}

func dialLeaks(d *dialer) {
	check := leaks(d)
	s, err := d.Dialer.Dial(d.ctx, d.Good)
	require.NoError(d, err, "Dial")
	assert.NoError(d, s.Ping(d.ctx), "Ping")
	assert.NoError(d, s.Close(), "Close")
	_, err = d.Dialer.Dial(d.ctx, d.Denied)
	assert.Error(d, err, "Dial with a wrong password")
	_, err = d.Dialer.Dial(ended(d.ctx), d.Good)
	assert.Error(d, err, "Dial with an ended context")
	check()
}
