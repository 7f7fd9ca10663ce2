//go:build !windows

package ssh

import (
	"context"
	"errors"
	"net"
	"os"
)

// dialAgent reaches the agent that SSH_AUTH_SOCK names.
func dialAgent(ctx context.Context) (net.Conn, error) {
	path := os.Getenv("SSH_AUTH_SOCK")
	if path == "" {
		return nil, errors.New("SSH_AUTH_SOCK is not set; start an agent with `eval $(ssh-agent)` and add keys with ssh-add")
	}
	var d net.Dialer
	return d.DialContext(ctx, "unix", path)
}
