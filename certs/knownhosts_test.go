package certs_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/certs"
)

// knownHosts opens a known_hosts file with this content.
func knownHosts(t testing.TB, content string) (store certs.Store, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "known_hosts")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
	store, err := certs.KnownHosts(path)
	require.NoError(t, err)
	return store, path
}

func content(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(data)
}

func TestHostFieldOfKnownHostsMeansWhatOpenSSHMeans(t *testing.T) {
	t.Parallel()
	rules := map[bool][][2]string{
		true: {
			{"a.example.com", "a.example.com:22"},
			{"A.Example.com", "a.example.com:22"},
			{"[a.example.com]:2222", "a.example.com:2222"},
			{"b,a.example.com,192.0.2.1", "192.0.2.1:22"},
			{"*.example.com", "a.example.com:22"},
			{"*.example.com", "a.example.com:2222"},
			{"[*.example.com]:2222", "a.example.com:2222"},
			{"a?.example.com", "ab.example.com:22"},
			{"a*", "a:22"},
			{"*a*b*c", "xaxbxbxc:22"},
			{"*,!a.example.com", "b.example.com:22"},
			{"2001:db8::1", "[2001:db8::1]:22"},
			{"[2001:db8::1]:2222", "[2001:DB8::1]:2222"},
			{knownhosts.HashHostname("a.example.com"), "A.example.com:22"},
			{knownhosts.HashHostname("[a.example.com]:2222"), "a.example.com:2222"},
			{knownhosts.HashHostname("2001:db8::1"), "[2001:db8::1]:22"},
		},
		false: {
			{"a.example.com", "a.example.com:2222"},
			{"[a.example.com]:2222", "a.example.com:22"},
			{"*.example.com", "example.com:22"},
			{"[*.example.com]:2222", "a.example.com:22"},
			{"*a*b*c", "xaxbxbx:22"},
			{"*,!a.example.com", "a.example.com:22"},
			{"*,!a.example.com", "a.example.com:2222"},
			{"!a.example.com,*", "a.example.com:22"},
			{"!a.example.com", "b.example.com:22"},
			{knownhosts.HashHostname("a.example.com"), "a.example.com:2222"},
		},
	}
	for want, rules := range rules {
		for _, rule := range rules {
			assert.Equal(t, want, matches(t, rule[0], rule[1]), "%s for %s", rule[0], rule[1])
		}
	}
}

func matches(t *testing.T, field, addr string) bool {
	t.Helper()
	store, _ := knownHosts(t, field+" "+line(newEd25519(t))+"\n")
	pins, err := store.Pins(t.Context(), addr)
	require.NoError(t, err)
	return len(pins) == 1
}

func TestPinsOfKnownHostsAreItsLines(t *testing.T) {
	t.Parallel()
	plain, ca, revoked := newEd25519(t), newECDSA(t), newEd25519(t)
	store, _ := knownHosts(t, "# people\n\n \t bank.example.com\t"+line(plain)+" root@bank 2024 \r\n"+
		"@cert-authority *.example.com "+line(ca)+"\n@revoked old.example.com "+line(revoked))
	pins, err := store.Pins(t.Context(), addr)
	require.NoError(t, err)
	assert.Equal(t, []certs.Pin{
		{Addr: "bank.example.com", Kind: certs.KindSSH, Fingerprint: print(plain), HostKey: wire(plain), Comment: "root@bank 2024"},
		{Addr: "*.example.com", Kind: certs.KindSSH, Fingerprint: print(ca), HostKey: wire(ca), CA: true},
		{Addr: "old.example.com", Kind: certs.KindSSH, Fingerprint: print(revoked), HostKey: wire(revoked), Revoked: true},
	}, pins)
}

func TestChangeOfKnownHostsKeepsEveryOtherByte(t *testing.T) {
	t.Parallel()
	old, other, next := newEd25519(t), newECDSA(t), newEd25519(t)
	hashed := knownhosts.HashHostname("bank.example.com")
	rest := "# kept \r\n\n bank.example.com\t" + line(other) + "  of another type\n"
	rules := map[string]struct{ before, after string }{
		"its own line goes":            {"bank.example.com " + line(old) + "\n", ""},
		"a hashed line goes":           {hashed + " " + line(old) + " c\n", ""},
		"other names of the line stay": {"a,bank.example.com,b  " + line(old) + " c\r\n", "a,b  " + line(old) + " c\r\n"},
		"a wildcard excludes it":       {"*.example.com " + line(old) + "\n", "*.example.com,!bank.example.com " + line(old) + "\n"},
	}
	for name, rule := range rules {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, path := knownHosts(t, rest+rule.before+"# end")
			require.NoError(t, verify(t, &certs.Verifier{Store: store, Ask: answering(certs.AcceptAlways)}, peer(next)))
			assert.Equal(t, rest+rule.after+"# end\nbank.example.com "+line(next)+"\n", content(t, path))
			info, err := os.Stat(path)
			require.NoError(t, err)
			assert.EqualValues(t, 0o644, info.Mode().Perm())
			require.NoError(t, verify(t, &certs.Verifier{Store: store}, peer(next)))
			assert.Equal(t, certs.Changed, refused(t, verify(t, &certs.Verifier{Store: store}, peer(old))).Question.Reason)
		})
	}
}

func TestAuthoritiesAndRevocationsAreWrittenToKnownHosts(t *testing.T) {
	t.Parallel()
	key := newEd25519(t)
	store, path := knownHosts(t, "")
	require.NoError(t, store.Add(t.Context(), certs.Pin{Addr: "*.example.com", HostKey: wire(key), CA: true, Comment: "our CA"}))
	require.NoError(t, store.Add(t.Context(), certs.Pin{Addr: "*", HostKey: wire(key), Revoked: true}))
	assert.Equal(t, "@cert-authority *.example.com "+line(key)+" our CA\n@revoked * "+line(key)+"\n", content(t, path))
	require.NoError(t, store.Remove(t.Context(), certs.Pin{Addr: "*", HostKey: wire(key), Revoked: true}))
	assert.Equal(t, "@cert-authority *.example.com "+line(key)+" our CA\n", content(t, path))
	require.NoError(t, store.Remove(t.Context(), certs.Pin{Addr: addr, HostKey: wire(key), CA: true}))
	assert.Equal(t, "@cert-authority *.example.com,!bank.example.com "+line(key)+" our CA\n", content(t, path))
}

func TestLineThatCannotBeReadIsAnErrorWithItsNumber(t *testing.T) {
	t.Parallel()
	good := newEd25519(t)
	typ, blob, _ := strings.Cut(line(good), " ")
	rules := map[string]string{
		"one word":          "bank.example.com",
		"no key":            "bank.example.com ssh-ed25519",
		"no base64":         "bank.example.com ssh-ed25519 !!!",
		"another type":      "bank.example.com ssh-rsa " + blob,
		"a truncated key":   "bank.example.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA==",
		"an unknown marker": "@trusted bank.example.com " + line(good),
		"two markers":       "@revoked @cert-authority bank.example.com " + line(good),
		"a damaged hash":    "|1|abc|def " + line(good),
		"an open bracket":   "[bank.example.com " + typ + " " + blob,
		"an SSH-1 key":      "bank.example.com 1024 35 1234567",
	}
	for name, bad := range rules {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := "ok.example.com " + line(good) + "\n\n" + bad + "\n"
			path := filepath.Join(t.TempDir(), "known_hosts")
			require.NoError(t, os.WriteFile(path, []byte(before), 0o600))
			_, err := certs.KnownHosts(path)
			require.ErrorContains(t, err, "line 3: ")
			require.ErrorContains(t, err, path)
		})
	}
}

func TestFileDamagedLaterRefusesAndIsNotWritten(t *testing.T) {
	t.Parallel()
	store, path := knownHosts(t, "bank.example.com "+line(newEd25519(t))+"\n")
	require.NoError(t, os.WriteFile(path, []byte("nonsense\n"), 0o600))
	err := verify(t, &certs.Verifier{Store: store, Ask: answering(certs.AcceptAlways)}, peer(newEd25519(t)))
	require.ErrorIs(t, err, hawser.ErrUntrusted)
	require.ErrorContains(t, err, "line 1")
	assert.Equal(t, "nonsense\n", content(t, path))
}

func TestKeyOfAnUnknownTypeIsKeptAndKnown(t *testing.T) {
	t.Parallel()
	future := "bank.example.com ssh-future AAAACnNzaC1mdXR1cmUAAAABAQ=="
	store, _ := knownHosts(t, future+"\n")
	err := refused(t, verify(t, &certs.Verifier{Store: store}, peer(newEd25519(t))))
	assert.Equal(t, certs.Changed, err.Question.Reason)
}

func TestQuestionsOfKnownHostsNeedNoWritableDirectory(t *testing.T) {
	t.Parallel()
	before := "bank.example.com " + line(newEd25519(t)) + "\n"
	store, path := knownHosts(t, before)
	v := &certs.Verifier{Store: store}
	id := refused(t, verify(t, v, peer(newEd25519(t)))).Pending
	require.NoError(t, store.Answer(t.Context(), id, certs.Answer{Decision: certs.Deny}))
	assert.NoFileExists(t, path+".lock")
	assert.Equal(t, before, content(t, path))
}

func TestPinThatWouldBreakALineIsRefused(t *testing.T) {
	t.Parallel()
	store, path := knownHosts(t, "")
	key := wire(newEd25519(t))
	for _, p := range []certs.Pin{
		{Addr: "", HostKey: key},
		{Addr: "a\nb", HostKey: key},
		{Addr: "a b", HostKey: key},
		{Addr: "#a", HostKey: key},
		{Addr: "@revoked", HostKey: key},
		{Addr: "a", HostKey: key, Comment: "x\nevil " + line(newEd25519(t))},
		{Addr: "a", HostKey: []byte("\x00\x00\x00\x03a\nb")},
		{Addr: "a", HostKey: key, CA: true, Revoked: true},
		{Addr: "a", HostKey: key, Fingerprint: "SHA256:other"},
		{Addr: "a", Fingerprint: "SHA256:no key"},
		{Addr: "a", Kind: "tls", Fingerprint: "SHA256:no key"},
	} {
		require.Error(t, store.Add(t.Context(), p), "%+v", p)
	}
	assert.Empty(t, content(t, path))
}

func TestSymbolicLinkStaysOne(t *testing.T) {
	t.Parallel()
	_, target := knownHosts(t, "")
	link := filepath.Join(t.TempDir(), "known_hosts")
	if err := os.Symlink(target, link); err != nil {
		t.Skip(err)
	}
	store, err := certs.KnownHosts(link)
	require.NoError(t, err)
	require.NoError(t, store.Add(t.Context(), certs.Pin{Addr: addr, HostKey: wire(newEd25519(t))}))
	assert.NotEmpty(t, content(t, target))
	info, err := os.Lstat(link)
	require.NoError(t, err)
	assert.NotZero(t, info.Mode()&os.ModeSymlink)
}

// sshKeygen runs the real one, or skips where there is none.
func sshKeygen(t *testing.T, args ...string) string {
	t.Helper()
	path, err := exec.LookPath("ssh-keygen")
	if errors.Is(err, exec.ErrNotFound) && os.Getenv("HAWSER_REAL") != "all" {
		t.Skip("no ssh-keygen")
	}
	require.NoError(t, err)
	out, err := exec.CommandContext(t.Context(), path, args...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return string(out)
}

func TestSSHKeygenFindsWhatWasWrittenAndItsHashesAreUnderstood(t *testing.T) {
	t.Parallel()
	store, path := knownHosts(t, "")
	keys := map[string]ssh.Signer{
		"Bank.example.com:22": newEd25519(t), "bank.example.com:2222": newECDSA(t), "[2001:db8::1]:22": newRSA(t),
	}
	v := &certs.Verifier{Store: store, Ask: answering(certs.AcceptAlways)}
	for a, key := range keys {
		require.NoError(t, verify(t, v, hawser.Peer{Addr: a, HostKey: wire(key)}))
	}
	for host, a := range map[string]string{
		"bank.example.com": "Bank.example.com:22", "[bank.example.com]:2222": "bank.example.com:2222", "2001:db8::1": "[2001:db8::1]:22",
	} {
		assert.Contains(t, sshKeygen(t, "-F", host, "-l", "-f", path), print(keys[a]))
	}
	sshKeygen(t, "-H", "-f", path)
	require.NotContains(t, content(t, path), "bank")
	v.Ask = nil
	for a, key := range keys {
		require.NoError(t, verify(t, v, hawser.Peer{Addr: a, HostKey: wire(key)}))
	}
	v.Ask = answering(certs.AcceptAlways)
	next := newEd25519(t)
	require.NoError(t, verify(t, v, peer(next)))
	assert.Equal(t, 1, strings.Count(sshKeygen(t, "-F", "bank.example.com", "-l", "-f", path), "SHA256:"), "the hashed line is replaced")
}
