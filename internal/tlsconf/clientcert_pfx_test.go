package tlsconf_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser/internal/testcert"
)

// What follows writes any PKCS #12 (RFC 7292), as odd as a test wants it.

type pfxContent struct {
	Type    asn1.ObjectIdentifier
	Content asn1.RawValue
}

type pfxAlgorithm = pkix.AlgorithmIdentifier

func pfxOID(tail ...int) asn1.ObjectIdentifier {
	return append(asn1.ObjectIdentifier{1, 2, 840, 113549, 1}, tail...)
}

func pfxBagOID(kind int) asn1.ObjectIdentifier { return pfxOID(12, 10, 1, kind) }

func pfxTagged(der []byte) asn1.RawValue {
	return asn1.RawValue{Class: asn1.ClassContextSpecific, IsCompound: true, Bytes: der}
}

func pfxRaw(t testing.TB, value any) asn1.RawValue {
	t.Helper()
	return asn1.RawValue{FullBytes: clientDER(t, value)}
}

// pfxBag is a SafeBag: 1 a key, 2 an encrypted key, 3 a certificate.
func pfxBag(t testing.TB, kind int, der []byte) []byte {
	t.Helper()
	return clientDER(t, pfxContent{pfxBagOID(kind), pfxTagged(der)})
}

func pfxCertificate(t testing.TB, p *testcert.Pair) []byte {
	t.Helper()
	return pfxBag(t, 3, clientDER(t, pfxContent{pfxOID(9, 22, 1), pfxTagged(clientDER(t, p.Cert.Raw))}))
}

func pfxKey(t testing.TB, p *testcert.Pair) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(p.Key)
	require.NoError(t, err)
	return der
}

// pfxBags is SafeContents.
func pfxBags(t testing.TB, bags ...[]byte) []byte {
	t.Helper()
	return clientDER(t, asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: joined(bags...)})
}

// pfxData is a part that is not encrypted.
func pfxData(t testing.TB, safe []byte) []byte {
	t.Helper()
	return clientDER(t, pfxContent{pfxOID(7, 1), pfxTagged(clientDER(t, safe))})
}

// pfxEncrypted is a part that is.
func pfxEncrypted(t testing.TB, algorithm pfxAlgorithm, data []byte) []byte {
	t.Helper()
	type inner struct {
		Type      asn1.ObjectIdentifier
		Algorithm pfxAlgorithm
		Data      []byte `asn1:"tag:0"`
	}
	return clientDER(t, pfxContent{pfxOID(7, 6), pfxTagged(clientDER(t, struct {
		Version int
		Content inner
	}{0, inner{pfxOID(7, 1), algorithm, data}}))})
}

// pfxShrouded is a bag of an encrypted key.
func pfxShrouded(t testing.TB, algorithm pfxAlgorithm, data []byte) []byte {
	t.Helper()
	return pfxBag(t, 2, clientDER(t, struct {
		Algorithm pfxAlgorithm
		Data      []byte
	}{algorithm, data}))
}

// pfxFile is a PFX of parts, with a MAC if there is one.
func pfxFile(t testing.TB, mac func(t testing.TB, safe []byte) asn1.RawValue, parts ...[]byte) []byte {
	t.Helper()
	safe := pfxBags(t, parts...)
	file := struct {
		Version int
		Safe    pfxContent
		MAC     asn1.RawValue `asn1:"optional"`
	}{Version: 3, Safe: pfxContent{pfxOID(7, 1), pfxTagged(clientDER(t, safe))}}
	if mac != nil {
		file.MAC = mac(t, safe)
	}
	return clientDER(t, file)
}

type pfxMAC struct {
	Digest struct {
		Algorithm pfxAlgorithm
		Value     []byte
	}
	Salt       []byte
	Iterations int64
}

// pfxPBMAC1 is a MAC of RFC 9579 that says it has iterations, and is right if
// they are few.
func pfxPBMAC1(password string, iterations, keySize int) func(testing.TB, []byte) asn1.RawValue {
	return func(t testing.TB, safe []byte) asn1.RawValue {
		var m pfxMAC
		m.Digest.Algorithm = pfxAlgorithm{Algorithm: pfxOID(5, 14), Parameters: pfxRaw(t, struct{ KDF, MAC pfxAlgorithm }{
			pfxPBKDF2(t, iterations, keySize), pfxAlgorithm{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 9}},
		})}
		m.Iterations = 1
		if iterations > 0 && iterations < 10_000 && keySize <= 64 {
			key, err := pbkdf2.Key(sha256.New, password, []byte("salt"), iterations, keySize)
			require.NoError(t, err)
			mac := hmac.New(sha256.New, key)
			mac.Write(safe)
			m.Digest.Value = mac.Sum(nil)
		}
		return pfxRaw(t, m)
	}
}

func pfxPBKDF2(t testing.TB, iterations, keySize int) pfxAlgorithm {
	t.Helper()
	return pfxAlgorithm{Algorithm: pfxOID(5, 12), Parameters: pfxRaw(t, struct {
		Salt       []byte
		Iterations int64
		KeySize    int `asn1:"optional"`
		PRF        pfxAlgorithm
	}{[]byte("salt"), int64(iterations), keySize, pfxAlgorithm{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 9}}})}
}

// pfxAES is PBES2 that says it has iterations.
func pfxAES(t testing.TB, iterations int) pfxAlgorithm {
	t.Helper()
	return pfxAlgorithm{Algorithm: pfxOID(5, 13), Parameters: pfxRaw(t, struct{ KDF, Cipher pfxAlgorithm }{
		pfxPBKDF2(t, iterations, 0),
		pfxAlgorithm{Algorithm: asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42}, Parameters: pfxRaw(t, make([]byte, aes.BlockSize))},
	})}
}

// pfxSeal encrypts data for pfxAES.
func pfxSeal(t testing.TB, password string, iterations int, data []byte) []byte {
	t.Helper()
	key, err := pbkdf2.Key(sha256.New, password, []byte("salt"), iterations, 32)
	require.NoError(t, err)
	block, err := aes.NewCipher(key)
	require.NoError(t, err)
	return pfxCBC(block, make([]byte, aes.BlockSize), data)
}

func pfxCBC(block cipher.Block, iv, data []byte) []byte {
	pad := block.BlockSize() - len(data)%block.BlockSize()
	data = append(bytes.Clone(data), bytes.Repeat([]byte{byte(pad)}, pad)...)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(data, data)
	return data
}

// pfxNoPassword encrypts data, with no salt and one iteration, by the password
// that is not even the empty string: nothing is hashed but the purpose.
func pfxNoPassword(t testing.TB, data []byte) (pfxAlgorithm, []byte) {
	t.Helper()
	purpose := func(id byte) []byte {
		sum := sha1.Sum(bytes.Repeat([]byte{id}, sha1.BlockSize))
		return sum[:]
	}
	block, err := des.NewTripleDESCipher(joined(purpose(1), purpose(1))[:24])
	require.NoError(t, err)
	return pfxPBE(t, 3, 1), pfxCBC(block, purpose(2)[:8], data)
}

func pfxNoPasswordMAC(t testing.TB, safe []byte) asn1.RawValue {
	t.Helper()
	key := sha1.Sum(bytes.Repeat([]byte{3}, sha1.BlockSize))
	mac := hmac.New(sha1.New, key[:])
	mac.Write(safe)
	return pfxSHA1(1, mac.Sum(nil))(t, safe)
}

// pfxSHA1 is a MAC that says it has iterations.
func pfxSHA1(iterations int, value []byte) func(testing.TB, []byte) asn1.RawValue {
	return func(t testing.TB, _ []byte) asn1.RawValue {
		m := pfxMAC{Iterations: int64(iterations)}
		m.Digest.Algorithm.Algorithm = asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}
		m.Digest.Value = value
		return pfxRaw(t, m)
	}
}

// pfxPBE is an encryption of PKCS #12 itself: 3 is 3DES, 6 RC2 of 40 bits.
func pfxPBE(t testing.TB, kind, iterations int) pfxAlgorithm {
	t.Helper()
	return pfxAlgorithm{Algorithm: pfxOID(12, 1, kind), Parameters: pfxRaw(t, struct {
		Salt       []byte
		Iterations int64
	}{nil, int64(iterations)})}
}
