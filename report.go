package hawser

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// A Report says how far a test of a connection came.
type Report struct {
	Name  string
	Took  time.Duration // in all; 0: not measured
	Steps []Step        // in the order in which they ended
	Err   error         // why the test failed; nil if every step went well
}

// A Step is one part of opening a session. In a Report, one may lie within another:
// resolve within connect, data within probe.
type Step struct {
	Phase  Phase
	Hop    string // the jump host that the step is of, in a Report; "": the connection itself
	Took   time.Duration
	Detail string // "SSH-2.0-OpenSSH_9.2", "SHA256:...", without secrets
	Err    error
	Hint   string // what to do about Err, in a Report; see [Hint]
}

// Hint is what to do about r.Err, in one sentence. It is "" if the test went well,
// or if nothing is known that the error does not say.
func (r Report) Hint() string { return Hint(r.Err) }

// withHints is r, of a driver's, with the hint of each step.
func (r Report) withHints() Report {
	steps := make([]Step, len(r.Steps))
	for i, s := range r.Steps {
		s.Hint = Hint(s.Err)
		steps[i] = s
	}
	r.Steps = steps
	return r
}

// Test goes through every step of reaching c, saved or not: lookup, which
// validates c and looks up the connections that its Via leads to, secrets, resolve,
// connect, host key, login, and a probe, which lists the login directory of a
// FileSystem, with a data connection where that is ftp, and pings anything else.
// The steps are in the Report, up to the one that failed.
//
// Every test opens a session of its own, beside the pool, at the first attempt or
// not at all, and closes it. It takes a bounded time, also if ctx has no end: what a
// person takes to answer for a Verifier excepted, half a minute at most for each of
// lookup and secrets, Connection.Timeout for each jump host and for the login, and
// four times that for the probe.
//
// What an editor shows, which has no secrets, is tested after
// [Connection.WithSecretsOf]. A name is tested by [Manager.TestSaved].
func (m *Manager) Test(ctx context.Context, c Connection) Report {
	return m.report(ctx, c.Name, func(ctx context.Context) error {
		start := time.Now()
		c = c.Clone()
		limited, cancel := context.WithTimeout(ctx, lookupTimeout)
		err := m.complete(limited, &c)
		cancel()
		reportStep(ctx, c.Name, Step{Phase: PhaseLookup, Took: time.Since(start), Err: err})
		if err != nil {
			return err
		}
		return m.test(ctx, c)
	})
}

// TestSaved is [Manager.Test] of the connection that the Registry has under name.
func (m *Manager) TestSaved(ctx context.Context, name string) Report {
	return m.report(ctx, name, func(ctx context.Context) error {
		start := time.Now()
		limited, cancel := context.WithTimeout(ctx, lookupTimeout)
		c, err := m.lookupWhole(limited, name)
		cancel()
		reportStep(ctx, name, Step{Phase: PhaseLookup, Took: time.Since(start), Err: err})
		if err != nil {
			return err
		}
		return m.test(ctx, c)
	})
}

// report runs a test and notes its steps.
func (m *Manager) report(ctx context.Context, name string, test func(context.Context) error) Report {
	start := time.Now()
	r := &recorder{name: name}
	ctx = WithTrace(context.WithValue(ctx, onceKey{}, true), &Trace{Step: r.add})
	err := test(ctx)
	r.end(err)
	return Report{Name: name, Took: time.Since(start), Steps: r.take(), Err: err}
}

// onceKey marks the context of a test, in which a Retry does not try again: the
// answer is wanted now, and is about now.
type onceKey struct{}

// test opens a session to c, which is complete, and probes it.
func (m *Manager) test(ctx context.Context, c Connection) error {
	limited, cancel := context.WithTimeout(ctx, lookupTimeout)
	err := m.resolve(limited, &c)
	cancel()
	if err != nil {
		return err
	}
	s, err := m.Dialer.Dial(ctx, c)
	if err == nil {
		s, err = m.beside(s, c)
	}
	if err != nil {
		return err
	}
	defer s.Close()
	start := time.Now()
	detail, err := probe(ctx, s, 4*c.timeout())
	if err != nil {
		err = &Error{Op: "test", Phase: PhaseProbe, Name: c.Name, Protocol: c.Protocol, Addr: c.Addr(), Err: err}
	}
	reportStep(ctx, c.Name, Step{Phase: PhaseProbe, Took: time.Since(start), Detail: detail, Err: err})
	return err
}

// timeout is what c.Timeout means.
func (c Connection) timeout() time.Duration {
	if c.Timeout == 0 {
		return DefaultTimeout
	}
	return c.Timeout
}

// probe uses s for what it is for, within a time that a server which always says a
// little more cannot draw out.
func probe(ctx context.Context, s Session, most time.Duration) (string, error) {
	limited, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	detail, err := use(limited, s)
	if err != nil && errors.Is(limited.Err(), context.DeadlineExceeded) && ctx.Err() == nil {
		err = fmt.Errorf("not done within %v: %w", most, os.ErrDeadlineExceeded)
	}
	return detail, err
}

func use(ctx context.Context, s Session) (string, error) {
	fsys, ok := As[FileSystem](s)
	if !ok {
		return "", s.Ping(ctx)
	}
	const enough = 1000 // to know that it works
	entries := 0
	for _, err := range fsys.ReadDir(ctx, ".") {
		if err != nil {
			return "", err
		}
		if entries++; entries == enough {
			return fmt.Sprintf("%d entries in the login directory, or more", entries), nil
		}
	}
	return fmt.Sprintf("%d entries in the login directory", entries), nil
}

// recorder collects steps, which hooks may report concurrently.
type recorder struct {
	name string // of the connection

	mu    sync.Mutex // guards steps
	steps []Step
}

func (r *recorder) add(connection string, s Step) {
	if connection != r.name {
		s.Hop = connection
	}
	s.Hint = Hint(s.Err)
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.steps); n > 0 && s.repeats(r.steps[n-1]) {
		if s.Detail == "" {
			s.Detail = r.steps[n-1].Detail
		}
		r.steps = r.steps[:n-1]
	}
	r.steps = append(r.steps, s)
}

// end adds the step that ended the test by err, if it was told of none: not every
// driver tells.
func (r *recorder) end(err error) {
	for _, s := range r.take() {
		if err == nil || s.Err != nil && errors.Is(err, causeOf(s.Err)) {
			return
		}
	}
	var e *Error
	if errors.As(err, &e) {
		r.add(r.name, Step{Phase: e.Phase, Err: err})
	}
}

// repeats reports whether s is before once more: a Transport tells of its failure,
// and then the driver that was to use it.
func (s Step) repeats(before Step) bool {
	return s.Phase == before.Phase && s.Hop == before.Hop && before.Err != nil && errors.Is(s.Err, causeOf(before.Err))
}

func (r *recorder) take() []Step {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.steps
}

func reportStep(ctx context.Context, connection string, s Step) {
	for _, t := range ContextTraces(ctx) {
		if t.Step != nil {
			t.Step(connection, s)
		}
	}
}
