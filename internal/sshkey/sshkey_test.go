package sshkey_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/hawser/hawser/internal/sshkey"
)

func TestEveryFixtureGivesTheFingerprintOfItsTool(t *testing.T) {
	t.Parallel()
	for name, want := range fingerprints(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			signer, err := sshkey.Parse(fixture(t, name), []byte(fixturePassphrase))
			require.NoError(t, err)
			assert.Equal(t, want, ssh.FingerprintSHA256(signer.PublicKey()))
			requireSigns(t, signer)
		})
	}
}

func TestEveryFixtureIsReadWithWindowsLineEnds(t *testing.T) {
	t.Parallel()
	for name, want := range fingerprints(t) {
		if strings.HasPrefix(name, "openssh/") && isEncrypted(name) {
			continue // bcrypt takes seconds under the race detector, and line ends are read before it
		}
		text := bytes.ReplaceAll(fixture(t, name), []byte("\n"), []byte("\r\n"))
		signer, err := sshkey.Parse(text, []byte(fixturePassphrase))
		require.NoError(t, err, name)
		assert.Equal(t, want, ssh.FingerprintSHA256(signer.PublicKey()), name)
	}
}

func TestPassphraseOfEveryFixture(t *testing.T) {
	t.Parallel()
	for name := range fingerprints(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, none := range [][]byte{nil, {}} {
				_, err := sshkey.Parse(fixture(t, name), none)
				if isEncrypted(name) {
					require.ErrorIs(t, err, sshkey.ErrPassphraseMissing)
				} else {
					require.NoError(t, err)
				}
			}
			_, err := sshkey.Parse(fixture(t, name), []byte("a wrong guess"))
			if !isEncrypted(name) {
				require.NoError(t, err, "a passphrase that is not needed is ignored")
				return
			}
			require.ErrorIs(t, err, sshkey.ErrPassphraseWrong)
			assert.NotErrorIs(t, err, sshkey.ErrFormat)
			assert.NotContains(t, err.Error(), "a wrong guess")
		})
	}
}

func TestRSASignsWithSHA2(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"openssh/rsa", "openssh/rsa.pem", "openssh/rsa-encrypted.p8", "ppk/rsa-v3.ppk"} {
		signer, err := sshkey.Parse(fixture(t, name), []byte(fixturePassphrase))
		require.NoError(t, err, name)
		algorithms, ok := signer.(ssh.AlgorithmSigner)
		require.True(t, ok, name)
		for _, algorithm := range []string{ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSASHA512} {
			signature, err := algorithms.SignWithAlgorithm(rand.Reader, []byte("message"), algorithm)
			require.NoError(t, err, name)
			assert.Equal(t, algorithm, signature.Format, name)
		}
	}
}

func TestPlainKeysThatGoWrites(t *testing.T) {
	t.Parallel()
	for name, key := range goKeys(t) {
		pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
		require.NoError(t, err, name)
		block, err := ssh.MarshalPrivateKey(key, "comment")
		require.NoError(t, err, name)
		want, err := ssh.NewSignerFromKey(key)
		require.NoError(t, err, name)
		for _, text := range [][]byte{
			pemText("PRIVATE KEY", pkcs8),
			pem.EncodeToMemory(block),
		} {
			signer, err := sshkey.Parse(text, []byte("secret"))
			require.NoError(t, err, name)
			assert.Equal(t, want.PublicKey().Marshal(), signer.PublicKey().Marshal(), name)
		}
	}
}

func TestEncryptedOpenSSHKeyThatGoWrites(t *testing.T) {
	t.Parallel()
	key := goKeys(t)["ed25519"]
	want, err := ssh.NewSignerFromKey(key)
	require.NoError(t, err)
	block, err := ssh.MarshalPrivateKeyWithPassphrase(key, "comment", []byte("secret"))
	require.NoError(t, err)
	signer, err := sshkey.Parse(pem.EncodeToMemory(block), []byte("secret"))
	require.NoError(t, err)
	assert.Equal(t, want.PublicKey().Marshal(), signer.PublicKey().Marshal())
}

// goKeys makes one key of each type that Go can make.
func goKeys(t testing.TB) map[string]any {
	t.Helper()
	keys := map[string]any{}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	keys["rsa"] = rsaKey
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	keys["ed25519"] = edKey
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		require.NoError(t, err)
		keys[curve.Params().Name] = key
	}
	return keys
}

func TestTextAroundAKeyIsSkipped(t *testing.T) {
	t.Parallel()
	key := fixture(t, "openssh/ed25519")
	ppk := fixture(t, "ppk/ed25519-v3.ppk")
	tests := map[string][]byte{
		"a UTF-8 byte order mark before PEM":       append([]byte("\xef\xbb\xbf"), key...),
		"a UTF-8 byte order mark before PuTTY":     append([]byte("\xef\xbb\xbf"), ppk...),
		"blank lines before PEM":                   append([]byte("\r\n\n  "), key...),
		"blank lines around PuTTY":                 append(append([]byte("\n\n"), ppk...), "\n\n"...),
		"no line end at the end of PEM":            bytes.TrimRight(key, "\n"),
		"no line end at the end of PuTTY":          bytes.TrimRight(ppk, "\n"),
		"bag attributes and a certificate, before": append(append([]byte("Bag Attributes\n  x: y\n"), fixture(t, "unreadable/x509")...), key...),
		"a certificate, after":                     append(bytes.Clone(key), fixture(t, "unreadable/x509")...),
		"old Macintosh line ends in PuTTY":         bytes.ReplaceAll(ppk, []byte("\n"), []byte("\r")),
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := sshkey.Parse(text, nil)
			require.NoError(t, err)
		})
	}
}

func TestWhatIsNoReadableKeySaysWhy(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"3des-cbc":                      "3des-cbc, is not supported: rewrite it with ssh-keygen -p -Z aes256-ctr -f FILE",
		"aes128-cbc":                    "aes128-cbc, is not supported: rewrite it with ssh-keygen -p -Z aes256-ctr -f FILE",
		"aes128-ctr":                    "aes128-ctr, is not supported: rewrite it with ssh-keygen -p -Z aes256-ctr -f FILE",
		"aes192-ctr":                    "aes192-ctr, is not supported: rewrite it with ssh-keygen -p -Z aes256-ctr -f FILE",
		"aes256-gcm@openssh.com":        "aes256-gcm@openssh.com, is not supported: rewrite it with ssh-keygen -p -Z aes256-ctr -f FILE",
		"chacha20-poly1305@openssh.com": "chacha20-poly1305@openssh.com, is not supported: rewrite it with ssh-keygen -p -Z aes256-ctr -f FILE",
		"rounds":                        "1100 rounds of bcrypt take too long",
		"dsa":                           "ssh-keygen -p -m PEM -f FILE",
		"argon2d.ppk":                   "Argon2d, is not supported: open it in PuTTYgen and save it again with Argon2id",
		"ed448.ppk":                     "key type ssh-ed448 is not supported",
		"certificate.ppk":               "puttygen FILE --remove-certificate -o NEWFILE",
		"camellia":                      "CAMELLIA-256-CBC, is not supported: rewrite it with openssl pkcs8",
		"pbes1":                         "is not PBES2: rewrite it with openssl pkcs8",
		"sha512":                        "-v2prf hmacWithSHA256",
		"x25519":                        "unsupported key type",
		"ed448":                         "unknown algorithm",
		"ssh.com":                       "format of ssh.com: convert it with puttygen FILE -O private-openssh-new -o NEWFILE",
		"der":                           "binary DER or PKCS #12",
		"pkcs12":                        "binary DER or PKCS #12",
		"x509":                          "X.509 certificate without its key; name the private key file",
		"pem.pub":                       "it is the public half; name the private key file",
		"openssh.pub":                   "it is the public half; name the private key file",
		"rfc4716.pub":                   "it is the public half; name the private key file",
	}
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requireRefused(t, fixture(t, "unreadable/"+name), want)
		})
	}
	files, err := os.ReadDir(filepath.Join("testdata", "unreadable"))
	require.NoError(t, err)
	assert.Len(t, files, len(tests), "every file of testdata/unreadable has its row")
}

// requireRefused proves that text is refused for the reason want, with and
// without a passphrase: a cure must not wait for one.
func requireRefused(t *testing.T, text []byte, want string) {
	t.Helper()
	for _, passphrase := range []string{"", fixturePassphrase} {
		_, err := sshkey.Parse(text, []byte(passphrase))
		require.ErrorIs(t, err, sshkey.ErrFormat)
		assert.ErrorContains(t, err, want)
	}
}

func TestWhatIsNoKeyAtAllSaysWhy(t *testing.T) {
	t.Parallel()
	key := string(fixture(t, "openssh/ed25519"))
	tests := map[string]struct{ text, want string }{
		"nothing":                         {"", "the file is empty"},
		"blank space":                     {" \r\n\t", "the file is empty"},
		"nothing but a byte order mark":   {"\xef\xbb\xbf", "the file is empty"},
		"UTF-16 with a byte order mark":   {"\xff\xfe" + utf16(key), "UTF-16"},
		"UTF-16, big endian, with a mark": {"\xfe\xff\x00-\x00-", "UTF-16"},
		"UTF-16 without a mark":           {utf16(key), "UTF-16"},
		"an OpenSSH certificate":          {string(fixture(t, "certificate/user-rsa-cert.pub")), "it is an OpenSSH certificate"},
		"a key of a security key, public": {skPublicLine(), "it is the public half"},
		"a key of SSH version 1":          {"SSH PRIVATE KEY FILE FORMAT 1.1\n\x00", "SSH version 1"},
		"a PGP key":                       {"-----BEGIN PGP PRIVATE KEY BLOCK-----\n", "it is a PGP key"},
		"a key cut off":                   {key[:len(key)-40], "damaged PEM file"},
		"a key on one line":               {strings.ReplaceAll(key, "\n", " "), "damaged PEM file"},
		"a key with written-out ends":     {strings.ReplaceAll(key, "\n", `\n`), "damaged PEM file"},
		"prose":                           {"0 keys are in here", "neither OpenSSH, PEM, PKCS #8 nor PuTTY .ppk"},
		"more than a mebibyte":            {key + strings.Repeat("\n", 1<<20), "too many for a key file"},
		"a PEM key of many bytes":         {string(pemText("PRIVATE KEY", make([]byte, 1<<15))), "too large"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := sshkey.Parse([]byte(test.text), []byte("x"))
			require.ErrorIs(t, err, sshkey.ErrFormat)
			assert.ErrorContains(t, err, test.want)
		})
	}
}

// utf16 returns ASCII text as little-endian UTF-16.
func utf16(text string) string {
	var wide strings.Builder
	for _, b := range []byte(text) {
		wide.Write([]byte{b, 0})
	}
	return wide.String()
}

// skPublic is the public half of a FIDO key in the encoding of SSH.
func skPublic() []byte {
	return ssh.Marshal(struct {
		Type        string
		Public      []byte
		Application string
	}{ssh.KeyAlgoSKED25519, bytes.Repeat([]byte{7}, ed25519.PublicKeySize), "ssh:"})
}

func skPublicLine() string {
	public, err := ssh.ParsePublicKey(skPublic())
	if err != nil {
		return err.Error()
	}
	return string(ssh.MarshalAuthorizedKey(public))
}

func TestErrorsNeverRepeatAMangledFile(t *testing.T) {
	t.Parallel()
	key := string(fixture(t, "openssh/ed25519"))
	ppk := string(fixture(t, "ppk/ed25519-v3.ppk"))
	secretPEM := strings.Split(key, "\n")[3]
	secretPPK := strings.Split(ppk, "\n")[7]
	tests := map[string]string{
		"a key body in the place of the PEM type": "-----BEGIN " + secretPEM + "-----\n-----END " + secretPEM + "-----\n",
		"a key body in the PEM cipher":            strings.Replace(string(fixture(t, "pem/rsa-dek-des3")), "DES-EDE3-CBC", secretPEM, 1),
		"a key body in the cipher of PuTTY":       strings.Replace(ppk, "Encryption: none", "Encryption: "+secretPPK+" ", 1),
		"a key body in the lines of PuTTY":        strings.Replace(ppk, "Private-Lines: 1", "Private-Lines: "+secretPPK, 1),
		"a key body in the MAC of PuTTY":          strings.Replace(ppk, "Private-MAC: ", "Private-MAC: "+secretPPK, 1),
		"a key body in the type of PuTTY":         strings.Replace(ppk, "ssh-ed25519", secretPPK, 1),
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := sshkey.Parse([]byte(text), nil)
			require.ErrorIs(t, err, sshkey.ErrFormat)
			assert.NotContains(t, err.Error(), secretPEM)
			assert.NotContains(t, err.Error(), secretPPK)
		})
	}
}
