package ssh_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	xssh "golang.org/x/crypto/ssh"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/ssh"
)

// Not parallel: it sets SSH_AUTH_SOCK.
func TestOpenSSHLoginByAgent(t *testing.T) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	key, err := xssh.NewPublicKey(public)
	require.NoError(t, err)
	server := testserver.OpenSSH(t, testserver.OpenSSHConfig{AuthorizedKeys: []xssh.PublicKey{key}})
	startAgent(t, &private)
	c := real(server)
	c.Auth.Agent = true
	s, err := ssh.Dialer{}.Open(t.Context(), c)
	require.NoError(t, err)
	var out strings.Builder
	require.NoError(t, s.Run(t.Context(), &hawser.Command{Line: "id -un", Stdout: &out}))
	assert.Equal(t, user+"\n", out.String())
	assert.Equal(t, "ssh session with "+c.Addr(), fmt.Sprintf("%+v", s))
	require.NoError(t, s.Close())
}
