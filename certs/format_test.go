package certs

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/skeema/knownhosts"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
)

const (
	lineA = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBgW7cnmQk0tKVTtmjLOMEsGMfRNCLkRHsnwFbe0l0LW"
	hashA = "|1|F1E1KeoE/eEWhi10WpGv4OdiO6Y=|3988QV0VE8wmZL7suNrYQLITLCg="
)

// Our reader finds the keys that the libraries find. They are stricter in what
// they take for a line and blind to a * that matches nothing, so keys that we
// find alone are no difference.
func FuzzKnownHosts(f *testing.F) {
	for _, seed := range []string{
		"", "\n", "# c\r\n", "bank.example.com " + lineA + "\n", "a,[bank.example.com]:2222,*.com,!b " + lineA + " c d",
		"@cert-authority *.example.com " + lineA + "\n@revoked * " + lineA + "\n", hashA + " " + lineA, "host", "|1|a|b " + lineA,
		"\t@revoked\t*\t" + lineA, "@x y " + lineA, "bank.example.com ssh-rsa AAAA", "!,! " + lineA, "[::1]:22,::1,bank:22 " + lineA,
	} {
		f.Add([]byte(seed), "bank.example.com:22")
	}
	f.Fuzz(func(t *testing.T, data []byte, addr string) {
		l, err := lineFormat{}.decode(data)
		if err != nil {
			return
		}
		out, err := lineFormat{}.encode(l)
		require.NoError(t, err)
		require.True(t, bytes.Equal(data, out), "%q became %q", data, out)
		a, err := parseAddress(addr)
		if err != nil {
			return
		}
		compareWithLibrary(t, data, l, a)
		checkPin(t, lineFormat{}, l, a)
	})
}

func compareWithLibrary(t *testing.T, data []byte, l *ledger, a address) {
	path := filepath.Join(t.TempDir(), "known_hosts")
	require.NoError(t, os.WriteFile(path, data, 0o600))
	db, err := knownhosts.NewDB(path)
	if err != nil {
		return
	}
	for _, e := range l.entries {
		if e.pin.Addr != strings.ToLower(e.pin.Addr) && e.patterns.hash == nil {
			return // the library compares host names as they are
		}
	}
	found := map[string]bool{}
	for _, p := range l.pins(a) {
		found[p.Fingerprint] = true
	}
	for _, key := range db.HostKeys(a.String()) {
		assert.True(t, found[fingerprint(key.Marshal())], "%s in %q", a, data)
	}
}

// checkPin pins a key at a, finds it in what is written, and removes it.
func checkPin(t *testing.T, f format, l *ledger, a address) {
	key, err := parseKey("ssh-ed25519", strings.Fields(lineA)[1])
	require.NoError(t, err)
	pin, err := Pin{Addr: a.String(), HostKey: key}.complete()
	if err != nil {
		return
	}
	require.NoError(t, l.add(pin, nil))
	out, err := f.encode(l)
	require.NoError(t, err)
	again, err := f.decode(out)
	require.NoError(t, err, "%q", out)
	isPin := func(p Pin) bool { return p.same(pin) }
	require.True(t, containsFunc(again.pins(a), isPin), "%q", out)
	again.remove(pin)
	out, err = f.encode(again)
	require.NoError(t, err)
	again, err = f.decode(out)
	require.NoError(t, err, "%q", out)
	require.False(t, containsFunc(again.pins(a), isPin), "%s in %q", a, out)
}

func containsFunc(pins []Pin, is func(Pin) bool) bool {
	for _, p := range pins {
		if is(p) {
			return true
		}
	}
	return false
}

func FuzzFile(f *testing.F) {
	for _, seed := range []string{
		"", "{}", `{"version":1}`, `{"version":1,"pins":null,"questions":null,"x":1}`,
		`{"version":1,"pins":[{"addr":"a:22","kind":"ssh","fingerprint":"SHA256:x","z":{}}]}`,
		`{"version":1,"pins":[{"Addr":"*,!b","fingerprint":"SHA256:x","ca":true}],"Questions":[]}`,
	} {
		f.Add([]byte(seed), "bank.example.com:22")
	}
	f.Fuzz(func(t *testing.T, data []byte, addr string) {
		l, err := jsonFormat{}.decode(data)
		if err != nil {
			return
		}
		out, err := jsonFormat{}.encode(l)
		require.NoError(t, err)
		again, err := jsonFormat{}.decode(out)
		require.NoError(t, err, "%q became %q", data, out)
		require.Equal(t, l.all(), again.all())
		if a, err := parseAddress(addr); err == nil {
			checkPin(t, jsonFormat{}, l, a)
		}
	})
}

func TestFingerprintIsThatOfPackageSSH(t *testing.T) {
	t.Parallel()
	e, err := parseLine([]byte("bank " + lineA))
	require.NoError(t, err)
	key, err := ssh.ParsePublicKey(e.pin.HostKey)
	require.NoError(t, err)
	assert.Equal(t, ssh.FingerprintSHA256(key), e.pin.Fingerprint)
	assert.Equal(t, key.Type(), keyType(e.pin.HostKey))
	assert.Empty(t, keyType([]byte{0, 0, 0, 9, 1}))
	assert.Empty(t, keyType(nil))
}
