package sshkey_test

import (
	"bytes"
	"crypto/ed25519"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/hawser/hawser/internal/sshkey"
)

// opensshFile is the body of an OpenSSH private key, after its magic.
type opensshFile struct {
	Cipher, KDF, KDFOptions string
	Keys                    uint32
	Public, Private         []byte
}

func (f opensshFile) text() []byte {
	return pemText("OPENSSH PRIVATE KEY", append([]byte("openssh-key-v1\x00"), ssh.Marshal(f)...))
}

// opensshEd25519 makes a plain file of which each part can be made wrong.
func opensshEd25519(outer, inner ed25519.PublicKey, private ed25519.PrivateKey) opensshFile {
	body := ssh.Marshal(struct {
		Check1, Check2  uint32
		Type            string
		Public, Private []byte
		Comment         string
	}{1, 1, ssh.KeyAlgoED25519, inner, private, ""})
	for pad := byte(1); len(body)%8 != 0; pad++ {
		body = append(body, pad)
	}
	public := ssh.Marshal(struct {
		Type   string
		Public []byte
	}{ssh.KeyAlgoED25519, outer})
	return opensshFile{"none", "none", "", 1, public, body}
}

func TestOpenSSHHalvesMustBelongTogether(t *testing.T) {
	t.Parallel()
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize))
	public := ed25519.PublicKey(private[ed25519.SeedSize:])
	other := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{2}, ed25519.SeedSize))
	otherPublic := ed25519.PublicKey(other[ed25519.SeedSize:])
	mixed := append(bytes.Clone(private[:ed25519.SeedSize]), otherPublic...)

	_, err := sshkey.Parse(opensshEd25519(public, public, private).text(), nil)
	require.NoError(t, err)
	for name, file := range map[string]opensshFile{
		"the outer public half is of another key":   opensshEd25519(otherPublic, public, private),
		"the private half ends with another public": opensshEd25519(otherPublic, otherPublic, mixed),
	} {
		_, err := sshkey.Parse(file.text(), nil)
		require.ErrorIs(t, err, sshkey.ErrFormat, name)
		assert.ErrorContains(t, err, "does not belong to its public half", name)
	}
}

func TestOpenSSHHeaderIsCheckedBeforeAPassphraseIsAskedFor(t *testing.T) {
	t.Parallel()
	private := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	good := opensshEd25519(ed25519.PublicKey(private[ed25519.SeedSize:]), nil, private)
	kdf := string(ssh.Marshal(struct {
		Salt   []byte
		Rounds uint32
	}{make([]byte, 16), 1 << 30}))
	public := func(name string) []byte { return ssh.Marshal(struct{ Name string }{name}) }
	tests := map[string]struct {
		change func(*opensshFile)
		want   string
	}{
		"a security key": {
			func(f *opensshFile) { f.Public = skPublic() },
			"a sk-ssh-ed25519@openssh.com key stays in its security key: load it into ssh-agent",
		},
		"an unknown key type":      {func(f *opensshFile) { f.Public = public("ssh-new") }, "key type ssh-new"},
		"a name that is not one":   {func(f *opensshFile) { f.Public = public("a b") }, "key type (unknown)"},
		"no key type":              {func(f *opensshFile) { f.Public = nil }, "public half is damaged"},
		"several keys":             {func(f *opensshFile) { f.Keys = 2 }, "2 keys"},
		"an unknown KDF":           {func(f *opensshFile) { f.Cipher, f.KDF = "aes256-ctr", "argon9" }, "argon9"},
		"a KDF without parameters": {func(f *opensshFile) { f.Cipher, f.KDF = "aes256-ctr", "bcrypt" }, "key derivation is damaged"},
		"bcrypt that would run for years": {
			func(f *opensshFile) { f.Cipher, f.KDF, f.KDFOptions = "aes256-ctr", "bcrypt", kdf },
			"ssh-keygen -p -a 100 -f FILE",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := good
			test.change(&file)
			_, err := sshkey.Parse(file.text(), nil)
			require.ErrorIs(t, err, sshkey.ErrFormat)
			assert.ErrorContains(t, err, test.want)
		})
	}
}

func TestOpenSSHHeaderThatIsDamagedIsRefused(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"", "openssh-key-v9\x00", "openssh-key-v1\x00\x00"} {
		requireRefused(t, pemText("OPENSSH PRIVATE KEY", []byte(body)), "OpenSSH header is damaged")
	}
}
