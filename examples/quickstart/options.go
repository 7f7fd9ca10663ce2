package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// options are the flags of the program.
type options struct {
	connections, use string // "": embedded servers
	knownHosts       string // "": nothing is remembered
	dir, command     string
	from, to         string // of a mail; from "": the user
	size             int64  // bytes
}

func parse(args []string, out io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // main prints the error; only help goes to out
	flags.StringVar(&o.connections, "connections", "", "JSON `file` with an array of your own connections")
	flags.StringVar(&o.use, "use", "", "`name` of the connection to use")
	flags.StringVar(&o.knownHosts, "known-hosts", defaultKnownHosts(), "known_hosts `file` that says whom to trust")
	flags.StringVar(&o.dir, "dir", ".", "remote `directory` to work in, for a connection to files")
	flags.StringVar(&o.command, "command", "uname -a", "`line` to run on a connection of protocol ssh")
	flags.StringVar(&o.to, "to", "", "`address` to send a mail to, by a connection of protocol smtp")
	flags.StringVar(&o.from, "from", "", "`address` that it is from; the user of the connection if left out")
	mib := flags.Int64("size", 64, "size of the file in `MiB`")
	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		flags.SetOutput(out)
		flags.Usage()
	}
	if err != nil {
		return o, err
	}
	const largest = 1 << 20 // MiB, a TiB
	switch {
	case flags.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q; -h lists the flags", flags.Arg(0))
	case (o.connections == "") != (o.use == ""):
		return o, errors.New("-connections and -use go together: the file, and which of it to use")
	case *mib < 0 || *mib > largest:
		return o, fmt.Errorf("-size %d: want 0 to %d MiB", *mib, largest)
	}
	o.size = *mib << 20
	return o, nil
}

// defaultKnownHosts is where ssh keeps it. It need not be there.
func defaultKnownHosts() string {
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".ssh", "known_hosts")
}
