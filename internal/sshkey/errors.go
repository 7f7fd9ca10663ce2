package sshkey

import "errors"

var (
	// ErrPassphraseMissing says that the private key is encrypted and that no
	// passphrase, or an empty one, came with it.
	ErrPassphraseMissing = errors.New("the private key is encrypted: give its passphrase")

	// ErrPassphraseWrong says that the passphrase does not open the private
	// key. Most formats cannot tell a wrong passphrase from damage in the
	// encrypted part, so damage there matches as well.
	ErrPassphraseWrong = errors.New("the passphrase does not open the private key")

	// ErrFormat says that the data is not a private key that can be read: it
	// is something else, it is damaged, or it is of a format or a key type that
	// is not supported. The text names which, and the cure where there is one.
	ErrFormat = errors.New("not a readable private key")

	// ErrCertificate says that a certificate cannot be joined to a key.
	ErrCertificate = errors.New("not a usable OpenSSH user certificate")
)

// longestName bounds, in bytes, a name that an error repeats from a key file.
const longestName = 40

// safeName returns name, which was read from a key file, in a shape that an
// error may show. Anything that does not look like the name of an algorithm is
// withheld: in a mangled file, key material can stand where a name should.
func safeName(name string) string {
	if name == "" || len(name) > longestName {
		return "(unknown)"
	}
	for _, r := range name {
		if !isNameRune(r) {
			return "(unknown)"
		}
	}
	return name
}

func isNameRune(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		return true
	}
	return r == '-' || r == '@' || r == '.'
}
