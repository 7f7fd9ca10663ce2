package tlsconf

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"unicode/utf16"

	"software.sslmate.com/src/go-pkcs12"
)

// sealed is parts of a PFX that [sealed.open] puts into a new one, under a MAC
// that costs nothing.
type sealed []pkcs12Content

// open decodes the parts. The empty password has two encodings, and a file does not say by which it was
// encrypted.
func (s sealed) open(password string) (key any, certs []*x509.Certificate, err error) {
	encodings := [][]byte{encodePassword(password)}
	if password == "" {
		encodings = append(encodings, nil)
	}
	for _, encoded := range encodings {
		var pfx []byte
		if pfx, err = s.marshal(encoded); err != nil {
			return nil, nil, err
		}
		var first *x509.Certificate
		err = guarded(func() error {
			key, first, certs, err = pkcs12.DecodeChain(pfx, password)
			return err
		})
		if err == nil {
			return key, append([]*x509.Certificate{first}, certs...), nil
		}
	}
	return nil, nil, err
}

// encodePassword is a BMPString that ends in a zero (RFC 7292, appendix B.1).
func encodePassword(password string) []byte {
	var encoded []byte
	for _, unit := range append(utf16.Encode([]rune(password)), 0) {
		encoded = append(encoded, byte(unit>>8), byte(unit))
	}
	return encoded
}

func (s sealed) marshal(password []byte) ([]byte, error) {
	safe, err := asn1.Marshal([]pkcs12Content(s))
	if err != nil {
		return nil, err
	}
	content, err := asn1.Marshal(safe)
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(pkcs12PFX{
		Version:  3,
		AuthSafe: pkcs12Content{oid(oidData), explicit(content)},
		MAC: pkcs12MAC{
			Digest:     pkcs12Digest{pkix.AlgorithmIdentifier{Algorithm: oid(oidSHA256)}, cheapMAC(safe, password)},
			Salt:       []byte{},
			Iterations: 1,
		},
	})
}

// cheapMAC is the MAC of data with no salt and one iteration (RFC 7292,
// appendices A and B.2): there, the key is the hash of a block of threes and of
// the password, repeated to fill blocks.
func cheapMAC(data, password []byte) []byte {
	input := bytes.Repeat([]byte{3}, sha256.BlockSize)
	if blocks := (len(password) + sha256.BlockSize - 1) / sha256.BlockSize; blocks > 0 {
		size := blocks * sha256.BlockSize
		input = append(input, bytes.Repeat(password, size/len(password)+1)[:size]...)
	}
	key := sha256.Sum256(input)
	mac := hmac.New(sha256.New, key[:])
	mac.Write(data)
	return mac.Sum(nil)
}

// pkcs12Data is a part that holds bags and is not encrypted.
func pkcs12Data(bags ...pkcs12Bag) (pkcs12Content, error) {
	data, err := asn1.Marshal(bags)
	if err != nil {
		return pkcs12Content{}, err
	}
	content, err := asn1.Marshal(data)
	if err != nil {
		return pkcs12Content{}, err
	}
	return pkcs12Content{oid(oidData), explicit(content)}, nil
}
