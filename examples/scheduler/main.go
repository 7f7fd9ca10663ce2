// Scheduler is a small job runner. Its jobs name a connection and know nothing
// else of the server. While it runs, the definition of that connection is
// edited; the next run of every job follows.
//
//	go run ./examples/scheduler
//	go run ./examples/scheduler -every 1s
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/standard"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "scheduler:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("scheduler", flag.ContinueOnError)
	flags.SetOutput(out)
	every := flags.Duration("every", 0, "`time` between two runs")
	if err := flags.Parse(args); err != nil {
		return err
	}
	servers, err := startServers()
	if err != nil {
		return err
	}
	defer servers.close()

	connections := hawser.NewMemory(servers.partner())
	m := standard.New(connections, standard.Options{Trust: servers.trust})
	r := &runner{m: m, out: out, jobs: []job{
		{"collect", "partner", collect},
		{"deliver", "partner", deliver},
	}}
	if err := r.runs(ctx, 2, *every); err != nil {
		return err
	}
	if err := move(ctx, connections, m, servers.newPort(), out); err != nil {
		return err
	}
	if err := r.runs(ctx, 2, *every); err != nil {
		return err
	}
	return shutDown(ctx, m)
}

// move edits the connection as an administrator would: look at it, change it,
// test it before it is saved, save it.
func move(ctx context.Context, connections *hawser.Memory, m *hawser.Manager, port uint16, out io.Writer) error {
	fmt.Fprintf(out, "\nThe partner moves to port %d.\n", port)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	changes, err := connections.Watch(ctx) // from here on no change is missed
	if err != nil {
		return err
	}
	c, err := connections.Lookup(ctx, "partner")
	if err != nil {
		return err
	}
	stale := c.Clone()
	c.Port = port
	report := m.Test(ctx, c)
	if report.Err != nil {
		return report.Err
	}
	fmt.Fprintf(out, "  tested before it is saved: %d steps, all well\n", len(report.Steps))
	if _, err := connections.Put(ctx, c); err != nil {
		return err
	}
	for change, err := range changes {
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "  the registry tells of a change: %s\n", change.Name)
		break
	}
	// Somebody who edits what was read before the change overwrites nothing.
	_, err = connections.Put(ctx, stale)
	if !errors.Is(err, hawser.ErrConflict) {
		return fmt.Errorf("a stale edit was not refused: %w", err)
	}
	fmt.Fprintf(out, "  a stale edit is refused: %v\n\n", err)
	return nil
}

// shutDown lets jobs that still run come to their end, for a while.
func shutDown(ctx context.Context, m *hawser.Manager) error {
	const patience = 10 * time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return m.Shutdown(ctx)
}
