// Quickstart shows hawser at work: two stored connections, a file that goes to
// a server and comes back the same, a command, and the wire log.
//
//	go run ./examples/quickstart
//
// starts servers of its own on the loopback interface, so it needs Go alone.
//
//	go run ./examples/quickstart -connections connections.json -use bank
//
// does the same against your own: the file is a JSON array of connections in
// their stored form. Host keys are looked up in your known_hosts, and an
// unknown one is asked about.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/standard"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

// options are the flags of the program.
type options struct {
	connections, use string // "": embedded servers
	knownHosts       string
	dir, command     string
	size             int64 // bytes
}

func parse(args []string, out io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.StringVar(&o.connections, "connections", "", "JSON `file` with an array of your own connections")
	flags.StringVar(&o.use, "use", "", "`name` of the connection to use")
	flags.StringVar(&o.knownHosts, "known-hosts", defaultKnownHosts(), "known_hosts `file` that says whom to trust")
	flags.StringVar(&o.dir, "dir", ".", "remote `directory` to work in")
	flags.StringVar(&o.command, "command", "uname -a", "`line` to run on a connection of protocol ssh")
	mib := flags.Int64("size", 64, "size of the file in `MiB`")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	o.size = *mib << 20
	if (o.connections == "") != (o.use == "") || flags.NArg() > 0 || *mib < 0 {
		flags.Usage()
		return o, errors.New("want -connections together with -use, or neither")
	}
	return o, nil
}

func run(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	o, err := parse(args, out)
	if err != nil {
		return err
	}
	if o.connections != "" {
		return runOwn(ctx, o, in, out)
	}
	return runEmbedded(ctx, o, out)
}

// runEmbedded stores two connections to servers of this process and uses both.
func runEmbedded(ctx context.Context, o options, out io.Writer) error {
	servers, err := startServers()
	if err != nil {
		return err
	}
	defer servers.close()

	// A Registry says what a name means. This one lives in memory.
	connections := hawser.NewMemory(servers.files(), servers.shell())
	// A Manager opens sessions by name, to servers that the trust store knows.
	m := standard.New(connections, standard.Options{Trust: servers.trust})
	defer m.Close()

	s := &story{m: m, out: out, options: o}
	if err := s.showConnection(ctx, connections, "files"); err != nil {
		return err
	}
	if err := s.moveFile(ctx, "files", servers.checksum(s)); err != nil {
		return err
	}
	return s.refuseStranger(ctx, servers.stranger())
}

// runOwn does what the user's own connection can do.
func runOwn(ctx context.Context, o options, in io.Reader, out io.Writer) error {
	connections, err := readConnections(o.connections)
	if err != nil {
		return err
	}
	trust, err := openTrust(o.knownHosts)
	if err != nil {
		return err
	}
	m := standard.New(connections, standard.Options{Trust: trust, Ask: askOn(in, out)})
	defer m.Close()

	s := &story{m: m, out: out, options: o}
	if err := s.showConnection(ctx, connections, o.use); err != nil {
		return err
	}
	c, err := connections.Lookup(ctx, o.use)
	if err != nil {
		return err
	}
	if c.Protocol == hawser.SSH {
		return s.runCommand(ctx, o.use, o.command)
	}
	return s.moveFile(ctx, o.use, nil)
}
