package sshkey_test

import (
	"bytes"
	"encoding/base64"
	"math/big"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/hawser/hawser/internal/sshkey"
)

func TestPPKIsRefusedWhenAnythingInItWasChanged(t *testing.T) {
	t.Parallel()
	plain := string(fixture(t, "ppk/ed25519-v3.ppk"))
	encrypted := string(fixture(t, "ppk/ed25519-v3-encrypted.ppk"))
	tests := map[string]struct {
		text, from, to string
		want           error
	}{
		"the comment":               {plain, "Comment: test", "Comment: Test", sshkey.ErrFormat},
		"a blank after the comment": {plain, ".ppk\n", ".ppk \n", sshkey.ErrFormat},
		"the key type":              {plain, "ssh-ed25519", "ssh-rsa", sshkey.ErrFormat},
		"the version":               {plain, "File-3", "File-2", sshkey.ErrFormat},
		"a version too old":         {plain, "File-3", "File-1", sshkey.ErrFormat},
		"a version too new":         {plain, "File-3", "File-4", sshkey.ErrFormat},
		"the cipher":                {plain, "Encryption: none", "Encryption: rot13", sshkey.ErrFormat},
		"a field is missing":        {plain, "Comment: ", "Note: ", sshkey.ErrFormat},
		"the MAC is missing":        {plain, "Private-MAC: ", "Private-MAC:\n", sshkey.ErrFormat},
		"the MAC is no number":      {plain, "Private-MAC: ", "Private-MAC: xy", sshkey.ErrFormat},
		"too few lines":             {plain, "Private-Lines: 1", "Private-Lines: 0", sshkey.ErrFormat},
		"too many lines":            {plain, "Private-Lines: 1", "Private-Lines: 300", sshkey.ErrFormat},
		"lines that eat memory":     {plain, "Private-Lines: 1", "Private-Lines: 2000000000", sshkey.ErrFormat},
		"no base64":                 {plain, "Private-Lines: 1\n", "Private-Lines: 1\n!", sshkey.ErrFormat},
		"the comment, encrypted":    {encrypted, "Comment: test", "Comment: Test", sshkey.ErrPassphraseWrong},
		"the salt":                  {encrypted, "Argon2-Salt: ", "Argon2-Salt: 00", sshkey.ErrPassphraseWrong},
		"the passes":                {encrypted, "Argon2-Passes: 3", "Argon2-Passes: 4", sshkey.ErrPassphraseWrong},
		"the flavour":               {encrypted, "Argon2id", "Argon2i", sshkey.ErrPassphraseWrong},
		"an unknown flavour":        {encrypted, "Argon2id", "scrypt", sshkey.ErrFormat},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Contains(t, test.text, test.from)
			_, err := sshkey.Parse([]byte(strings.Replace(test.text, test.from, test.to, 1)), []byte(fixturePassphrase))
			require.ErrorIs(t, err, test.want)
		})
	}
}

func TestPPKEncryptedPartMustBeWholeBlocks(t *testing.T) {
	t.Parallel()
	lines := regexp.MustCompile(`(?s)Private-Lines: .*Private-MAC`)
	text := lines.ReplaceAll(fixture(t, "ppk/ed25519-v2-encrypted.ppk"), []byte("Private-Lines: 1\nAAAA\nPrivate-MAC"))
	_, err := sshkey.Parse(text, []byte(fixturePassphrase))
	require.ErrorIs(t, err, sshkey.ErrFormat)
	assert.ErrorContains(t, err, "wrong length")
}

func TestHostileArgon2IsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	text := string(fixture(t, "ppk/ed25519-v3-encrypted.ppk"))
	for name, change := range map[string][]string{
		"memory of gigabytes":    {"Argon2-Memory: 1024", "Argon2-Memory: 4194304"},
		"memory that overflows":  {"Argon2-Memory: 1024", "Argon2-Memory: 99999999999999999999"},
		"no memory":              {"Argon2-Memory: 1024", "Argon2-Memory: 0"},
		"passes for hours":       {"Argon2-Passes: 3", "Argon2-Passes: 4000000000"},
		"no passes":              {"Argon2-Passes: 3", "Argon2-Passes: 0"},
		"negative passes":        {"Argon2-Passes: 3", "Argon2-Passes: -3"},
		"too many threads":       {"Argon2-Parallelism: 1", "Argon2-Parallelism: 256"},
		"no threads":             {"Argon2-Parallelism: 1", "Argon2-Parallelism: 0"},
		"memory times passes":    {"Argon2-Memory: 1024\nArgon2-Passes: 3", "Argon2-Memory: 262144\nArgon2-Passes: 4096"},
		"a salt that is no salt": {"Argon2-Salt: ", "Argon2-Salt: salt"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Contains(t, text, change[0])
			start := time.Now()
			_, err := sshkey.Parse([]byte(strings.Replace(text, change[0], change[1], 1)), []byte(fixturePassphrase))
			require.ErrorIs(t, err, sshkey.ErrFormat)
			assert.Less(t, time.Since(start), time.Second)
		})
	}
}

// ppkHalves returns the type and both halves of a plain PuTTY fixture.
func ppkHalves(t testing.TB, name string) (algorithm string, public, private []byte) {
	t.Helper()
	shape := regexp.MustCompile(`(?s)^PuTTY-User-Key-File-3: (\S+)\n.*Public-Lines: \d+\n(.*)\nPrivate-Lines: \d+\n(.*)\nPrivate-MAC`)
	found := shape.FindSubmatch(fixture(t, name))
	require.Len(t, found, 4)
	decode := func(lines []byte) []byte {
		blob, err := base64.StdEncoding.DecodeString(string(bytes.ReplaceAll(lines, []byte("\n"), nil)))
		require.NoError(t, err)
		return blob
	}
	return string(found[1]), decode(found[2]), decode(found[3])
}

var ppkPlainFixtures = []string{
	"ppk/rsa-v3.ppk", "ppk/dsa-v3.ppk", "ppk/ed25519-v3.ppk",
	"ppk/ecdsa256-v3.ppk", "ppk/ecdsa384-v3.ppk", "ppk/ecdsa521-v3.ppk",
}

// TestPPKHalvesMustBelongTogether uses files whose MAC is right, so that it is
// the key itself that is refused.
func TestPPKHalvesMustBelongTogether(t *testing.T) {
	t.Parallel()
	for _, name := range ppkPlainFixtures {
		algorithm, public, private := ppkHalves(t, name)
		changed := bytes.Clone(private)
		changed[len(changed)-1] ^= 1
		if algorithm == ssh.KeyAlgoRSA {
			// The last number of RSA is derived from the others and not read, so change d.
			changed = bytes.Clone(private)
			changed[8] ^= 1
		}
		for rule, test := range map[string]struct {
			private []byte
			fails   bool
		}{
			"as it was":     {private, false},
			"another":       {changed, true},
			"zero":          {ssh.Marshal(struct{ A, B, C, D *big.Int }{new(big.Int), new(big.Int), new(big.Int), new(big.Int)}), true},
			"negative":      {ssh.Marshal(struct{ A, B, C, D *big.Int }{big.NewInt(-5), big.NewInt(-5), big.NewInt(-5), big.NewInt(-5)}), true},
			"huge":          {ssh.Marshal(struct{ A []byte }{bytes.Repeat([]byte{0x55}, 12<<10)}), true},
			"cut off":       {private[:len(private)/4], true},
			"there not":     {nil, true},
			"of other type": {[]byte{0, 0, 0, 1, 1}, true},
		} {
			_, err := sshkey.Parse(ppkText(algorithm, public, test.private), nil)
			if test.fails {
				require.ErrorIs(t, err, sshkey.ErrFormat, "%s: %s", name, rule)
			} else {
				require.NoError(t, err, "%s: %s", name, rule)
			}
		}
	}
}

func TestPPKPublicHalfMustBeOfTheNamedType(t *testing.T) {
	t.Parallel()
	algorithm, public, private := ppkHalves(t, "ppk/ed25519-v3.ppk")
	_, otherPublic, _ := ppkHalves(t, "ppk/rsa-v3.ppk")
	for name, test := range map[string]struct {
		algorithm string
		public    []byte
	}{
		"a public half of another type": {algorithm, otherPublic},
		"a name of another type":        {ssh.KeyAlgoRSA, public},
		"a public half that is noise":   {algorithm, []byte("noise")},
		"bytes after the public half":   {algorithm, append(bytes.Clone(public), 0)},
		"a type that is not supported":  {"ssh-new", public},
	} {
		_, err := sshkey.Parse(ppkText(test.algorithm, test.public, private), nil)
		assert.ErrorIs(t, err, sshkey.ErrFormat, name)
	}
}
