package sshkey_test

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
)

// fixturePassphrase opens every encrypted file of testdata.
const fixturePassphrase = "correct horse"

// fixture returns the bytes of a file of testdata.
func fixture(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", filepath.FromSlash(name)))
	require.NoError(t, err)
	return data
}

// fingerprints returns the readable files of testdata, each with its fingerprint.
func fingerprints(t testing.TB) map[string]string {
	t.Helper()
	all := map[string]string{}
	lines := bufio.NewScanner(bytes.NewReader(fixture(t, "fingerprints.txt")))
	for lines.Scan() {
		name, fingerprint, found := strings.Cut(lines.Text(), " ")
		require.True(t, found, lines.Text())
		all[name] = fingerprint
	}
	require.NotEmpty(t, all)
	return all
}

// isEncrypted tells by the naming rules of testdata whether a file needs the passphrase.
func isEncrypted(name string) bool {
	for _, mark := range []string{"encrypted", "aes", "argon2i", "parallel", "defaults", "pbkdf2", "scrypt", "dek"} {
		if strings.Contains(name, mark) {
			return true
		}
	}
	return false
}

// requireSigns proves that signer can sign, and with every algorithm it names.
func requireSigns(t *testing.T, signer ssh.Signer) {
	t.Helper()
	message := []byte("a session to be signed")
	multi, ok := signer.(ssh.MultiAlgorithmSigner)
	if !ok {
		signature, err := signer.Sign(rand.Reader, message)
		require.NoError(t, err)
		require.NoError(t, signer.PublicKey().Verify(message, signature))
		return
	}
	for _, algorithm := range multi.Algorithms() {
		signature, err := multi.SignWithAlgorithm(rand.Reader, message, algorithm)
		require.NoError(t, err, algorithm)
		assert.NoError(t, signer.PublicKey().Verify(message, signature), algorithm)
	}
}

// pemText encodes a PEM block without headers.
func pemText(blockType string, body []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: blockType, Bytes: body})
}

// ppkText writes a plain PuTTY file of version 3 whose MAC is right, whatever
// its halves are.
func ppkText(algorithm string, public, private []byte) []byte {
	const comment = "written by a test"
	mac := hmac.New(sha256.New, nil)
	mac.Write(ssh.Marshal(struct {
		Algorithm, Encryption, Comment string
		Public, Private                []byte
	}{algorithm, "none", comment, public, private}))
	return fmt.Appendf(nil, "PuTTY-User-Key-File-3: %s\nEncryption: none\nComment: %s\n%s%sPrivate-MAC: %s\n",
		algorithm, comment, ppkLines("Public-Lines", public), ppkLines("Private-Lines", private),
		hex.EncodeToString(mac.Sum(nil)))
}

func ppkLines(name string, blob []byte) string {
	text := base64.StdEncoding.EncodeToString(blob)
	var lines []string
	for len(text) > 64 {
		lines, text = append(lines, text[:64]), text[64:]
	}
	lines = append(lines, text)
	return fmt.Sprintf("%s: %d\n%s\n", name, len(lines), strings.Join(lines, "\n"))
}
