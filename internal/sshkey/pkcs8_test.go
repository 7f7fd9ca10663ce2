package sshkey_test

import (
	"crypto"
	"crypto/x509/pkix"
	"encoding/asn1"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/youmark/pkcs8"
	"golang.org/x/crypto/ssh"

	"github.com/hawser/hawser/internal/sshkey"
)

var (
	oidPBES2      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBKDF2     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
	oidScrypt     = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11591, 4, 11}
	oidAES256CBC  = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42}
	oidAES256GCM  = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 46}
	oidHMACSHA256 = asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 9}
)

func TestEncryptedPKCS8ThatGoWrites(t *testing.T) {
	t.Parallel()
	schemes := map[string]*pkcs8.Opts{
		"PBKDF2 with SHA-1":   {Cipher: pkcs8.AES128CBC, KDFOpts: pkcs8.PBKDF2Opts{SaltSize: 8, IterationCount: 1000, HMACHash: crypto.SHA1}},
		"PBKDF2 with SHA-256": {Cipher: pkcs8.AES256CBC, KDFOpts: pkcs8.PBKDF2Opts{SaltSize: 16, IterationCount: 1000, HMACHash: crypto.SHA256}},
		"scrypt":              {Cipher: pkcs8.AES256CBC, KDFOpts: pkcs8.ScryptOpts{SaltSize: 16, CostParameter: 1024, BlockSize: 8, ParallelizationParameter: 2}},
	}
	for keyName, key := range goKeys(t) {
		want, err := ssh.NewSignerFromKey(key)
		require.NoError(t, err)
		for schemeName, scheme := range schemes {
			name := keyName + ", " + schemeName
			der, err := pkcs8.MarshalPrivateKey(key, []byte("secret"), scheme)
			require.NoError(t, err, name)
			signer, err := sshkey.Parse(pemText("ENCRYPTED PRIVATE KEY", der), []byte("secret"))
			require.NoError(t, err, name)
			assert.Equal(t, want.PublicKey().Marshal(), signer.PublicKey().Marshal(), name)
			_, err = sshkey.Parse(pemText("ENCRYPTED PRIVATE KEY", der), []byte("guess"))
			require.ErrorIs(t, err, sshkey.ErrPassphraseWrong, name)
		}
	}
}

// pbes2Text writes an encrypted PKCS #8 key of any parameters.
func pbes2Text(t testing.TB, kdf asn1.ObjectIdentifier, kdfParams any, cipher asn1.ObjectIdentifier, iv, data []byte) []byte {
	t.Helper()
	params := asn1DER(t, struct{ KDF, Cipher pkix.AlgorithmIdentifier }{
		pkix.AlgorithmIdentifier{Algorithm: kdf, Parameters: asn1.RawValue{FullBytes: asn1DER(t, kdfParams)}},
		pkix.AlgorithmIdentifier{Algorithm: cipher, Parameters: asn1.RawValue{FullBytes: asn1DER(t, iv)}},
	})
	return pemText("ENCRYPTED PRIVATE KEY", asn1DER(t, struct {
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte
	}{pkix.AlgorithmIdentifier{Algorithm: oidPBES2, Parameters: asn1.RawValue{FullBytes: params}}, data}))
}

func asn1DER(t testing.TB, value any) []byte {
	t.Helper()
	der, err := asn1.Marshal(value)
	require.NoError(t, err)
	return der
}

type (
	pbkdf2Numbers struct {
		Salt       []byte
		Iterations int64
	}
	scryptNumbers struct {
		Salt    []byte
		N, R, P int64
	}
)

func TestHostilePKCS8IsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	salt, iv, data := make([]byte, 8), make([]byte, 16), make([]byte, 32)
	aesText := func(kdf asn1.ObjectIdentifier, params any) []byte {
		return pbes2Text(t, kdf, params, oidAES256CBC, iv, data)
	}
	tests := map[string]struct {
		text []byte
		want string
	}{
		"iterations for hours":     {aesText(oidPBKDF2, pbkdf2Numbers{salt, 1 << 31}), "iterations of PBKDF2 are out of range"},
		"no iterations":            {aesText(oidPBKDF2, pbkdf2Numbers{salt, 0}), "out of range"},
		"negative iterations":      {aesText(oidPBKDF2, pbkdf2Numbers{salt, -1}), "out of range"},
		"scrypt N of gigabytes":    {aesText(oidScrypt, scryptNumbers{salt, 1 << 40, 8, 1}), "ask for too much"},
		"scrypt N times r":         {aesText(oidScrypt, scryptNumbers{salt, 1 << 18, 1 << 12, 1}), "ask for too much"},
		"scrypt r that overflows":  {aesText(oidScrypt, scryptNumbers{salt, 1 << 14, 1 << 62, 1}), "ask for too much"},
		"scrypt p for hours":       {aesText(oidScrypt, scryptNumbers{salt, 1 << 14, 8, 1 << 20}), "ask for too much"},
		"scrypt N no power of two": {aesText(oidScrypt, scryptNumbers{salt, 1000, 8, 1}), "damaged"},
		"scrypt N of zero":         {aesText(oidScrypt, scryptNumbers{salt, 0, 8, 1}), "damaged"},
		"scrypt r of zero":         {aesText(oidScrypt, scryptNumbers{salt, 1024, 0, 1}), "damaged"},
		"scrypt p negative":        {aesText(oidScrypt, scryptNumbers{salt, 1024, 8, -1}), "damaged"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			requireRefused(t, test.text, test.want)
			assert.Less(t, time.Since(start), time.Second)
		})
	}
}

// TestPKCS8ThatTheDecrypterCannotTakeIsRefused holds what youmark/pkcs8 would
// panic on or misread.
func TestPKCS8ThatTheDecrypterCannotTakeIsRefused(t *testing.T) {
	t.Parallel()
	salt, iv, data := make([]byte, 8), make([]byte, 16), make([]byte, 32)
	aesText := func(kdf asn1.ObjectIdentifier, params any) []byte {
		return pbes2Text(t, kdf, params, oidAES256CBC, iv, data)
	}
	cheap := pbkdf2Numbers{salt, 1}
	tests := map[string]struct {
		text []byte
		want string
	}{
		"an unknown KDF":  {aesText(oidPBES2, cheap), "key derivation (OID 1.2.840.113549.1.5.13)"},
		"GCM":             {pbes2Text(t, oidPBKDF2, cheap, oidAES256GCM, iv, data), "cipher (OID 2.16.840.1.101.3.4.1.46)"},
		"an IV too short": {pbes2Text(t, oidPBKDF2, cheap, oidAES256CBC, iv[:8], data), "wrong length"},
		"an IV too long":  {pbes2Text(t, oidPBKDF2, cheap, oidAES256CBC, data, data), "wrong length"},
		"half a block":    {pbes2Text(t, oidPBKDF2, cheap, oidAES256CBC, iv, data[:24]), "wrong length"},
		"no data":         {pbes2Text(t, oidPBKDF2, cheap, oidAES256CBC, iv, nil), "wrong length"},
		"another key size": {
			aesText(oidPBKDF2, struct {
				Salt       []byte
				Iterations int64
				KeySize    int
			}{salt, 1, 16}), "differ in key size",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requireRefused(t, test.text, test.want)
		})
	}
}

// TestPBKDF2KeySizeIsUnderstood covers what Java writes: the key size between
// the iterations and the hash.
func TestPBKDF2KeySizeIsUnderstood(t *testing.T) {
	t.Parallel()
	for name, key := range goKeys(t) {
		der, err := pkcs8.MarshalPrivateKey(key, []byte("secret"), &pkcs8.Opts{
			Cipher:  pkcs8.AES256CBC,
			KDFOpts: pkcs8.PBKDF2Opts{SaltSize: 8, IterationCount: 1000, HMACHash: crypto.SHA256},
		})
		require.NoError(t, err)
		signer, err := sshkey.Parse(withKeySize(t, der, 32), []byte("secret"))
		require.NoError(t, err, name)
		requireSigns(t, signer)
	}
}

// withKeySize writes the key size into the PBKDF2 parameters of der.
func withKeySize(t *testing.T, der []byte, size int) []byte {
	t.Helper()
	var file struct {
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte
	}
	var scheme struct{ KDF, Cipher pkix.AlgorithmIdentifier }
	var numbers pbkdf2Numbers
	var iv []byte
	for _, part := range []struct {
		der   func() []byte
		value any
	}{
		{func() []byte { return der }, &file},
		{func() []byte { return file.Algorithm.Parameters.FullBytes }, &scheme},
		{func() []byte { return scheme.KDF.Parameters.FullBytes }, &numbers},
		{func() []byte { return scheme.Cipher.Parameters.FullBytes }, &iv},
	} {
		_, err := asn1.Unmarshal(part.der(), part.value)
		require.NoError(t, err)
	}
	return pbes2Text(t, oidPBKDF2, struct {
		Salt       []byte
		Iterations int64
		KeySize    int
		PRF        pkix.AlgorithmIdentifier
	}{numbers.Salt, numbers.Iterations, size, pkix.AlgorithmIdentifier{Algorithm: oidHMACSHA256, Parameters: asn1.NullRawValue}},
		oidAES256CBC, iv, file.Data)
}
