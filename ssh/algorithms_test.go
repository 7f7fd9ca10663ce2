package ssh_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	xssh "golang.org/x/crypto/ssh"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/ssh"
)

func TestServersWithOldAlgorithmsOnly(t *testing.T) {
	t.Parallel()
	signer, ok := newRSA(t).(xssh.AlgorithmSigner)
	require.True(t, ok)
	sha1, err := xssh.NewSignerWithAlgorithms(signer, []string{xssh.KeyAlgoRSA})
	require.NoError(t, err)
	for _, row := range []struct {
		name   string
		config testserver.SSHConfig
		want   string // in the error
	}{
		{"key exchange", testserver.SSHConfig{ServerConfig: func(c *xssh.ServerConfig) {
			c.KeyExchanges = []string{"diffie-hellman-group14-sha1"}
		}}, "diffie-hellman-group14-sha1"},
		{"ciphers", testserver.SSHConfig{ServerConfig: func(c *xssh.ServerConfig) { c.Ciphers = []string{"aes128-cbc"} }}, "aes128-cbc"},
		{"MACs", testserver.SSHConfig{ServerConfig: func(c *xssh.ServerConfig) {
			c.Ciphers, c.MACs = []string{"aes128-ctr"}, []string{"hmac-sha1"}
		}}, "hmac-sha1"},
		{"host key", testserver.SSHConfig{HostKeys: []xssh.Signer{sha1}}, "ssh-rsa"},
	} {
		for _, profile := range []string{"", "modern"} {
			t.Run(row.name+": the profile "+profile+" says what is missing and what to do", func(t *testing.T) {
				t.Parallel()
				c := to(start(t, row.config))
				c.SSH.Algorithms = profile
				err := refused(t, ssh.Dialer{}, c)
				assert.Equal(t, hawser.PhaseTrust, err.Phase)
				assert.False(t, hawser.Retryable(err))
				assert.NotErrorIs(t, err, hawser.ErrLost)
				if row.name != "MACs" || profile != "modern" { // which has no cipher that needs one
					assert.ErrorContains(t, err, row.want)
				}
				assert.ErrorContains(t, err, `ssh.algorithms to "legacy"`)
				var mismatch *xssh.AlgorithmNegotiationError
				assert.ErrorAs(t, err, &mismatch)
			})
		}
		t.Run(row.name+": the profile legacy reaches it", func(t *testing.T) {
			t.Parallel()
			c := to(start(t, row.config))
			c.SSH.Algorithms = "legacy"
			s := login(t, c)
			assert.Contains(t, s.Algorithms(), row.want)
		})
	}
	t.Run("legacy is not told to be legacy", func(t *testing.T) {
		t.Parallel()
		c := to(start(t, testserver.SSHConfig{HostKeys: []xssh.Signer{sha1}, ServerConfig: func(c *xssh.ServerConfig) {
			c.SetDefaults()
			c.MACs, c.Ciphers = []string{"hmac-sha1"}, []string{"nothing"}
		}}))
		c.SSH.Algorithms = "legacy"
		assert.NotContains(t, refused(t, ssh.Dialer{}, c).Error(), `to "legacy"`)
	})
}

func TestAlgorithmsNamesWhatWasNegotiated(t *testing.T) {
	t.Parallel()
	s := login(t, to(start(t, testserver.SSHConfig{ServerConfig: func(c *xssh.ServerConfig) {
		c.ServerVersion = "SSH-2.0-odd"
		c.KeyExchanges, c.Ciphers, c.MACs = []string{"curve25519-sha256"}, []string{"aes128-ctr"}, []string{"hmac-sha2-256"}
	}})))
	assert.Equal(t, "SSH-2.0-odd, curve25519-sha256, ssh-ed25519, aes128-ctr, hmac-sha2-256", s.Algorithms())
}
