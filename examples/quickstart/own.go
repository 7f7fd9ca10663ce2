package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/certs"
)

// readConnections reads an array of connections in their stored form.
func readConnections(file string) (*hawser.Memory, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var connections []hawser.Connection
	if err := json.Unmarshal(text, &connections); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	for i, c := range connections {
		if err := c.Validate(); err != nil {
			return nil, fmt.Errorf("%s: connection %d, %q: %w", file, i+1, c.Name, err)
		}
	}
	return hawser.NewMemory(connections...), nil
}

func defaultKnownHosts() string {
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".ssh", "known_hosts")
}

// openTrust opens the known_hosts file; one that is not there yet is made when
// the first key is accepted for good.
func openTrust(knownHosts string) (certs.Store, error) {
	if knownHosts == "" {
		return certs.Memory(), nil
	}
	return certs.KnownHosts(knownHosts)
}

// askOn asks about an unknown or changed host key on the terminal.
func askOn(in io.Reader, out io.Writer) certs.Asker {
	lines := bufio.NewScanner(in)
	return func(_ context.Context, q certs.Question) (certs.Answer, error) {
		fmt.Fprintf(out, "   %s shows the host key %s %s, which is %s.\n", q.Addr, q.KeyType(), q.Fingerprint, q.Reason)
		for _, known := range q.Known {
			fmt.Fprintf(out, "   Known so far: %s\n", known)
		}
		fmt.Fprint(out, "   Compare it with the server's. Trust it? [y]es once, [a]lways, [N]o: ")
		if !lines.Scan() {
			return certs.Deny, lines.Err()
		}
		switch strings.ToLower(strings.TrimSpace(lines.Text())) {
		case "y", "yes":
			return certs.AcceptOnce, nil
		case "a", "always":
			return certs.AcceptAlways, nil
		}
		return certs.Deny, nil
	}
}
