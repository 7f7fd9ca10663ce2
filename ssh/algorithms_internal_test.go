package ssh

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// old is what nothing but the profile legacy may offer.
var old = []string{"sha1", "cbc", "arcfour", "rc4", "md5", "ssh-dss", "group1-"}

func TestProfiles(t *testing.T) {
	t.Parallel()
	offered := func(p profile) map[string][]string {
		return map[string][]string{
			"kex": p.kex, "ciphers": p.ciphers, "macs": p.macs, "host keys": p.hostKeys, "signatures": p.signatures,
		}
	}
	for _, name := range []string{"", "modern"} {
		for kind, names := range offered(profileOf(name)) {
			t.Run("profile "+name+" offers no old "+kind, func(t *testing.T) {
				t.Parallel()
				assert.NotEmpty(t, names)
				for _, algorithm := range names {
					assert.NotEqual(t, "ssh-rsa", algorithm)
					assert.False(t, strings.HasPrefix(algorithm, "ssh-rsa-cert"), algorithm)
					for _, part := range old {
						assert.NotContains(t, algorithm, part)
					}
				}
			})
		}
	}
	for _, row := range []struct{ profile, kind, has, hasNot string }{
		{"", "kex", "diffie-hellman-group14-sha256", "diffie-hellman-group14-sha1"},
		{"", "kex", "mlkem768x25519-sha256", "diffie-hellman-group1-sha1"},
		{"", "ciphers", "aes128-ctr", "aes128-cbc"},
		{"", "macs", "hmac-sha2-256", "hmac-sha1"},
		{"", "host keys", "rsa-sha2-256", "ssh-rsa"},
		{"", "signatures", "rsa-sha2-512", "ssh-rsa"},
		{"modern", "kex", "curve25519-sha256", "diffie-hellman-group14-sha256"},
		{"modern", "ciphers", "aes256-gcm@openssh.com", "aes256-ctr"},
		{"modern", "macs", "hmac-sha2-256-etm@openssh.com", "hmac-sha2-256"},
		{"legacy", "kex", "diffie-hellman-group1-sha1", "none"},
		{"legacy", "ciphers", "aes128-cbc", "none"},
		{"legacy", "ciphers", "aes256-gcm@openssh.com", "none"},
		{"legacy", "macs", "hmac-sha1-96", "none"},
		{"legacy", "host keys", "ssh-rsa", "none"},
		{"legacy", "signatures", "ssh-rsa", "none"},
	} {
		t.Run("profile "+row.profile+" has "+row.has+" and not "+row.hasNot, func(t *testing.T) {
			t.Parallel()
			names := offered(profileOf(row.profile))[row.kind]
			assert.Contains(t, names, row.has)
			assert.NotContains(t, names, row.hasNot)
		})
	}
	t.Run("legacy begins with what is safe", func(t *testing.T) {
		t.Parallel()
		safe, legacy := profileOf(""), profileOf("legacy")
		assert.Equal(t, safe.kex[0], legacy.kex[0])
		assert.Equal(t, safe.ciphers[0], legacy.ciphers[0])
		assert.Equal(t, safe.macs[0], legacy.macs[0])
		assert.Equal(t, safe.hostKeys[0], legacy.hostKeys[0])
		assert.Equal(t, safe.signatures[0], legacy.signatures[0])
	})
	for _, name := range []string{"modern", "", "legacy"} {
		p := profileOf(name)
		t.Logf("profile %q\n\tkex %v\n\tciphers %v\n\tmacs %v\n\thost keys %v\n\tsignatures %v", name, p.kex, p.ciphers, p.macs, p.hostKeys, p.signatures)
	}
}
