// Package leak helps tests to find secrets where they must not be.
package leak

import (
	"encoding/base64"
	"encoding/hex"
)

// Forms returns how secret may stand in a text or a file: as it is, in hexadecimal,
// and inside of base64 from any of the three places of a group. A secret of less
// than five bytes is too short to be told from what is there by chance.
func Forms(secret string) []string {
	forms := []string{secret, hex.EncodeToString([]byte(secret))}
	for skip := range 3 {
		whole := secret[skip:]
		whole = whole[:len(whole)/3*3] // what comes behind mixes with the rest
		forms = append(forms, base64.RawStdEncoding.EncodeToString([]byte(whole)))
	}
	return forms
}
