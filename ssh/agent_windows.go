package ssh

import (
	"context"
	"net"
	"os"

	"github.com/Microsoft/go-winio"
)

// agentPipe is where the agent of Windows' own OpenSSH listens.
const agentPipe = `\\.\pipe\openssh-ssh-agent`

// dialAgent reaches the agent that SSH_AUTH_SOCK names, else Windows' own.
func dialAgent(ctx context.Context) (net.Conn, error) {
	path := os.Getenv("SSH_AUTH_SOCK")
	if path == "" {
		path = agentPipe
	}
	return winio.DialPipeContext(ctx, path)
}
