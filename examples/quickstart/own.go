package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/certs"
	"github.com/hawser/hawser/standard"
)

// runOwn does what the user's own connection can do.
func runOwn(ctx context.Context, o options, in io.Reader, out io.Writer) (err error) {
	connections, err := readConnections(ctx, o.connections)
	if err != nil {
		return err
	}
	c, err := connections.Lookup(ctx, o.use)
	if err != nil {
		return err
	}
	trust, err := openTrust(o.knownHosts)
	if err != nil {
		return err
	}
	screen := newScreen(out)
	m := standard.New(connections, standard.Options{Trust: trust, Ask: newPrompt(in, screen.out).ask})
	defer func() { err = errors.Join(err, m.Close()) }()

	s := &story{m: m, options: o, screen: screen}
	if err := s.showConnection(ctx, c); err != nil {
		return err
	}
	// There is a wire log to show even where the stored definition says that
	// none is wanted. The user's file stays as it is.
	c.Log = hawser.Log{Outgoing: true, Incoming: true}
	if _, err := connections.Put(ctx, c); err != nil {
		return err
	}
	switch c.Protocol {
	case hawser.SSH:
		return s.runCommand(ctx, c.Name, o.command, io.Discard)
	case hawser.SMTP:
		return s.mailOwn(ctx, c)
	}
	return s.moveFile(ctx, c.Name, nil)
}

// readConnections reads an array of connections in their stored form.
func readConnections(ctx context.Context, file string) (*hawser.Memory, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var read []hawser.Connection
	if err := json.Unmarshal(text, &read); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	connections := &hawser.Memory{}
	for i, c := range read {
		// Put, unlike NewMemory, refuses what is not valid, has no name, or has
		// the name of another.
		if _, err := connections.Put(ctx, c); err != nil {
			return nil, fmt.Errorf("%s: connection %d, %q:\n%w", file, i+1, c.Name, err)
		}
	}
	return connections, nil
}

// openTrust opens the known_hosts file. One that is not there is empty, and is
// made when the first key is accepted for good.
func openTrust(knownHosts string) (certs.Store, error) {
	if knownHosts == "" {
		return certs.Memory(), nil
	}
	return certs.KnownHosts(knownHosts)
}
