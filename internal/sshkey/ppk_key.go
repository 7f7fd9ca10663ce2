package sshkey

import (
	"bytes"
	"crypto/dsa" //lint:ignore SA1019 old appliances still take nothing but DSA keys
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"fmt"
	"math/big"
	"strings"

	"golang.org/x/crypto/ssh"
)

// ppkJoin joins the two halves of a PuTTY key. It makes the public half anew
// from the private one, and refuses a key whose own says otherwise.
func ppkJoin(algorithm string, public, private []byte) (*loaded, error) {
	if err := checkPPKAlgorithm(algorithm); err != nil {
		return nil, err
	}
	stated, err := ssh.ParsePublicKey(public)
	if err != nil {
		return nil, fmt.Errorf("%w: PuTTY file: its public half is damaged: %w", ErrFormat, err)
	}
	if stated.Type() != algorithm {
		return nil, errMismatch()
	}
	key, err := ppkPrivate(stated, private)
	if err != nil {
		return nil, err
	}
	checked, err := newLoaded(key)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(checked.signer.PublicKey().Marshal(), public) {
		return nil, errMismatch()
	}
	return checked, nil
}

func checkPPKAlgorithm(name string) error {
	switch name {
	case ssh.KeyAlgoRSA, ssh.KeyAlgoED25519, algoDSA,
		ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521:
		return nil
	}
	if strings.Contains(name, "-cert-") {
		return fmt.Errorf("%w: PuTTY file: it holds a certificate too: take that out with "+
			"puttygen FILE --remove-certificate -o NEWFILE, and name the certificate apart from the key", ErrFormat)
	}
	return fmt.Errorf("%w: PuTTY file: the key type %s is not supported: use an ed25519, ecdsa or rsa key",
		ErrFormat, safeName(name))
}

// ppkPrivate returns the private key of the blob private, whose public half is stated.
func ppkPrivate(stated ssh.PublicKey, private []byte) (any, error) {
	public, ok := stated.(ssh.CryptoPublicKey)
	if !ok {
		return nil, errMismatch()
	}
	switch public := public.CryptoPublicKey().(type) {
	case *rsa.PublicKey:
		return ppkRSA(public, private)
	case *dsa.PublicKey:
		return ppkDSA(public, private)
	case *ecdsa.PublicKey:
		return ppkECDSA(public, private)
	case ed25519.PublicKey:
		return ppkEd25519(private)
	}
	return nil, errMismatch()
}

func ppkRSA(public *rsa.PublicKey, private []byte) (any, error) {
	var numbers struct {
		D, P, Q, IQMP *big.Int
		Padding       []byte `ssh:"rest"`
	}
	if err := unmarshalPPK(private, &numbers); err != nil {
		return nil, err
	}
	for _, n := range []*big.Int{numbers.D, numbers.P, numbers.Q} {
		if n.Sign() <= 0 || n.Cmp(public.N) >= 0 {
			return nil, errMismatch()
		}
	}
	key := &rsa.PrivateKey{
		PublicKey: *public,
		D:         numbers.D,
		Primes:    []*big.Int{numbers.P, numbers.Q},
	}
	key.Precompute()
	if err := key.Validate(); err != nil {
		return nil, errMismatch()
	}
	return key, nil
}

func ppkDSA(public *dsa.PublicKey, private []byte) (any, error) {
	var numbers struct {
		X       *big.Int
		Padding []byte `ssh:"rest"`
	}
	if err := unmarshalPPK(private, &numbers); err != nil {
		return nil, err
	}
	return &dsa.PrivateKey{PublicKey: *public, X: numbers.X}, nil
}

func ppkECDSA(public *ecdsa.PublicKey, private []byte) (any, error) {
	var numbers struct {
		D       *big.Int
		Padding []byte `ssh:"rest"`
	}
	if err := unmarshalPPK(private, &numbers); err != nil {
		return nil, err
	}
	size := (public.Params().BitSize + 7) / 8
	if numbers.D.Sign() <= 0 || numbers.D.BitLen() > 8*size {
		return nil, errMismatch()
	}
	key, err := ecdsa.ParseRawPrivateKey(public.Curve, numbers.D.FillBytes(make([]byte, size)))
	if err != nil {
		return nil, errMismatch()
	}
	return key, nil
}

func ppkEd25519(private []byte) (any, error) {
	var numbers struct {
		Seed    []byte
		Padding []byte `ssh:"rest"`
	}
	if err := unmarshalPPK(private, &numbers); err != nil {
		return nil, err
	}
	if len(numbers.Seed) != ed25519.SeedSize {
		return nil, errMismatch()
	}
	return ed25519.NewKeyFromSeed(numbers.Seed), nil
}

func unmarshalPPK(private []byte, numbers any) error {
	if err := ssh.Unmarshal(private, numbers); err != nil {
		return fmt.Errorf("%w: PuTTY file: its private half is damaged: %w", ErrFormat, err)
	}
	return nil
}
