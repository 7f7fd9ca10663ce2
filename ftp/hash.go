package ftp

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// A hashCommand is one way to ask for a hash.
type hashCommand struct{ verb, option string }

// hashCommands returns the ways to ask for an algorithm, best first: HASH (draft
// ietf-ftpext2-hash) and the X commands that servers have had since before it.
func hashCommands(algorithm string) []hashCommand {
	switch algorithm {
	case "sha256":
		return []hashCommand{{"HASH", "SHA-256"}, {"XSHA256", ""}}
	case "sha1":
		return []hashCommand{{"HASH", "SHA-1"}, {"XSHA1", ""}, {"XSHA", ""}}
	case "md5":
		return []hashCommand{{"HASH", "MD5"}, {"XMD5", ""}, {"MD5", ""}}
	case "crc32":
		return []hashCommand{{"HASH", "CRC32"}, {"XCRC", ""}}
	}
	return nil
}

// hashSize is how long a hash is, in bytes.
func hashSize(algorithm string) int {
	return map[string]int{"sha256": 32, "sha1": 20, "md5": 16, "crc32": 4}[algorithm]
}

// Hash has the server hash the file called name.
func (s *Session) Hash(ctx context.Context, algorithm, name string) ([]byte, error) {
	var sum []byte
	err := s.on(ctx, "hash", name, func(line string) error {
		for _, c := range hashCommands(algorithm) {
			if !s.offersHash(c) {
				continue
			}
			var err error
			sum, err = s.hash(c, algorithm, line)
			if !errors.Is(err, errors.ErrUnsupported) {
				return s.explainOpen(err, line)
			}
		}
		return unsupported(fmt.Sprintf("hashing by %q", algorithm))
	})
	return sum, err
}

// offersHash reports whether the server has named c among its features. HASH
// lists its algorithms there, the one in use with a star.
func (s *Session) offersHash(c hashCommand) bool {
	if !s.features.has(c.verb) {
		return false
	}
	if c.option == "" {
		return true
	}
	for name := range strings.SplitSeq(s.features[c.verb], ";") {
		if strings.EqualFold(strings.Trim(name, "* "), c.option) {
			return true
		}
	}
	return false
}

func (s *Session) hash(c hashCommand, algorithm, line string) ([]byte, error) {
	if c.option != "" {
		if _, err := s.command("OPTS HASH " + c.option); err != nil {
			return nil, err
		}
	}
	r, err := s.command(c.verb + " " + line)
	if err != nil {
		return nil, err
	}
	size := hashSize(algorithm)
	for word := range strings.FieldsSeq(withoutName(r.Text(), line)) {
		if sum, err := hex.DecodeString(padded(word, algorithm)); err == nil && len(sum) == size {
			return sum, nil
		}
	}
	return nil, fmt.Errorf("%w: %s: there is no %s hash in %q", errors.ErrUnsupported, c.verb, algorithm, r.Text())
}

// withoutName takes the name of a file out of what a server says of it: one that
// looks like a hash must not pass for one. What is a part of a word stays, as a
// short name may be of the hash, and of a name that is the hash itself the last,
// which is where the draft has the name.
func withoutName(text, name string) string {
	for end := len(text); ; {
		at := strings.LastIndex(text[:end], name)
		if at < 0 {
			return text
		}
		before, after := text[:at], text[at+len(name):]
		if (before == "" || strings.ContainsAny(before[at-1:], ` "'/`)) && (after == "" || strings.ContainsAny(after[:1], ` "'`)) {
			return before + after
		}
		end = at + len(name) - 1
	}
}

// padded restores the zeros in front that some servers leave out of a CRC.
func padded(word, algorithm string) string {
	const digits = 8
	if algorithm == "crc32" && len(word) < digits && len(word) >= digits-2 {
		return strings.Repeat("0", digits-len(word)) + word
	}
	return word
}
