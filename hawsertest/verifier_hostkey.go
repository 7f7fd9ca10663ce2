package hawsertest

import (
	"strings"
	"unicode"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
)

func hostKeyRules() []rule[*verifier] {
	return []rule[*verifier]{
		{"a listed host key is accepted", "whoever compared the fingerprint is not asked again", keyListed},
		{"a listed host key may be of any type", "the server chooses among its keys", keyTypes},
		{"a host key that is not listed is refused", "that is what the list is for", keyNotListed},
		{"a host key must match a fingerprint whole", "a key that shares its beginning is soon found, and base64 tells case apart", keyWhole},
		{"an unknown host key is refused", "with no list and no AutoAccept nothing speaks for it", keyUnknown},
		{"ssh.host_keys accepts no other host key", "a list is the last word, over what AutoAccept would accept and has accepted", keyListWins},
		{"a host key that cannot be read is refused", "nothing is known of it, so nothing is proven", keyGarbage},
		{"HostKeyAlgorithms begins with the type of a known host key", "a server with keys of several types presents another one else, and looks changed", keyOrder},
	}
}

func keyListed(v *verifier) {
	v.needs(hostKeys())
	first, second := newHostKey(v), newHostKey(v)
	c := v.overSSH(first, second)
	v.accepts(c, keyed(first), "the first key of the list")
	v.accepts(c, keyed(second), "the second key of the list")
	elsewhere := called(keyed(first), "other.example.com", "other.example.com:2222")
	v.accepts(c, elsewhere, "a listed key at another address: the list is the connection's")
}

func keyTypes(v *verifier) {
	v.needs(hostKeys())
	for _, key := range hostKeyTypes(v) {
		v.accepts(v.overSSH(key), keyed(key), "a listed key of type "+key.Type())
	}
}

func keyNotListed(v *verifier) {
	c := v.overSSH(newHostKey(v), newHostKey(v))
	for _, key := range hostKeyTypes(v) {
		v.refuses(c, keyed(key), "another key of type "+key.Type())
	}
	p := keyed(newHostKey(v))
	p.HostKey = certified(v, newHostKey(v), "bank")
	v.refuses(c, p, "a certificate of another key by an unknown authority")
}

// keyWhole lists what is no fingerprint, which Validate refuses: not every
// Connection is validated.
func keyWhole(v *verifier) {
	key := newHostKey(v)
	print := ssh.FingerprintSHA256(key)
	for _, listed := range []string{
		"", "SHA256:", print[:len(print)-1], print[:len("SHA256:")+8], print + "A", swapCase(print),
		ssh.FingerprintLegacyMD5(key), "*",
	} {
		c := v.overSSH()
		c.SSH.HostKeys = []string{listed}
		v.refuses(c, keyed(key), "a key, where the list is "+listed)
	}
}

// swapCase returns a fingerprint with the case of its letters changed.
func swapCase(fingerprint string) string {
	const prefix = "SHA256:"
	return prefix + strings.Map(func(r rune) rune {
		if unicode.IsUpper(r) {
			return unicode.ToLower(r)
		}
		return unicode.ToUpper(r)
	}, strings.TrimPrefix(fingerprint, prefix))
}

func keyUnknown(v *verifier) {
	for _, key := range hostKeyTypes(v) {
		v.refuses(v.overSSH(), keyed(key), "an unknown key of type "+key.Type())
	}
	p := keyed(newHostKey(v))
	p.HostKey = certified(v, newHostKey(v), "bank")
	v.refuses(v.overSSH(), p, "a certificate by an unknown authority")
}

func keyListWins(v *verifier) {
	both := v.overSSH(newHostKey(v))
	both.SSH.AutoAccept = true // Validate refuses it
	v.refuses(both, hostKeys().stranger(v, "localhost:2121"), "a key that is not listed, with AutoAccept")
	_, p := v.first(hostKeys(), "localhost:2122")
	v.refuses(v.overSSH(newHostKey(v)), p, "a key that AutoAccept took, by a connection that lists another")
}

func keyGarbage(v *verifier) {
	whole := newHostKey(v).Marshal()
	automatic := v.automatic(hostKeys())
	for what, key := range map[string][]byte{
		"no bytes":            {},
		"half a key":          whole[:len(whole)/2],
		"a key and more":      append(whole, 0),
		"a type alone":        whole[:len("....ssh-ed25519")],
		"an unknown type":     ssh.Marshal(struct{ Type, Key string }{"nobody-knows@example.com", "key"}),
		"a length of 4 GB":    {0xff, 0xff, 0xff, 0xff, 's', 's', 'h'},
		"an empty RSA key":    ssh.Marshal(struct{ Type, E, N string }{"ssh-rsa", "", ""}),
		"a point on no curve": ssh.Marshal(struct{ Type, Curve, Point string }{"ecdsa-sha2-nistp256", "nistp256", "\x04" + strings.Repeat("1", 64)}),
	} {
		for _, c := range []hawser.Connection{v.overSSH(), v.overSSH(newHostKey(v)), automatic} {
			v.refuses(c, hawser.Peer{Addr: "localhost:22", ServerName: "localhost", HostKey: key}, what)
		}
	}
}

func keyOrder(v *verifier) {
	orderer, ok := v.Verifier.(hawser.HostKeyOrderer)
	if !ok {
		v.Skipf("skipped: %T is no hawser.HostKeyOrderer", v.Verifier)
	}
	v.first(hostKeys(), "localhost:2120") // skips
	c := v.automatic(hostKeys())
	_, err := orderer.HostKeyAlgorithms(v.Context(), c, "localhost:2121")
	assert.NoError(v, err, "HostKeyAlgorithms of an unknown server")
	for _, key := range hostKeyTypes(v) {
		addr := key.Type() + ".example.com:22"
		v.accepts(c, called(keyed(key), "localhost", addr), "the first key of its address")
		names, err := orderer.HostKeyAlgorithms(v.Context(), c, addr)
		require.NoError(v, err, "HostKeyAlgorithms of a known server")
		require.NotEmpty(v, names, "HostKeyAlgorithms where a key of type %s is known", key.Type())
		if key.Type() == ssh.KeyAlgoRSA { // RFC 8332, section 3: the hash is of the signature, not of the key
			assert.Contains(v, []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}, names[0], "the best algorithm where an RSA key is known")
			continue
		}
		assert.Equal(v, key.Type(), names[0], "the best algorithm where a key of that type is known")
	}
}
