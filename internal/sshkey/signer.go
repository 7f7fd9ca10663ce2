package sshkey

import (
	"crypto/dsa" //lint:ignore SA1019 old appliances still take nothing but DSA keys
	"crypto/ed25519"
	"crypto/rsa"
	"fmt"
	"math/big"

	"golang.org/x/crypto/ssh"
)

// algoDSA is the DSA key type, whose constant in x/crypto is deprecated.
const algoDSA = "ssh-dss"

// minRSA is the shortest RSA key, in bits, that crypto/rsa signs with.
const minRSA = 1024

// A loaded is a private key that was checked, and what signs with it in SSH.
type loaded struct {
	key    any
	signer ssh.Signer
}

// newLoaded checks key, a private key as the parsers of the standard library
// and of x/crypto return it, for what those leave out. Errors match [ErrFormat].
func newLoaded(key any) (*loaded, error) {
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if err := checkHalves(key); err != nil {
		return nil, err
	}
	return &loaded{key, signer}, nil
}

// checkHalves refuses a private half that does not belong to the public half,
// for the key types whose parsers do not check it, and keys that could be
// loaded but never sign.
func checkHalves(key any) error {
	switch key := key.(type) {
	case *rsa.PrivateKey:
		return checkRSA(key)
	case *dsa.PrivateKey:
		return checkDSA(key)
	case *ed25519.PrivateKey:
		// x/crypto takes both halves of an OpenSSH key as they stand.
		if !ed25519.NewKeyFromSeed(key.Seed()).Equal(*key) {
			return errMismatch()
		}
	}
	return nil
}

func checkRSA(key *rsa.PrivateKey) error {
	if len(key.Primes) != 2 {
		// crypto/rsa checks the numbers of such a key hardly at all.
		return fmt.Errorf("%w: an RSA key of %d primes is not supported: make a new key",
			ErrFormat, len(key.Primes))
	}
	if bits := key.N.BitLen(); bits < minRSA {
		return fmt.Errorf("%w: an RSA key of %d bits is too short to be used: make a new key",
			ErrFormat, bits)
	}
	return nil
}

// checkDSA expects that the size of the parameters has been checked, which
// [ssh.NewSignerFromKey] does.
func checkDSA(key *dsa.PrivateKey) error {
	if key.X.Sign() <= 0 || key.X.Cmp(key.Q) >= 0 {
		return errMismatch()
	}
	if new(big.Int).Exp(key.G, key.X, key.P).Cmp(key.Y) != 0 {
		return errMismatch()
	}
	return nil
}

func errMismatch() error {
	return fmt.Errorf("%w: its private half does not belong to its public half: the file is damaged", ErrFormat)
}
