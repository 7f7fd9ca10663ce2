package ssh

import (
	"fmt"
	"io"
	"os"

	xssh "golang.org/x/crypto/ssh"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/sshkey"
)

// maxKeyFile bounds what is read as a key or a certificate, in bytes.
const maxKeyFile = 1 << 20

// loadKey returns the signers of k, best first: with its certificate, then
// without. A k that names no key has none.
func loadKey(k hawser.Key) ([]xssh.Signer, error) {
	if k.IsZero() {
		return nil, nil
	}
	text := []byte(k.Content.Reveal())
	if k.File != "" {
		var err error
		if text, err = readSmall(k.File); err != nil {
			return nil, fmt.Errorf("auth.key.file: %w", err)
		}
	}
	signer, err := sshkey.Parse(text, []byte(k.Passphrase.Reveal()))
	if err != nil {
		return nil, fmt.Errorf("auth.key: %w", err)
	}
	if k.Certificate == "" {
		return []xssh.Signer{signer}, nil
	}
	text, err = readSmall(k.Certificate)
	if err != nil {
		return nil, fmt.Errorf("auth.key.certificate: %w", err)
	}
	certified, err := sshkey.WithCertificate(signer, text)
	if err != nil {
		return nil, fmt.Errorf("auth.key.certificate: %w", err)
	}
	return []xssh.Signer{certified, signer}, nil
}

func readSmall(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err == nil && len(b) > maxKeyFile {
		err = fmt.Errorf("%s is larger than 1 MiB, so it is no key", path)
	}
	return b, err
}

// limitSignatures keeps RSA keys to the signatures that the profile allows:
// x/crypto would sign with SHA-1 where a server does not say what it takes.
func limitSignatures(signers []xssh.Signer, signatures []string) []xssh.Signer {
	limited := make([]xssh.Signer, len(signers))
	for i, signer := range signers {
		limited[i] = signer
		rsaSigner, ok := signer.(xssh.AlgorithmSigner)
		if !ok || xssh.KeyAlgoRSA != plainType(signer.PublicKey()) {
			continue
		}
		if narrowed, err := xssh.NewSignerWithAlgorithms(rsaSigner, signatures); err == nil {
			limited[i] = narrowed
		}
	}
	return limited
}

// plainType is the type of a key, or of the key in a certificate.
func plainType(key xssh.PublicKey) string {
	if certificate, ok := key.(*xssh.Certificate); ok {
		return certificate.Key.Type()
	}
	return key.Type()
}
