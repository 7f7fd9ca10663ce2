package sshkey

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"
)

const (
	opensshMagic = "openssh-key-v1\x00"

	// maxBcryptRounds bounds the passphrase hashing to some eight seconds of one
	// core. ssh-keygen sets 16 rounds; x/crypto itself would run 2048.
	maxBcryptRounds = 1024
)

// opensshKey is the clear part of an OpenSSH private key, as PROTOCOL.key of
// the OpenSSH sources lays it out after the magic.
type opensshKey struct {
	Cipher     string
	KDF        string
	KDFOptions []byte
	Keys       uint32
	Public     []byte
	Private    []byte
	Rest       []byte `ssh:"rest"`
}

// opensshKDF is what KDFOptions holds for bcrypt, the only KDF there is.
type opensshKDF struct {
	Salt   []byte
	Rounds uint32
}

// parseOpenSSH reads the body of an OPENSSH PRIVATE KEY block. The work is
// x/crypto's; what it cannot read is found first, to say so with a cure.
func parseOpenSSH(body, passphrase []byte) (*loaded, error) {
	file, err := readOpenSSH(body)
	if err != nil {
		return nil, err
	}
	key, err := file.open(body, passphrase)
	if err != nil {
		return nil, err
	}
	checked, err := newLoaded(key)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(checked.signer.PublicKey().Marshal(), file.Public) {
		// x/crypto does not compare them; ssh-keygen and ssh do.
		return nil, errMismatch()
	}
	return checked, nil
}

// open returns the private key in body, the bytes that k was read from.
func (k *opensshKey) open(body, passphrase []byte) (any, error) {
	text := pem.EncodeToMemory(&pem.Block{Type: typeOpenSSH, Bytes: body})
	if k.Cipher == "none" {
		key, err := ssh.ParseRawPrivateKey(text)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrFormat, err)
		}
		return key, nil
	}
	if len(passphrase) == 0 {
		return nil, ErrPassphraseMissing
	}
	key, err := ssh.ParseRawPrivateKeyWithPassphrase(text, passphrase)
	if errors.Is(err, x509.IncorrectPasswordError) {
		return nil, ErrPassphraseWrong
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return key, nil
}

func readOpenSSH(body []byte) (*opensshKey, error) {
	rest, ok := bytes.CutPrefix(body, []byte(opensshMagic))
	if !ok {
		return nil, fmt.Errorf("%w: its OpenSSH header is damaged", ErrFormat)
	}
	k := new(opensshKey)
	if err := ssh.Unmarshal(rest, k); err != nil {
		return nil, fmt.Errorf("%w: its OpenSSH header is damaged: %w", ErrFormat, err)
	}
	if k.Keys != 1 {
		return nil, fmt.Errorf("%w: an OpenSSH file of %d keys: one key a file is supported", ErrFormat, k.Keys)
	}
	if err := k.checkType(); err != nil {
		return nil, err
	}
	return k, k.checkEncryption()
}

// checkType refuses key types that x/crypto cannot sign with. The public half
// is never encrypted, so that this needs no passphrase.
func (k *opensshKey) checkType() error {
	var public struct {
		Type string
		Rest []byte `ssh:"rest"`
	}
	if err := ssh.Unmarshal(k.Public, &public); err != nil {
		return fmt.Errorf("%w: its public half is damaged: %w", ErrFormat, err)
	}
	switch public.Type {
	case ssh.KeyAlgoRSA, ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521:
		return nil
	case algoDSA:
		return fmt.Errorf("%w: a DSA key is not read from this format: "+
			"rewrite it with ssh-keygen -p -m PEM -f FILE", ErrFormat)
	}
	if strings.HasPrefix(public.Type, "sk-") {
		return fmt.Errorf("%w: a %s key stays in its security key: load it into ssh-agent and use the agent",
			ErrFormat, safeName(public.Type))
	}
	return fmt.Errorf("%w: the key type %s is not supported: use an ed25519, ecdsa or rsa key",
		ErrFormat, safeName(public.Type))
}

// checkEncryption refuses what x/crypto cannot decrypt, naming what would.
func (k *opensshKey) checkEncryption() error {
	switch k.Cipher {
	case "none":
		return nil
	case "aes256-ctr", "aes256-cbc":
	default:
		return fmt.Errorf("%w: its cipher, %s, is not supported: "+
			"rewrite it with ssh-keygen -p -Z aes256-ctr -f FILE", ErrFormat, safeName(k.Cipher))
	}
	if k.KDF != "bcrypt" {
		return fmt.Errorf("%w: its key derivation, %s, is not supported: "+
			"rewrite it with ssh-keygen -p -f FILE", ErrFormat, safeName(k.KDF))
	}
	var kdf opensshKDF
	if err := ssh.Unmarshal(k.KDFOptions, &kdf); err != nil {
		return fmt.Errorf("%w: its key derivation is damaged: %w", ErrFormat, err)
	}
	if kdf.Rounds > maxBcryptRounds {
		return fmt.Errorf("%w: %d rounds of bcrypt take too long, at most %d are run: "+
			"rewrite it with ssh-keygen -p -a 100 -f FILE", ErrFormat, kdf.Rounds, maxBcryptRounds)
	}
	return nil
}
