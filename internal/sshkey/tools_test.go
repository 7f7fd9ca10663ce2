package sshkey_test

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/hawser/hawser/internal/sshkey"
)

// workshop is a folder in which the real tools make keys.
type workshop struct {
	t      *testing.T
	folder string
}

// newWorkshop skips the test where a tool is missing, or fails it if
// HAWSER_REAL is "all". The files "secret" and "again" of the folder hold the
// passphrase, for openssl reads no file twice; the file "none" an empty one.
func newWorkshop(t *testing.T, tools ...string) workshop {
	t.Helper()
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err == nil {
			continue
		}
		if os.Getenv("HAWSER_REAL") == "all" {
			t.Fatalf("%s is not on PATH, and HAWSER_REAL=all wants it", tool)
		}
		t.Skipf("%s is not on PATH", tool)
	}
	folder := t.TempDir()
	for name, passphrase := range map[string]string{"secret": fixturePassphrase, "again": fixturePassphrase, "none": ""} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(passphrase), 0o600))
	}
	return workshop{t, folder}
}

// run runs a command line in the folder, split at blanks, and returns what it says.
func (w workshop) run(line string) string {
	w.t.Helper()
	words := strings.Fields(line)
	for i, word := range words {
		switch word {
		case "SECRET":
			words[i] = fixturePassphrase
		case "EMPTY":
			words[i] = ""
		}
	}
	command := exec.Command(words[0], words[1:]...)
	command.Dir = w.folder
	out, err := command.CombinedOutput()
	require.NoError(w.t, err, "%s: %s", line, out)
	return string(out)
}

// requireSame parses the file key and compares it with what the tool said.
func (w workshop) requireSame(said string) {
	w.t.Helper()
	want := regexp.MustCompile(`SHA256:\S+`).FindString(said)
	require.NotEmpty(w.t, want, said)
	data, err := os.ReadFile(filepath.Join(w.folder, "key"))
	require.NoError(w.t, err)
	signer, err := sshkey.Parse(data, []byte(fixturePassphrase))
	require.NoError(w.t, err)
	assert.Equal(w.t, want, ssh.FingerprintSHA256(signer.PublicKey()))
	requireSigns(w.t, signer)
}

func TestFreshKeysOfPuTTYgen(t *testing.T) {
	t.Parallel()
	kinds := []string{"rsa -b 2048", "ecdsa -b 256", "ecdsa -b 384", "ecdsa -b 521", "ed25519", "dsa -b 1024"}
	options := []string{
		"version=2 --new-passphrase none",
		"version=2 --new-passphrase secret",
		"version=3 --new-passphrase none",
		"version=3 --new-passphrase secret",
		"version=3,kdf=argon2i,memory=2048,passes=2 --new-passphrase secret",
		"version=3,memory=2051,passes=2,parallelism=3 --new-passphrase secret",
	}
	for _, kind := range kinds {
		for _, option := range options {
			t.Run(kind+" "+option, func(t *testing.T) {
				t.Parallel()
				w := newWorkshop(t, "puttygen")
				w.run("puttygen -q -t " + kind + " -C test -o key --ppk-param " + option)
				w.requireSame(w.run("puttygen -l key --old-passphrase secret"))
			})
		}
	}
}

func TestFreshKeysOfSSHKeygen(t *testing.T) {
	t.Parallel()
	kinds := []string{"rsa -b 2048", "ecdsa -b 256", "ecdsa -b 384", "ecdsa -b 521", "ed25519"}
	options := []string{"-N EMPTY", "-N SECRET", "-N SECRET -Z aes256-cbc", "-N SECRET -a 4"}
	for _, kind := range kinds {
		all := options
		if kind != "ed25519" { // which has no other format
			all = append(all, "-m PEM -N EMPTY", "-m PEM -N SECRET", "-m PKCS8 -N EMPTY", "-m PKCS8 -N SECRET")
		}
		for _, option := range all {
			t.Run(kind+" "+option, func(t *testing.T) {
				t.Parallel()
				w := newWorkshop(t, "ssh-keygen")
				w.run("ssh-keygen -q -f key -t " + kind + " " + option)
				w.requireSame(w.run("ssh-keygen -lf key.pub"))
			})
		}
	}
}

func TestFreshKeysOfOpenSSL(t *testing.T) {
	t.Parallel()
	kinds := []string{"RSA -pkeyopt rsa_keygen_bits:2048", "EC -pkeyopt ec_paramgen_curve:P-384", "ED25519"}
	options := []string{
		"-nocrypt",
		"-v2 aes-256-cbc -passout file:secret",
		"-v2 aes-128-cbc -v2prf hmacWithSHA1 -iter 100000 -passout file:secret",
		"-v2 des3 -passout file:secret",
		"-scrypt -passout file:secret",
		"-scrypt -scrypt_N 1024 -scrypt_r 4 -scrypt_p 3 -passout file:secret",
	}
	for _, kind := range kinds {
		for _, option := range options {
			t.Run(kind+" "+option, func(t *testing.T) {
				t.Parallel()
				w := newWorkshop(t, "openssl")
				w.run("openssl genpkey -out plain -algorithm " + kind)
				w.run("openssl pkcs8 -topk8 -in plain -out key " + option)
				w.requireSame(w.fingerprint())
			})
		}
	}
}

// fingerprint takes the public half from openssl, which knows no fingerprints,
// and not every ssh-keygen reads what openssl writes.
func (w workshop) fingerprint() string {
	w.t.Helper()
	block, _ := pem.Decode([]byte(w.run("openssl pkey -in plain -pubout")))
	require.NotNil(w.t, block)
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	require.NoError(w.t, err)
	public, err := ssh.NewPublicKey(key)
	require.NoError(w.t, err)
	return ssh.FingerprintSHA256(public)
}

// TestCuresWork runs the commands that errors tell people to run.
func TestCuresWork(t *testing.T) {
	t.Parallel()
	const pkcs8 = "openssl pkcs8 -topk8 -v2 aes-256-cbc -v2prf hmacWithSHA256 -in key -out new -passin file:secret -passout file:again"
	tests := map[string]struct{ tool, file, cure, result string }{
		"an OpenSSH cipher": {"ssh-keygen", "aes256-gcm@openssh.com", "ssh-keygen -p -Z aes256-ctr -f key -P SECRET -N SECRET", "key"},
		"DSA":               {"ssh-keygen", "dsa", "ssh-keygen -p -m PEM -f key -P EMPTY -N EMPTY", "key"},
		"PBES1":             {"openssl", "pbes1", pkcs8, "new"},
		"PBKDF2 of SHA-512": {"openssl", "sha512", pkcs8, "new"},
		"Camellia":          {"openssl", "camellia", pkcs8, "new"},
		"DER":               {"openssl", "der", "openssl pkey -inform DER -in key -out new", "new"},
		"PKCS #12":          {"openssl", "pkcs12", "openssl pkcs12 -in key -nocerts -out new -passin file:secret -passout file:again", "new"},
		"ssh.com":           {"puttygen", "ssh.com", "puttygen key -O private-openssh-new -o new --new-passphrase none", "new"},
		"a certificate":     {"puttygen", "certificate.ppk", "puttygen key --remove-certificate -o new --new-passphrase none", "new"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorkshop(t, test.tool)
			key := filepath.Join(w.folder, "key")
			require.NoError(t, os.WriteFile(key, fixture(t, "unreadable/"+test.file), 0o600))
			w.run(test.cure)
			data, err := os.ReadFile(filepath.Join(w.folder, test.result))
			require.NoError(t, err)
			_, err = sshkey.Parse(data, []byte(fixturePassphrase))
			require.NoError(t, err)
		})
	}
}
