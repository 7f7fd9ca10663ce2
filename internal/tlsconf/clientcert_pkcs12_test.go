package tlsconf_test

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"software.sslmate.com/src/go-pkcs12"

	"github.com/hawser/hawser/internal/testcert"
	"github.com/hawser/hawser/internal/tlsconf"
)

func TestUnusualPKCS12LogsIn(t *testing.T) {
	t.Parallel()
	p, other := newClientPKI(t, testcert.NewKey(t)), newClientPKI(t, testcert.NewKey(t))
	safe := pfxBags(t, pfxCertificate(t, p.middle), pfxCertificate(t, p.client))
	plain := pfxData(t, pfxBags(t, pfxBag(t, 1, pfxKey(t, p.client))))
	key := pfxShrouded(t, pfxAES(t, 10), pfxSeal(t, clientPassword, 10, pfxKey(t, p.client)))
	otherKey := pfxShrouded(t, pfxAES(t, 10), pfxSeal(t, clientPassword, 10, pfxKey(t, other.client)))
	certs := pfxEncrypted(t, pfxAES(t, 10), pfxSeal(t, clientPassword, 10, safe))
	mac := pfxPBMAC1(clientPassword, 10, 32)
	nobody, nobodySafe := pfxNoPassword(t, safe)
	_, nobodyKey := pfxNoPassword(t, pfxKey(t, p.client))
	tests := map[string]struct {
		data     []byte
		password string
	}{
		"several keys": {pfxFile(t, mac, certs, pfxData(t, pfxBags(t, otherKey, key))), clientPassword},
		"two pairs": {
			pfxFile(t, mac, certs, pfxData(t, pfxBags(t, pfxCertificate(t, other.middle), otherKey, key, pfxCertificate(t, p.root)))), clientPassword,
		},
		"a part for each":            {pfxFile(t, mac, pfxData(t, pfxBags(t, key)), certs, pfxData(t, pfxBags(t)), pfxData(t, pfxBags(t, pfxCertificate(t, p.root)))), clientPassword},
		"no MAC":                     {pfxFile(t, nil, certs, pfxData(t, pfxBags(t, key))), clientPassword},
		"a key in the clear":         {pfxFile(t, mac, certs, plain), clientPassword},
		"certificates in the clear":  {pfxFile(t, mac, pfxData(t, safe), pfxData(t, pfxBags(t, key))), clientPassword},
		"all in one part":            {pfxFile(t, mac, pfxData(t, pfxBags(t, pfxCertificate(t, p.middle), pfxCertificate(t, p.client), key))), clientPassword},
		"bags of other kinds":        {pfxFile(t, mac, certs, pfxData(t, pfxBags(t, pfxBag(t, 5, []byte{5, 0}), key))), clientPassword},
		"no password, 3DES":          {pfxFile(t, pfxNoPasswordMAC, pfxEncrypted(t, nobody, nobodySafe), pfxData(t, pfxBags(t, pfxShrouded(t, nobody, nobodyKey)))), ""},
		"no password, 3DES, no MAC":  {pfxFile(t, nil, pfxEncrypted(t, nobody, nobodySafe), pfxData(t, pfxBags(t, pfxShrouded(t, nobody, nobodyKey)))), ""},
		"nothing encrypted, no MAC":  {pfxFile(t, nil, pfxData(t, safe), plain), ""},
		"same, with a password":      {pfxFile(t, nil, pfxData(t, safe), plain), clientPassword},
		"nothing encrypted, but MAC": {pfxFile(t, mac, pfxData(t, safe), plain), clientPassword},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cert, err := loadClient(t, test.data, nil, test.password)
			require.NoError(t, err)
			p.requireLogsIn(t, cert)
		})
	}
	t.Run("a key without certificates, as key file", func(t *testing.T) {
		t.Parallel()
		cert, err := loadClient(t, testcert.PEM(p.client, p.middle), pfxFile(t, mac, pfxData(t, pfxBags(t, key))), clientPassword)
		require.NoError(t, err)
		p.requireLogsIn(t, cert)
	})
}

func TestProblemsOfPKCS12AreTold(t *testing.T) {
	t.Parallel()
	p := newClientPKI(t, testcert.NewKey(t))
	safe := pfxBags(t, pfxCertificate(t, p.client))
	mac := pfxPBMAC1(clientPassword, 10, 32)
	certs := pfxEncrypted(t, pfxAES(t, 10), pfxSeal(t, clientPassword, 10, safe))
	key := pfxShrouded(t, pfxAES(t, 10), pfxSeal(t, clientPassword, 10, pfxKey(t, p.client)))
	otherPassword := pfxShrouded(t, pfxAES(t, 10), pfxSeal(t, "another", 10, pfxKey(t, p.client)))
	otherKey := pfxShrouded(t, pfxAES(t, 10), pfxSeal(t, clientPassword, 10, pfxKey(t, p.middle)))
	const cure = "convert it with openssl pkcs12 -in FILE -out NEWFILE"
	algorithm := func(oid ...int) pfxAlgorithm {
		return pfxAlgorithm{Algorithm: oid, Parameters: pfxRaw(t, asn1.NullRawValue)}
	}
	sealed := func(safe []byte) []byte {
		return pfxFile(t, mac, pfxEncrypted(t, pfxAES(t, 10), pfxSeal(t, clientPassword, 10, safe)))
	}
	sha384 := func(t testing.TB, _ []byte) asn1.RawValue {
		var m pfxMAC
		m.Digest.Algorithm.Algorithm = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 2}
		return pfxRaw(t, m)
	}
	signed := clientDER(t, struct {
		Version int
		Safe    pfxContent
	}{3, pfxContent{pkcs7OID(2), pfxTagged([]byte{5, 0})}})
	tests := map[string]struct {
		data []byte
		kind error
		want string
	}{
		"no key":                            {pfxFile(t, mac, certs), tlsconf.ErrNoKey, "holds no private key"},
		"no certificate":                    {pfxFile(t, mac, pfxData(t, pfxBags(t, key))), tlsconf.ErrNoCertificate, "holds a private key but no certificate"},
		"nothing":                           {pfxFile(t, mac), tlsconf.ErrNoCertificate, "holds no certificate"},
		"a key of another password":         {pfxFile(t, mac, certs, pfxData(t, pfxBags(t, otherPassword))), tlsconf.ErrPassword, "tls.certificate.password does not open its private key"},
		"a wrong password without a MAC":    {pfxFile(t, nil, pfxEncrypted(t, pfxAES(t, 10), pfxSeal(t, "another", 10, safe))), tlsconf.ErrPassword, "tls.certificate.password does not open it"},
		"a wrong password for the key only": {pfxFile(t, nil, pfxData(t, safe), pfxData(t, pfxBags(t, otherPassword))), tlsconf.ErrPassword, "does not open its private key"},
		"many keys":                         {pfxFile(t, mac, certs, pfxData(t, pfxBags(t, otherKey, otherKey, otherKey, otherKey, key))), tlsconf.ErrFormat, "holds more than 4 private keys"},
		"a key inside of an encrypted part": {sealed(pfxBags(t, pfxCertificate(t, p.client), key)), tlsconf.ErrFormat, "has an encrypted part that holds a key, or no readable certificate: " + cure},
		"a plain key inside of one":         {sealed(pfxBags(t, pfxCertificate(t, p.client), pfxBag(t, 1, pfxKey(t, p.client)))), tlsconf.ErrFormat, cure},
		"an encrypted part of noise":        {sealed([]byte("noise")), tlsconf.ErrPassword, "tls.certificate.password does not open it"},
		"an encrypted part cut off":         {sealed([]byte{0x30, 0x82, 0xff}), tlsconf.ErrPassword, "tls.certificate.password does not open it"},
		"an encrypted part of nothing":      {sealed(pfxBags(t)), tlsconf.ErrFormat, cure},
		"a MAC by SHA-384":                  {pfxFile(t, sha384, certs), tlsconf.ErrFormat, "whose MAC (OID 2.16.840.1.101.3.4.2.2) is not supported: " + cure},
		"a MAC with a short key":            {pfxFile(t, pfxPBMAC1(clientPassword, 10, 8), certs), tlsconf.ErrFormat, "MAC key of 8 bytes"},
		"a MAC with a huge key":             {pfxFile(t, pfxPBMAC1(clientPassword, 10, 1<<30), certs), tlsconf.ErrFormat, "MAC key of 1073741824 bytes"},
		"RC4":                               {pfxFile(t, mac, pfxEncrypted(t, algorithm(1, 2, 840, 113549, 1, 12, 1, 1), nil)), tlsconf.ErrFormat, "whose encryption (OID 1.2.840.113549.1.12.1.1) is not supported: " + cure},
		"a key by RC4":                      {pfxFile(t, mac, pfxData(t, pfxBags(t, pfxShrouded(t, algorithm(1, 2, 840, 113549, 1, 12, 1, 1), nil)))), tlsconf.ErrFormat, "is not supported"},
		"a key of many bytes":               {pfxFile(t, mac, pfxData(t, pfxBags(t, pfxShrouded(t, pfxAES(t, 1), make([]byte, 1<<15))))), tlsconf.ErrFormat, "private key of 32768 bytes"},
		"sealed by a public key":            {pfxFile(t, mac, clientDER(t, pfxContent{pkcs7OID(3), pfxTagged([]byte{5, 0})})), tlsconf.ErrFormat, "export it with a password"},
		"signed by a key":                   {signed, tlsconf.ErrFormat, "export it with a password"},
		"a wrong password where nothing is encrypted": {
			pfxFile(t, pfxPBMAC1("another", 10, 32), pfxData(t, safe), pfxData(t, pfxBags(t, pfxBag(t, 1, pfxKey(t, p.client))))),
			tlsconf.ErrPassword, "tls.certificate.password does not open it",
		},
		"BER inside":   {pfxFile(t, mac, []byte{0x30, 0x80, 0, 0}), tlsconf.ErrFormat, "damaged, or in BER"},
		"noise inside": {pfxFile(t, mac, pfxData(t, []byte("noise"))), tlsconf.ErrFormat, cure},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cert, err := loadClient(t, test.data, nil, clientPassword)
			requireClientProblem(t, cert, err, test.kind, test.want)
		})
	}
}

func TestPasswordsThatPKCS12CannotHaveAreTold(t *testing.T) {
	t.Parallel()
	p := newClientPKI(t, testcert.NewKey(t))
	const password = "secret-\U0001f511"
	cert, err := loadClient(t, p.pfx(t, pkcs12.Modern2023, "x"), nil, password)
	requireClientProblem(t, cert, err, tlsconf.ErrFormat, "no characters beyond U+FFFF")
	assert.NotContains(t, err.Error(), "\U0001f511")
	assert.NotContains(t, err.Error(), "secret-")
}

// TestHostilePKCS12IsRefusedAtOnce asks for hours of hashing, wherever a file
// can ask for it.
func TestHostilePKCS12IsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	p := newClientPKI(t, testcert.NewKey(t))
	safe := pfxBags(t, pfxCertificate(t, p.client))
	certs := pfxData(t, safe)
	mac := pfxPBMAC1(clientPassword, 10, 32)
	block := make([]byte, 16)
	key := func(algorithm pkix.AlgorithmIdentifier) []byte { return pfxShrouded(t, algorithm, block) }
	hidden := func(bag []byte) []byte {
		inner := pfxSeal(t, clientPassword, 10, pfxBags(t, bag, pfxCertificate(t, p.client)))
		return pfxFile(t, mac, pfxEncrypted(t, pfxAES(t, 10), inner))
	}
	const hours, outOfRange = 1 << 40, "iterations of password hashing out of range, 1 to 5000000"
	half := 2_600_000
	tests := map[string]struct {
		data []byte
		want string
	}{
		"in the MAC":                   {pfxFile(t, pfxSHA1(hours, nil), certs), outOfRange},
		"none in the MAC":              {pfxFile(t, pfxSHA1(0, nil), certs), outOfRange},
		"fewer than none":              {pfxFile(t, pfxSHA1(-hours, nil), certs), outOfRange},
		"in PBMAC1":                    {pfxFile(t, pfxPBMAC1(clientPassword, hours, 32), certs), outOfRange},
		"in an encrypted part, 3DES":   {pfxFile(t, mac, pfxEncrypted(t, pfxPBE(t, 3, hours), block)), outOfRange},
		"in an encrypted part, RC2":    {pfxFile(t, mac, pfxEncrypted(t, pfxPBE(t, 6, hours), block)), outOfRange},
		"in an encrypted part, AES":    {pfxFile(t, mac, pfxEncrypted(t, pfxAES(t, hours), block)), outOfRange},
		"in a key, 3DES":               {pfxFile(t, mac, certs, pfxData(t, pfxBags(t, key(pfxPBE(t, 3, hours))))), outOfRange},
		"in a key, AES":                {pfxFile(t, mac, certs, pfxData(t, pfxBags(t, key(pfxAES(t, hours))))), outOfRange},
		"in two keys together":         {pfxFile(t, mac, certs, pfxData(t, pfxBags(t, key(pfxAES(t, half)), key(pfxPBE(t, 3, half))))), outOfRange},
		"in all of it together":        {pfxFile(t, pfxSHA1(half, nil), pfxEncrypted(t, pfxAES(t, half), block)), outOfRange},
		"without a MAC":                {pfxFile(t, nil, pfxEncrypted(t, pfxAES(t, hours), block)), outOfRange},
		"in what was decrypted, 3DES":  {hidden(key(pfxPBE(t, 3, 1<<31-1))), "has an encrypted part that holds a key"},
		"in what was decrypted, AES":   {hidden(key(pfxAES(t, 1<<31-1))), "has an encrypted part that holds a key"},
		"in a key that was decrypted":  {hidden(pfxBag(t, 1, make([]byte, 1<<18))), "has an encrypted part that holds a key"},
		"in parts without end, no MAC": {pfxFile(t, nil, manyParts(pfxEncrypted(t, pfxAES(t, 1_000), block), 6_000)), outOfRange},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, password := range []string{clientPassword, ""} {
				start := time.Now()
				cert, err := loadClient(t, test.data, nil, password)
				assert.Less(t, time.Since(start), 2*time.Second)
				require.Error(t, err)
				if password != "" {
					requireClientProblem(t, cert, err, tlsconf.ErrFormat, test.want)
				}
			}
		})
	}
}

func manyParts(part []byte, count int) []byte {
	var all []byte
	for range count {
		all = append(all, part...)
	}
	return all
}
