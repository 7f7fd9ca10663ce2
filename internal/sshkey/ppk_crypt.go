package sshkey

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"fmt"
	"hash"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/ssh"
)

// Bounds on the cost of opening one file: seconds of one core at most. PuTTYgen
// sets 8 MiB, one thread, and the passes that fit into 100 ms: 10 to 20.
const (
	maxArgon2Memory      = 256 << 10 // KiB
	maxArgon2Passes      = 4 << 10
	maxArgon2Work        = 4 << 20 // KiB times passes, which must fit into 32 bits
	maxArgon2Parallelism = 64
)

// Sizes, in bytes, of what opens a file.
const (
	ppkKeySize = 32
	ppkIVSize  = aes.BlockSize
	ppkMACSize = 32
)

// ppkKDF is how version 3 makes keys of a passphrase.
type ppkKDF struct {
	flavour     string // Argon2id or Argon2i
	memory      int    // KiB
	passes      int
	parallelism int
	salt        []byte
}

func (r *ppkReader) kdf() ppkKDF {
	k := ppkKDF{flavour: r.field("Key-Derivation")}
	switch k.flavour {
	case "Argon2id", "Argon2i":
	default:
		r.fail("its key derivation, %s, is not supported: open it in PuTTYgen and save it again with Argon2id",
			safeName(k.flavour))
	}
	k.memory = r.number("Argon2-Memory", maxArgon2Memory)
	k.passes = r.number("Argon2-Passes", maxArgon2Passes)
	k.parallelism = r.number("Argon2-Parallelism", maxArgon2Parallelism)
	k.salt = r.hex("Argon2-Salt")
	if k.memory*k.passes > maxArgon2Work {
		r.fail("its Argon2 parameters ask for too much (%d KiB, %d passes): "+
			"open it in PuTTYgen and save it again with fewer passes", k.memory, k.passes)
	}
	return k
}

// ppkKeys are the keys of one file. In a plain file only mac is used.
type ppkKeys struct {
	cipher []byte
	iv     []byte
	mac    []byte
	hash   func() hash.Hash // of the MAC
}

// open returns the private half in the clear, its MAC verified. What it returns
// may have padding at the end.
func (f *ppkFile) open(passphrase []byte) ([]byte, error) {
	encrypted := f.encryption == ppkEncrypted
	if !encrypted {
		passphrase = nil
	} else if len(passphrase) == 0 {
		return nil, ErrPassphraseMissing
	}
	keys := f.keys(passphrase)
	private := f.private
	if encrypted {
		var err error
		if private, err = keys.decrypt(f.private); err != nil {
			return nil, err
		}
	}
	if hmac.Equal(f.macOf(private, keys), f.mac) {
		return private, nil
	}
	if encrypted {
		return nil, ErrPassphraseWrong
	}
	return nil, fmt.Errorf("%w: PuTTY file: its MAC is wrong: the file is damaged or was changed by hand", ErrFormat)
}

// keys derives the keys of f; passphrase is nil for a plain file.
func (f *ppkFile) keys(passphrase []byte) ppkKeys {
	if f.version == 2 {
		return ppkKeys2(passphrase)
	}
	if passphrase == nil {
		return ppkKeys{hash: sha256.New} // the MAC of a plain file has an empty key
	}
	return f.kdf.keys(passphrase)
}

// ppkKeys2 derives keys as version 2 does.
func ppkKeys2(passphrase []byte) ppkKeys {
	first := sha1.Sum(append([]byte{0, 0, 0, 0}, passphrase...))
	second := sha1.Sum(append([]byte{0, 0, 0, 1}, passphrase...))
	mac := sha1.Sum(append([]byte("putty-private-key-file-mac-key"), passphrase...))
	return ppkKeys{
		cipher: append(first[:], second[:]...)[:ppkKeySize],
		iv:     make([]byte, ppkIVSize),
		mac:    mac[:],
		hash:   sha1.New,
	}
}

func (k ppkKDF) keys(passphrase []byte) ppkKeys {
	derive := argon2.IDKey
	if k.flavour == "Argon2i" {
		derive = argon2.Key
	}
	all := derive(passphrase, k.salt, uint32(k.passes), uint32(k.memory), uint8(k.parallelism),
		ppkKeySize+ppkIVSize+ppkMACSize)
	return ppkKeys{
		cipher: all[:ppkKeySize],
		iv:     all[ppkKeySize : ppkKeySize+ppkIVSize],
		mac:    all[ppkKeySize+ppkIVSize:],
		hash:   sha256.New,
	}
}

func (k ppkKeys) decrypt(private []byte) ([]byte, error) {
	if len(private) == 0 || len(private)%aes.BlockSize != 0 {
		return nil, fmt.Errorf("%w: PuTTY file: its encrypted part has a wrong length: the file is damaged", ErrFormat)
	}
	block, err := aes.NewCipher(k.cipher)
	if err != nil {
		return nil, err
	}
	plain := make([]byte, len(private))
	cipher.NewCBCDecrypter(block, k.iv).CryptBlocks(plain, private)
	return plain, nil
}

// macOf returns the MAC over what f says and over its private half in the clear.
func (f *ppkFile) macOf(private []byte, keys ppkKeys) []byte {
	covered := ssh.Marshal(struct {
		Algorithm, Encryption, Comment string
		Public, Private                []byte
	}{f.algorithm, f.encryption, f.comment, f.public, private})
	mac := hmac.New(keys.hash, keys.mac)
	mac.Write(covered)
	return mac.Sum(nil)
}
