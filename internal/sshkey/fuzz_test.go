package sshkey_test

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/hawser/hawser/internal/sshkey"
)

// eachFixture calls do with every file of testdata, bar what fuzzing stores there.
func eachFixture(f *testing.F, do func(name string, data []byte)) {
	f.Helper()
	for _, folder := range []string{"certificate", "openssh", "pem", "ppk", "unreadable"} {
		files := os.DirFS("testdata/" + folder)
		names, err := fs.Glob(files, "*")
		require.NoError(f, err)
		for _, name := range names {
			data, err := fs.ReadFile(files, name)
			require.NoError(f, err)
			do(folder+"/"+name, data)
		}
	}
}

// checkOutcome holds for every input: a signer or an error of this package, never both.
func checkOutcome(t *testing.T, signer ssh.Signer, err error) {
	t.Helper()
	if err == nil {
		requireSigns(t, signer)
		return
	}
	assert.Nil(t, signer)
	for _, known := range []error{sshkey.ErrFormat, sshkey.ErrPassphraseMissing, sshkey.ErrPassphraseWrong} {
		if errors.Is(err, known) {
			return
		}
	}
	assert.Fail(t, "an error of no sentinel", "%v", err)
}

func FuzzParse(f *testing.F) {
	eachFixture(f, func(name string, data []byte) {
		passphrase := []byte(fixturePassphrase)
		if strings.HasPrefix(name, "openssh/") && isEncrypted(name) {
			passphrase = nil // bcrypt would take all the time of the fuzzer
		}
		f.Add(data, passphrase)
	})
	f.Fuzz(func(t *testing.T, data, passphrase []byte) {
		signer, err := sshkey.Parse(data, passphrase)
		checkOutcome(t, signer, err)
	})
}

// FuzzPPKKey fuzzes the halves of a PuTTY key behind a MAC that is right, which
// FuzzParse never gets past.
func FuzzPPKKey(f *testing.F) {
	for _, name := range ppkPlainFixtures {
		algorithm, public, private := ppkHalves(f, name)
		f.Add(algorithm, public, private)
	}
	f.Fuzz(func(t *testing.T, algorithm string, public, private []byte) {
		signer, err := sshkey.Parse(ppkText(algorithm, public, private), nil)
		checkOutcome(t, signer, err)
	})
}

func FuzzCertificate(f *testing.F) {
	eachFixture(f, func(_ string, data []byte) { f.Add(data) })
	key := parseFixture(f, "openssh/ed25519")
	f.Fuzz(func(t *testing.T, data []byte) {
		signer, err := sshkey.WithCertificate(key, data)
		if err != nil {
			assert.Nil(t, signer)
			assert.ErrorIs(t, err, sshkey.ErrCertificate)
			return
		}
		assert.NotEqual(t, key.PublicKey().Type(), signer.PublicKey().Type())
	})
}
