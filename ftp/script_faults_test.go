package ftp_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/ftp"
	"github.com/hawser/hawser/internal/testcert"
	"github.com/hawser/hawser/internal/testserver"
)

// A tally counts what was run, and how long the slowest took.
type tally struct {
	mu      sync.Mutex
	runs    map[string]int
	slowest map[string]time.Duration
}

func (y *tally) add(kind string, took time.Duration) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.runs == nil {
		y.runs, y.slowest = map[string]int{}, map[string]time.Duration{}
	}
	y.runs[kind]++
	y.slowest[kind] = max(y.slowest[kind], took)
}

// log tells all of it when the test and its parallel subtests are over.
func (y *tally) log(t *testing.T) {
	t.Cleanup(func() {
		var kinds []string
		for kind := range y.runs {
			kinds = append(kinds, kind)
		}
		slices.Sort(kinds)
		for _, kind := range kinds {
			t.Logf("%-44s %5d runs, slowest return %v", kind, y.runs[kind], y.slowest[kind].Round(time.Millisecond))
		}
	})
}

// faultName is for messages.
func faultName(f testserver.FTPFault) string {
	names := map[testserver.Fault]string{
		testserver.Pass: "none", testserver.Stall: "stall", testserver.Cut: "cut", testserver.Reset: "reset", testserver.Garble: "garble",
	}
	return names[f.Fault]
}

// A bench is what the runs of a test share.
type bench struct {
	tally tally
	id    *testserver.Identity
	ca    string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	id, err := testserver.NewIdentity()
	require.NoError(t, err)
	b := &bench{id: id, ca: testcert.File(t, "ca.pem", id.PEM())}
	b.tally.log(t)
	return b
}

// script is x with a login in front and the probe behind.
func (b *bench) script(x exchange) testserver.FTPScript {
	s := testserver.FTPScript{Identity: b.id, Implicit: x.tls == hawser.TLSImplicit}
	login := loginSteps(x.features...)
	if x.tls != hawser.TLSNone && x.tls != "" {
		login = secureSteps(x.tls, x.features...)
	}
	s.Steps = slices.Concat(login, x.steps, probeSteps())
	return s
}

// loginBytes is where the replies of x begin.
func (b *bench) loginBytes(x exchange) int64 {
	steps := b.script(x).Steps
	return steps[:len(steps)-len(x.steps)-len(probeSteps())].ReplyBytes()
}

// A patience ends a context as soon as a fault has struck that may leave the
// client waiting, and tells when.
type patience struct {
	context.Context
	cancel context.CancelFunc
	stop   chan struct{}
	done   sync.WaitGroup
	ended  time.Time // when ctx ended; zero: it did not
}

// wait ends the context some time after f was struck.
func wait(ctx context.Context, f *testserver.ScriptedFTP, grace time.Duration) *patience {
	p := &patience{stop: make(chan struct{})}
	p.Context, p.cancel = context.WithCancel(ctx)
	p.done.Go(func() {
		tick := time.NewTicker(200 * time.Microsecond)
		defer tick.Stop()
		for !f.Struck() {
			select {
			case <-tick.C:
			case <-p.stop:
				return
			}
		}
		select {
		case <-time.After(grace):
			p.ended = time.Now()
			p.cancel()
		case <-p.stop:
		}
	})
	return p
}

// over returns how long the client took, since the context ended or since start.
func (p *patience) over(start time.Time) (took time.Duration) {
	end := time.Now()
	close(p.stop)
	p.done.Wait()
	p.cancel()
	if !p.ended.IsZero() {
		start = p.ended
	}
	return end.Sub(start)
}

// grace is how long a client may go on after fault, before its context ends. Cuts
// it has to notice by itself.
func grace(fault testserver.Fault) time.Duration {
	switch fault {
	case testserver.Stall:
		return 0
	case testserver.Garble:
		return 100 * time.Millisecond
	}
	return time.Hour
}

// A run is what came of one fault.
type run struct {
	where string
	err   error
	s     *ftp.Session // nil: it did not open
	ctx   *patience
	f     *testserver.ScriptedFTP
	log   *overheard
}

// strike runs x with one fault.
func (b *bench) strike(t *testing.T, x exchange, fault testserver.FTPFault, split int) run {
	t.Helper()
	script := b.script(x)
	script.Fault, script.Split = fault, split
	f := script.Start(lenient{t})
	c := scripted(t, f.Addr(), "")
	if x.tls != hawser.TLSNone && x.tls != "" {
		c.TLS.Mode, c.TLS.Roots = x.tls, b.ca
	}
	c.FTP.Mode = x.mode
	if x.mode == hawser.Active {
		c.Timeout = time.Second // the wait for the server to connect ends with it
	}
	r := run{where: fmt.Sprintf("%s: %s after %d bytes", x.name, faultName(fault), fault.After), f: f, log: &overheard{}}
	r.ctx = wait(r.log.in(t.Context()), f, grace(fault.Fault))
	start := time.Now()
	r.s, r.err = ftp.Dialer{}.Open(r.ctx, c)
	if r.err == nil && x.run != nil {
		r.err = x.run(r.ctx, r.s, f)
	}
	took := r.ctx.over(start)
	b.tally.add(faultName(fault)+" in "+x.name, took)
	assert.Less(t, took, soon, r.where)
	assertNoSecret(t, r.where, r.log.String())
	return r
}

// close ends what strike began.
func (r run) close() {
	if r.s != nil {
		_ = r.s.Close()
	}
	_ = r.f.Close()
}

// check is what holds after any fault.
func (r run) check(t *testing.T, x exchange, fault testserver.Fault) {
	t.Helper()
	if fault != testserver.Garble || !x.told {
		require.NotErrorIs(t, r.err, errWrong, r.where)
	}
	if r.err != nil && !errors.Is(r.err, errWrong) {
		assertTyped(t, r.where, r.err)
	}
	switch fault {
	case testserver.Cut, testserver.Reset:
		require.Error(t, r.err, r.where)
		if r.s == nil {
			checkOpen(t, r.where, r.err)
			return
		}
	case testserver.Stall:
		require.ErrorIs(t, r.err, context.Canceled, r.where)
	}
	switch {
	case r.s == nil:
	case fault == testserver.Stall, errors.Is(r.err, hawser.ErrLost), !r.s.Reusable():
		assertEnded(t, r.where, r.s)
	case fault == testserver.Garble:
		assertInStep(t, r.where, r.s)
	default: // the data connection was noticed first
		require.ErrorIs(t, r.s.Ping(t.Context()), hawser.ErrLost, r.where)
		assertEnded(t, r.where, r.s)
	}
}

// checkOpen checks the error of a login that was cut. It may be tried again,
// but for what could have been a refusal.
func checkOpen(t *testing.T, where string, err error) {
	t.Helper()
	var e *hawser.Error
	require.ErrorAs(t, err, &e, where)
	assert.NotEmpty(t, e.Phase, where)
	assert.Equal(t, e.Phase != hawser.PhaseLogin, hawser.Retryable(err), "%s: %v", where, err)
	if e.Phase != hawser.PhaseConnect {
		require.ErrorIs(t, err, hawser.ErrLost, where)
	}
}

// faults are those of a stream of bytes.
func faults() []testserver.Fault {
	return []testserver.Fault{testserver.Cut, testserver.Reset, testserver.Stall, testserver.Garble}
}

// Whatever happens to a reply, wherever in it: an error of a type, in time, and a
// session that is in step or closed.
func TestFaultAtEveryByteOfTheReplies(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, x := range exchanges() {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			from := b.loginBytes(x)
			for after := from; after < from+x.steps.ReplyBytes(); after++ {
				for _, fault := range faults() {
					if fault == testserver.Stall && after == from {
						continue // it strikes behind the login, and the context ends before anything is asked
					}
					r := b.strike(t, x, testserver.FTPFault{Fault: fault, After: after}, 0)
					r.check(t, x, fault)
					r.close()
				}
			}
		})
	}
}

// logins are the ways to log in.
func logins() []exchange {
	features := []string{"MLST type*;size*;", "UTF8"}
	var all []exchange
	for _, mode := range []hawser.TLSMode{hawser.TLSNone, hawser.TLSExplicit, hawser.TLSImplicit} {
		all = append(all, exchange{name: "login " + string(mode), tls: mode, features: features})
	}
	return all
}

// Each byte in the clear; with TLS, whose handshakes take their time, each fifth.
func TestFaultAtEveryByteOfALogin(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, x := range logins() {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			step := int64(1)
			if x.tls != hawser.TLSNone {
				step = 5
			}
			for after := int64(0); after < b.loginBytes(x); after += step {
				for _, fault := range faults() {
					r := b.strike(t, x, testserver.FTPFault{Fault: fault, After: after}, 0)
					r.check(t, x, fault)
					r.close()
				}
			}
		})
	}
}

// A reply may come in any number of pieces.
func TestRepliesByteByByte(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, x := range append(exchanges(), logins()...) {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			r := b.strike(t, x, testserver.FTPFault{}, 1)
			require.NoError(t, r.err)
			assert.True(t, r.s.Reusable())
			assertInStep(t, r.where, r.s)
			r.close()
		})
	}
}
