// Scheduler is a small job runner. Its jobs name a connection and know nothing
// else of the server; the connections are in a file. While jobs run, an
// administrator edits the definition of one; the next run of every job follows.
//
//	go run ./examples/scheduler
//	go run ./examples/scheduler -every 500ms
//
// It starts servers of its own on the loopback interface, so it needs Go alone,
// and ends by itself.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/certs"
	"github.com/hawser/hawser/standard"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "scheduler:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	every, err := parse(args, out)
	if err != nil {
		return err
	}
	servers, err := startServers()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, servers.close()) }()
	trust, err := trustIn(ctx, servers.before, servers.after, servers.host)
	if err != nil {
		return err
	}
	login := hawser.Auth{User: servers.user, Password: hawser.NewSecret(servers.password)}
	connections, err := store(
		ctx,
		hawser.Connection{Name: "partner", Protocol: hawser.SFTP, Host: servers.before.name, Port: servers.before.port, Auth: login},
		hawser.Connection{Name: "host", Protocol: hawser.SSH, Host: servers.host.name, Port: servers.host.port, Auth: login},
	)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, connections.close()) }()
	m := standard.New(connections, standard.Options{Trust: trust})
	defer func() { err = errors.Join(err, m.Close()) }() // after a Shutdown it closes nothing more

	s := newScheduler(m, every, out,
		job{name: "collect", connection: "partner", every: 1, do: collect},
		job{name: "deliver", connection: "partner", every: 2, do: deliver},
		job{name: "check", connection: "host", every: 3, do: check},
	)
	return tell(ctx, s, connections, servers.after.port)
}

// tell runs the jobs before and after an edit, and ends while one is at work.
func tell(ctx context.Context, s *scheduler, connections *stored, newPort uint16) error {
	ctx, cancel := context.WithCancel(ctx)
	var watching sync.WaitGroup
	defer watching.Wait()
	defer cancel()
	// The subscription stands from here on, so that no change is missed.
	changes, err := connections.Watch(ctx)
	if err != nil {
		return err
	}
	changed := make(chan hawser.Connection)
	watching.Go(func() { follow(ctx, connections, changes, changed) })

	if err := s.ticks(ctx, 3); err != nil {
		return err
	}
	a := admin{m: s.m, connections: connections, changed: changed, out: s.out}
	if err := a.move(ctx, "partner", newPort); err != nil {
		return err
	}
	if err := s.ticks(ctx, 3); err != nil {
		return err
	}
	s.sessions()
	if err := s.shutDown(ctx, job{name: "backup", connection: "partner", do: backup}); err != nil {
		return err
	}
	return s.failures()
}

// parse returns the time between two ticks.
func parse(args []string, out io.Writer) (time.Duration, error) {
	flags := flag.NewFlagSet("scheduler", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // main prints the error; only help goes to out
	every := flags.Duration("every", 0, "`time` between two ticks; 0 lets one follow the other at once")
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		flags.SetOutput(out)
		flags.Usage()
	case err == nil && flags.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q; -h lists the flags", flags.Arg(0))
	case err == nil && *every < 0:
		err = fmt.Errorf("-every %s: want 0 or more", *every)
	}
	return *every, err
}

// trustIn returns a store of the host keys that the servers are known to have.
func trustIn(ctx context.Context, servers ...address) (certs.Store, error) {
	trust := certs.Memory()
	for _, server := range servers {
		if err := trust.Add(ctx, certs.Pin{Addr: server.addr, Fingerprint: server.fingerprint}); err != nil {
			return nil, err
		}
	}
	return trust, nil
}
