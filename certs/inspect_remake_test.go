package certs_test

import (
	"bytes"
	"crypto"
	"crypto/md5"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser/internal/testcert"
)

// withMD5 is a server, issued by an authority with an RSA key and signed with
// MD5, which package x509 does not do any more.
func withMD5(t testing.TB, issuer *testcert.Pair) *testcert.Pair {
	t.Helper()
	server := testcert.Server(t, issuer)
	resign(t, server, issuer.Key.(*rsa.PrivateKey), x509.SHA256WithRSA, 4, crypto.MD5, func(tbs []byte) []byte { sum := md5.Sum(tbs); return sum[:] })
	require.Equal(t, x509.MD5WithRSA, server.Cert.SignatureAlgorithm)
	return server
}

// resign gives p another algorithm of PKCS #1 (RFC 8017, appendix C), by the
// last part of its number, and the signature for it.
func resign(t testing.TB, p *testcert.Pair, key *rsa.PrivateKey, from x509.SignatureAlgorithm, to byte, hash crypto.Hash, sum func([]byte) []byte) {
	t.Helper()
	require.Equal(t, from, p.Cert.SignatureAlgorithm)
	pkcs1 := []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 11}
	other := append(bytes.Clone(pkcs1[:8]), to)
	p.Cert = remake(t, p.Cert, func(parts *signedParts) {
		parts.TBS.FullBytes = bytes.Replace(parts.TBS.FullBytes, pkcs1, other, 1)
		parts.Algorithm.FullBytes = bytes.Replace(parts.Algorithm.FullBytes, pkcs1, other, 1)
		var err error
		parts.Signature.Bytes, err = rsa.SignPKCS1v15(rand.Reader, key, hash, sum(parts.TBS.FullBytes))
		require.NoError(t, err)
	})
}

type signedParts struct {
	TBS       asn1.RawValue
	Algorithm asn1.RawValue
	Signature asn1.BitString
}

// remake is c after an edit of its parts.
func remake(t testing.TB, c *x509.Certificate, edit func(*signedParts)) *x509.Certificate {
	t.Helper()
	var parts signedParts
	_, err := asn1.Unmarshal(c.Raw, &parts)
	require.NoError(t, err)
	edit(&parts)
	parts.Signature.BitLength = 8 * len(parts.Signature.Bytes)
	der, err := asn1.Marshal(parts)
	require.NoError(t, err)
	c, err = x509.ParseCertificate(der)
	require.NoError(t, err)
	return c
}

// version1 is p as it would be without extensions, which package x509 does not
// make; `openssl x509 -req` does.
func version1(t testing.TB, p, issuer *testcert.Pair) *testcert.Pair {
	t.Helper()
	c := remake(t, p.Cert, func(parts *signedParts) {
		var tbs struct {
			Version                                           int `asn1:"optional,explicit,default:0,tag:0"`
			Serial, Algorithm, Issuer, Validity, Subject, Key asn1.RawValue
			Extensions                                        asn1.RawValue `asn1:"optional,tag:3"`
		}
		_, err := asn1.Unmarshal(parts.TBS.FullBytes, &tbs)
		require.NoError(t, err)
		tbs.Version, tbs.Extensions = 0, asn1.RawValue{}
		parts.TBS.FullBytes, err = asn1.Marshal(tbs)
		require.NoError(t, err)
		parts.Signature.Bytes = sign(t, issuer.Key, parts.TBS.FullBytes)
	})
	require.Equal(t, 1, c.Version)
	return &testcert.Pair{Cert: c, Key: p.Key}
}

// tinyKey is p with a key that package crypto/rsa refuses to verify with.
func tinyKey(t testing.TB, p, issuer *testcert.Pair) *testcert.Pair {
	t.Helper()
	key := &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 511, 1), E: 65537}
	der, err := x509.CreateCertificate(rand.Reader, p.Cert, issuer.Cert, key, issuer.Key)
	require.NoError(t, err)
	c, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	claims := *c // signs by the name of c
	claims.PublicKey = p.Key.Public()
	return &testcert.Pair{Cert: &claims, Key: p.Key}
}
