package hawser

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"
)

// A Report says how far a test of a connection came.
type Report struct {
	Name  string
	Steps []Step // in the order in which they ended
	Err   error  // why the test failed; nil if every step went well
}

// A Step is one part of opening a session.
type Step struct {
	Phase  Phase
	Hop    string // the jump host that the step is of, in a Report; "": the connection itself
	Took   time.Duration
	Detail string // "SSH-2.0-OpenSSH_9.2", "SHA256:...", without secrets
	Err    error
}

// testing is how many connections TestAll tests at once.
const testing = 8

// Test goes through every step of reaching c, saved or not: lookup, which
// validates c and looks up the connections that its Via leads to, secrets, resolve,
// connect, host key, login, and a probe, which lists the login directory of a
// FileSystem and pings anything else. The session is closed afterwards. The
// steps are in the Report, up to the one that failed.
func (m *Manager) Test(ctx context.Context, c Connection) Report {
	r := &recorder{name: c.Name}
	ctx = WithTrace(ctx, &Trace{Step: r.add})
	err := m.test(ctx, c)
	return Report{Name: c.Name, Steps: r.take(), Err: err}
}

func (m *Manager) test(ctx context.Context, c Connection) error {
	start := time.Now()
	c = c.Clone()
	err := m.complete(ctx, &c)
	reportStep(ctx, c.Name, Step{Phase: PhaseLookup, Took: time.Since(start), Err: err})
	if err != nil {
		return err
	}
	s, err := m.single(ctx, c)
	if err != nil {
		return err
	}
	defer s.Close()
	start = time.Now()
	detail, err := probe(ctx, s)
	if err != nil {
		err = &Error{Op: "test", Phase: PhaseProbe, Name: c.Name, Protocol: c.Protocol, Addr: c.Addr(), Err: err}
	}
	reportStep(ctx, c.Name, Step{Phase: PhaseProbe, Took: time.Since(start), Detail: detail, Err: err})
	return err
}

func probe(ctx context.Context, s Session) (string, error) {
	fsys, ok := As[FileSystem](s)
	if !ok {
		return "", s.Ping(ctx)
	}
	entries := 0
	for _, err := range fsys.ReadDir(ctx, ".") {
		if err != nil {
			return "", err
		}
		entries++
	}
	return fmt.Sprintf("%d entries in the login directory", entries), nil
}

// TestAll tests every connection of the Registry, a few at a time, and yields
// each Report as it comes in. A Registry that fails yields a Report of its
// error alone. Breaking out of the loop ends the tests that still run.
func (m *Manager) TestAll(ctx context.Context) iter.Seq[Report] {
	return func(yield func(Report) bool) {
		ctx, cancel := context.WithCancel(ctx)
		var workers sync.WaitGroup
		reports := make(chan Report)
		workers.Go(func() { m.testEach(ctx, &workers, reports) })
		go func() { // ends with the last worker, whom the drain below lets go
			workers.Wait()
			close(reports)
		}()
		defer func() {
			cancel()
			for range reports {
			}
		}()
		for report := range reports {
			if !yield(report) {
				return
			}
		}
	}
}

// testEach starts a worker for each connection, as many at once as testing.
func (m *Manager) testEach(ctx context.Context, workers *sync.WaitGroup, reports chan<- Report) {
	if m.Registry == nil {
		reports <- Report{Err: errors.New("manager has no Registry")}
		return
	}
	places := make(chan struct{}, testing)
	for c, err := range m.Registry.All(ctx) {
		if err != nil {
			reports <- Report{Err: &Error{Op: "test", Phase: PhaseLookup, Err: err}}
			return
		}
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
			return
		}
		workers.Go(func() {
			defer func() { <-places }()
			reports <- m.Test(ctx, c)
		})
	}
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
	r.mu.Lock()
	defer r.mu.Unlock()
	r.steps = append(r.steps, s)
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
