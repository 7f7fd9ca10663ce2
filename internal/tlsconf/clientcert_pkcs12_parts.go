package tlsconf

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"strings"
)

// Object identifiers of PKCS #12 (RFC 7292) and PKCS #7 (RFC 2315).
const (
	oidData           = "1.2.840.113549.1.7.1"
	oidEncryptedData  = "1.2.840.113549.1.7.6"
	oidKeyBag         = "1.2.840.113549.1.12.10.1.1"
	oidShroudedKeyBag = "1.2.840.113549.1.12.10.1.2"
	oidCertBag        = "1.2.840.113549.1.12.10.1.3"
	oidX509           = "1.2.840.113549.1.9.22.1"
)

// The structures are those of go-pkcs12, so that it reads the same in a file as
// is checked here.
type (
	pkcs12PFX struct {
		Version  int
		AuthSafe pkcs12Content
		MAC      pkcs12MAC `asn1:"optional"`
	}
	pkcs12Content struct {
		Type    asn1.ObjectIdentifier
		Content asn1.RawValue `asn1:"tag:0,explicit,optional"`
	}
	pkcs12MAC struct {
		Digest     pkcs12Digest
		Salt       []byte
		Iterations int64 `asn1:"optional,default:1"`
	}
	pkcs12Digest struct {
		Algorithm pkix.AlgorithmIdentifier
		Digest    []byte
	}
	pkcs12Encrypted struct {
		Version int
		Content struct {
			Type      asn1.ObjectIdentifier
			Algorithm pkix.AlgorithmIdentifier
			Data      []byte `asn1:"tag:0,optional"`
		}
	}
	pkcs12Bag struct {
		ID         asn1.ObjectIdentifier
		Value      asn1.RawValue     `asn1:"tag:0,explicit"`
		Attributes []pkcs12Attribute `asn1:"set,optional"`
	}
	pkcs12Attribute struct {
		ID    asn1.ObjectIdentifier
		Value asn1.RawValue `asn1:"set"`
	}
	pkcs12Shrouded struct {
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte
	}
	pkcs12Certificate struct {
		ID   asn1.ObjectIdentifier
		Data []byte `asn1:"tag:0,explicit"`
	}
)

// A pkcs12File is a PFX taken apart, as far as that needs no password. What
// opening all of it costs has been checked.
type pkcs12File struct {
	der          []byte
	hasMAC       bool
	encrypted    []pkcs12Content
	certificates [][]byte
	keys         [][]byte // PKCS #8
	shrouded     []pkcs12Bag
	cost         kdfCost
}

func splitPKCS12(der []byte) (*pkcs12File, error) {
	var pfx pkcs12PFX
	if err := unmarshalPKCS12(der, &pfx); err != nil {
		return nil, err
	}
	if pfx.AuthSafe.Type.String() != oidData {
		return nil, problem(ErrFormat, "is PKCS #12 that is opened by a key, not by a password: export it with a password")
	}
	f := &pkcs12File{der: der, hasMAC: len(pfx.MAC.Digest.Algorithm.Algorithm) > 0}
	if f.hasMAC {
		if err := f.cost.addMAC(pfx.MAC); err != nil {
			return nil, err
		}
	}
	var safe []byte
	if err := unmarshalPKCS12(pfx.AuthSafe.Content.Bytes, &safe); err != nil {
		return nil, err
	}
	var contents []pkcs12Content
	if err := unmarshalPKCS12(safe, &contents); err != nil {
		return nil, err
	}
	for _, content := range contents {
		if err := f.addContent(content); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func (f *pkcs12File) addContent(content pkcs12Content) error {
	switch content.Type.String() {
	case oidData:
		var data []byte
		if err := unmarshalPKCS12(content.Content.Bytes, &data); err != nil {
			return err
		}
		var bags []pkcs12Bag
		if err := unmarshalPKCS12(data, &bags); err != nil {
			return err
		}
		for _, bag := range bags {
			if err := f.addBag(bag); err != nil {
				return err
			}
		}
		return nil
	case oidEncryptedData:
		var encrypted pkcs12Encrypted
		if err := unmarshalPKCS12(content.Content.Bytes, &encrypted); err != nil {
			return err
		}
		f.encrypted = append(f.encrypted, content)
		return f.cost.addCipher(encrypted.Content.Algorithm)
	}
	return problem(ErrFormat, "has a part that is opened by a key, not by a password: export it with a password")
}

// addBag ignores kinds that are neither a certificate nor a key.
func (f *pkcs12File) addBag(bag pkcs12Bag) error {
	switch bag.ID.String() {
	case oidCertBag:
		var c pkcs12Certificate
		if err := unmarshalPKCS12(bag.Value.Bytes, &c); err != nil {
			return err
		}
		if c.ID.String() == oidX509 {
			f.certificates = append(f.certificates, c.Data)
		}
	case oidKeyBag:
		f.keys = append(f.keys, bag.Value.Bytes)
	case oidShroudedKeyBag:
		var shrouded pkcs12Shrouded
		if err := unmarshalPKCS12(bag.Value.Bytes, &shrouded); err != nil {
			return err
		}
		if len(shrouded.Data) > maxShroudedKey {
			return problem(ErrFormat, "holds a private key of %d bytes, which is too large", len(shrouded.Data))
		}
		f.shrouded = append(f.shrouded, bag)
		return f.cost.addCipher(shrouded.Algorithm)
	}
	return nil
}

// unmarshalPKCS12 reads der, and all of it, into value.
func unmarshalPKCS12(der []byte, value any) error {
	rest, err := asn1.Unmarshal(der, value)
	if err != nil || len(rest) > 0 {
		return problem(ErrFormat, "is PKCS #12 that is damaged, or in BER, of which only the DER form is read: %s", curePKCS12)
	}
	return nil
}

// oid is the inverse of String, for the constants above.
func oid(text string) asn1.ObjectIdentifier {
	var id asn1.ObjectIdentifier
	for number := range strings.SplitSeq(text, ".") {
		n := 0
		for _, digit := range number {
			n = 10*n + int(digit-'0')
		}
		id = append(id, n)
	}
	return id
}

// explicit is what stands in a field that is explicitly tagged 0.
func explicit(der []byte) asn1.RawValue {
	return asn1.RawValue{Class: asn1.ClassContextSpecific, IsCompound: true, Bytes: der}
}
