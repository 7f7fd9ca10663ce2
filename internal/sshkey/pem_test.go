package sshkey_test

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser/internal/sshkey"
)

func TestDamagedPEMKeysAreRefused(t *testing.T) {
	t.Parallel()
	dek := string(fixture(t, "pem/rsa-dek-des3"))
	tests := map[string]string{
		"a DEK-Info header on PKCS #8": strings.ReplaceAll(dek, "RSA PRIVATE KEY", "PRIVATE KEY"),
		"an IV of the wrong length":    strings.Replace(dek, "DES-EDE3-CBC,", "DES-EDE3-CBC,00", 1),
		"no DEK-Info header":           strings.Replace(dek, "DEK-Info", "Other", 1),
		"RSA that is noise":            string(pemText("RSA PRIVATE KEY", []byte("noise"))),
		"ECDSA that is noise":          string(pemText("EC PRIVATE KEY", []byte("noise"))),
		"DSA that is noise":            string(pemText("DSA PRIVATE KEY", []byte("noise"))),
		"PKCS #8 that is noise":        string(pemText("PRIVATE KEY", []byte("noise"))),
		"encrypted PKCS #8 of noise":   string(pemText("ENCRYPTED PRIVATE KEY", []byte("noise"))),
	}
	for name, text := range tests {
		_, err := sshkey.Parse([]byte(text), []byte("secret"))
		assert.ErrorIs(t, err, sshkey.ErrFormat, name)
	}
}

// TestLegacyPEMNeverTakesAWrongPassphrase tries more guesses than the 256 of
// which one leaves a padding that looks right.
func TestLegacyPEMNeverTakesAWrongPassphrase(t *testing.T) {
	t.Parallel()
	text := fixture(t, "openssh/ecdsa256-encrypted.pem")
	for guess := range 2000 {
		_, err := sshkey.Parse(text, big.NewInt(int64(guess)).Append(nil, 10))
		require.ErrorIs(t, err, sshkey.ErrPassphraseWrong)
	}
}

func TestDSAHalvesMustBelongTogether(t *testing.T) {
	t.Parallel()
	block, _ := pem.Decode(fixture(t, "openssh/dsa.pem"))
	require.NotNil(t, block)
	var numbers []*big.Int // version, p, q, g, y, x
	_, err := asn1.Unmarshal(block.Bytes, &numbers)
	require.NoError(t, err)
	for name, x := range map[string]*big.Int{
		"another": new(big.Int).Sub(numbers[5], big.NewInt(1)),
		"zero":    new(big.Int),
		"huge":    new(big.Int).Lsh(big.NewInt(1), 100_000),
	} {
		numbers[5] = x
		der, err := asn1.Marshal(numbers)
		require.NoError(t, err)
		_, err = sshkey.Parse(pemText("DSA PRIVATE KEY", der), nil)
		require.ErrorIs(t, err, sshkey.ErrFormat, name)
		assert.ErrorContains(t, err, "does not belong", name)
	}
}

func TestWeakRSAKeysAreRefused(t *testing.T) {
	t.Parallel()
	// 2^89-1, 2^107-1, 2^127-1, 2^521-1 and 2^607-1 are primes.
	mersenne := func(n uint) *big.Int {
		one := big.NewInt(1)
		return one.Sub(new(big.Int).Lsh(one, n), big.NewInt(1))
	}
	tests := map[string]struct {
		primes []*big.Int
		want   string
	}{
		"shorter than 1024 bits": {[]*big.Int{mersenne(521), mersenne(127)}, "bits is too short"},
		"of three primes":        {[]*big.Int{mersenne(521), mersenne(607), mersenne(127)}, "3 primes"},
	}
	for name, test := range tests {
		_, err := sshkey.Parse(pemText("RSA PRIVATE KEY", rsaOf(test.primes)), nil)
		require.ErrorIs(t, err, sshkey.ErrFormat, name)
		assert.ErrorContains(t, err, test.want, name)
	}
}

// rsaOf returns the PKCS #1 form of an RSA key of primes.
func rsaOf(primes []*big.Int) []byte {
	one := big.NewInt(1)
	n, phi := big.NewInt(1), big.NewInt(1)
	for _, p := range primes {
		n.Mul(n, p)
		phi.Mul(phi, new(big.Int).Sub(p, one))
	}
	key := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: n, E: 65537}, Primes: primes}
	key.D = new(big.Int).ModInverse(big.NewInt(65537), phi)
	key.Precompute()
	return x509.MarshalPKCS1PrivateKey(key)
}
