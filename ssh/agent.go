package ssh

import (
	"context"
	"fmt"
	"net"

	xssh "golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// An agentLink is a conversation with the running ssh-agent. It must stay
// open while its signers are in use.
type agentLink struct {
	conn    net.Conn
	signers []xssh.Signer
}

// openAgent asks the agent for its keys. ctx bounds openAgent, and the
// signing that follows: when it ends, the conversation is cut.
func openAgent(ctx context.Context) (*agentLink, error) {
	conn, err := dialAgent(ctx)
	if err != nil {
		return nil, fmt.Errorf("ssh-agent: %w", err)
	}
	context.AfterFunc(ctx, func() { _ = conn.Close() })
	signers, err := agent.NewClient(conn).Signers()
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("ssh-agent: %w", err)
	}
	return &agentLink{conn: conn, signers: signers}, nil
}

func (a *agentLink) close() {
	if a != nil {
		_ = a.conn.Close()
	}
}
