package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/hawser/hawser"
)

// A job is what to do, how often, and the name of the connection to do it on.
type job struct {
	name       string
	connection string
	every      int // ticks
	do         func(ctx context.Context, m *hawser.Manager, connection string) (result string, err error)
}

// A scheduler runs the jobs that are due, side by side. Time comes in ticks, and
// a tick waits for the runs of the one before. One goroutine uses it.
type scheduler struct {
	m     *hawser.Manager
	jobs  []job
	every time.Duration // from tick to tick; 0: one follows the other at once
	out   io.Writer

	tick, runs, failed int

	mu      sync.Mutex        // guards servers
	servers map[string]string // by connection, the address where its latest session was opened
}

func newScheduler(m *hawser.Manager, every time.Duration, out io.Writer, jobs ...job) *scheduler {
	return &scheduler{m: m, every: every, out: out, jobs: jobs, servers: map[string]string{}}
}

// ticks lets n ticks pass. A job that fails stops neither the others nor its
// own next run; the error is ctx's alone.
func (s *scheduler) ticks(ctx context.Context, n int) error {
	var clock <-chan time.Time
	if s.every > 0 {
		ticker := time.NewTicker(s.every)
		defer ticker.Stop()
		clock = ticker.C
	}
	for range n {
		if err := wait(ctx, clock); err != nil {
			return err
		}
		s.tick++
		s.runDue(ctx)
	}
	return ctx.Err()
}

// wait waits for the clock, if there is one.
func wait(ctx context.Context, clock <-chan time.Time) error {
	if clock == nil {
		return ctx.Err()
	}
	select {
	case <-clock:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// runDue runs each job that is due in a goroutine of its own, waits for all,
// and reports in the order of the table.
func (s *scheduler) runDue(ctx context.Context) {
	lines := make([]func(), len(s.jobs))
	var running sync.WaitGroup
	for i, j := range s.jobs {
		if s.tick%j.every == 0 {
			running.Go(func() { lines[i] = s.run(ctx, j) })
		}
	}
	running.Wait()
	for _, line := range lines {
		if line != nil {
			line()
		}
	}
}

// run runs j and returns what reports that.
func (s *scheduler) run(ctx context.Context, j job) (report func()) {
	ctx = hawser.WithTrace(ctx, &hawser.Trace{Step: s.step})
	result, err := j.do(ctx, s.m, j.connection)
	if err != nil {
		result = "FAILED: " + err.Error()
	}
	server := s.server(j.connection)
	return func() {
		s.runs++
		if err != nil {
			s.failed++
		}
		fmt.Fprintf(s.out, "tick %d  %-8s %-8s at %s  %s\n", s.tick, j.name, j.connection, server, result)
	}
}

// step is the hook of a hawser.Trace. A run that is given a session that was
// open already sees no such step: then the address is that of the run before.
func (s *scheduler) step(connection string, step hawser.Step) {
	if step.Phase != hawser.PhaseConnect || step.Err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.servers[connection] = step.Detail
}

func (s *scheduler) server(connection string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if server, ok := s.servers[connection]; ok {
		return server
	}
	return "no server"
}

// sessions tells how few the runs needed.
func (s *scheduler) sessions() {
	fmt.Fprintf(s.out, "\n%d runs so far took\n", s.runs)
	for _, pool := range s.m.Stats() {
		fmt.Fprintf(s.out, "  %d sessions to %s, which were used again %d times\n", pool.Opened, pool.Server, pool.Reused)
	}
}

// shutDown ends the Manager while last is at work: that job comes to its end,
// and nothing new is opened.
func (s *scheduler) shutDown(ctx context.Context, last job) error {
	s.tick++
	fmt.Fprintf(s.out, "\nShutdown, while the job %q is at work:\n", last.name)
	atWork, ended := make(chan struct{}), make(chan struct{})
	begin := sync.OnceFunc(func() { close(atWork) })
	var report func()
	go func() { // waited for below
		defer close(ended)
		working := hawser.WithTrace(ctx, &hawser.Trace{Progress: func(string, int64, int64) { begin() }})
		report = s.run(working, last)
	}()
	select {
	case <-atWork:
	case <-ended: // it failed before it had a session
	}

	// After an interrupt, too, the job has a while to come to its end.
	const patience = 10 * time.Second
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	err := s.m.Shutdown(ctx)
	<-ended
	report()
	if err != nil {
		return err
	}
	_, err = s.m.Open(ctx, last.connection)
	if !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("opened after Shutdown: %w", err)
	}
	fmt.Fprintf(s.out, "A run after it is refused: %v\n", err)
	return nil
}

// failures is an error if runs failed.
func (s *scheduler) failures() error {
	if s.failed == 0 {
		return nil
	}
	return fmt.Errorf("of %d runs %d failed", s.runs, s.failed)
}
