package certs

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/hawser/hawser"
)

// defaultPort is what a known_hosts name without a port means.
const defaultPort = "22"

// An address is what a pin is looked up by.
type address struct{ host, port string }

// parseAddress reads host:port. Host names are lower case in OpenSSH, which
// compares them so and hashes them so. A host that would be a pattern in a pin,
// or break a line, is refused.
func parseAddress(s string) (address, error) {
	host, port, err := net.SplitHostPort(s)
	number, errPort := strconv.ParseUint(port, 10, 16)
	if err != nil || errPort != nil || host == "" {
		return address{}, fmt.Errorf("%q is not host:port", s)
	}
	if strings.ContainsFunc(host, isSpecial) {
		return address{}, fmt.Errorf("%q has a character that no host name has", s)
	}
	return address{strings.ToLower(host), strconv.FormatUint(number, 10)}, nil
}

func isSpecial(r rune) bool {
	// Bytes that are not UTF-8 would not survive JSON.
	return r == ' ' || r == unicode.ReplacementChar || !unicode.IsPrint(r) || strings.ContainsRune("*?!,|#@[]", r)
}

func (a address) String() string { return net.JoinHostPort(a.host, a.port) }

// patterns are the first field of a known_hosts line. Package knownhosts has
// the same, but matches files alone, read at a moment of its own, which cannot
// be the content that is about to be replaced under a lock; and it does not
// show the revoked keys. Tests compare the two.
type patterns struct {
	salt, hash []byte // of the one name, if it is hashed
	list       []pattern
}

type pattern struct {
	text       string // as written, without "!"
	negate     bool
	host, port string // port is "" for any
}

// parsePatterns reads the first field of a known_hosts line.
func parsePatterns(s string) (patterns, error) {
	if strings.HasPrefix(s, "|") {
		return parseHashed(s)
	}
	var ps patterns
	for text := range strings.SplitSeq(s, ",") {
		if text == "" {
			continue
		}
		p, err := parsePattern(text)
		if err != nil {
			return patterns{}, err
		}
		ps.list = append(ps.list, p)
	}
	if len(ps.list) == 0 {
		return patterns{}, fmt.Errorf("%q names no host", s)
	}
	return ps, nil
}

func parseHashed(s string) (patterns, error) {
	const sha1Type = "1"
	fields := strings.Split(s, "|")
	if len(fields) != 4 || fields[1] != sha1Type {
		return patterns{}, errors.New("hashed host name is not of the form |1|salt|hash")
	}
	salt, err1 := base64.StdEncoding.DecodeString(fields[2])
	hash, err2 := base64.StdEncoding.DecodeString(fields[3])
	if err := errors.Join(err1, err2); err != nil || len(hash) != sha1.Size {
		return patterns{}, errors.New("hashed host name is damaged")
	}
	return patterns{salt: salt, hash: hash}, nil
}

func parsePattern(text string) (pattern, error) {
	rest, negate := strings.CutPrefix(text, "!")
	p := pattern{text: rest, negate: negate}
	if rest == "" || strings.ContainsFunc(rest, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return pattern{}, fmt.Errorf("%q is not a host pattern", text)
	}
	host, port, err := net.SplitHostPort(rest)
	switch {
	case err == nil:
		p.host, p.port = host, port
	case rest[0] == '[':
		return pattern{}, fmt.Errorf("%q is not of the form [host]:port", text)
	case negate || strings.ContainsAny(rest, "*?"):
		// OpenSSH looks a host on another port up by its bare name too.
		p.host = rest
	default:
		p.host, p.port = rest, defaultPort
	}
	p.host = strings.ToLower(p.host)
	return p, nil
}

// match reports whether a is meant: by one pattern, and excluded by none.
func (ps patterns) match(a address) bool {
	if ps.hash != nil {
		mac := hmac.New(sha1.New, ps.salt)
		mac.Write([]byte(knownhosts.Normalize(a.String())))
		return hmac.Equal(mac.Sum(nil), ps.hash)
	}
	matched := false
	for _, p := range ps.list {
		if !p.match(a) {
			continue
		}
		if p.negate {
			return false
		}
		matched = true
	}
	return matched
}

func (p pattern) match(a address) bool {
	return (p.port == "" || p.port == a.port) && glob(p.host, a.host)
}

// glob matches * and ? as OpenSSH does, where a dot is like any other
// character. It goes back to the latest * alone, so its time is bounded by the
// product of the lengths.
func glob(pattern, s string) bool {
	star, from := -1, 0
	i, j := 0, 0
	for j < len(s) {
		switch {
		case i < len(pattern) && pattern[i] == '*':
			star, from = i, j
			i++
		case i < len(pattern) && (pattern[i] == '?' || pattern[i] == s[j]):
			i++
			j++
		case star >= 0:
			from++
			i, j = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(pattern[i:], "*") == ""
}

// without returns the text of patterns that match what ps does, but not a. It
// is "" if nothing is left.
func (ps patterns) without(a address) string {
	if ps.hash != nil {
		return ""
	}
	var rest patterns
	var words []string
	positive := false
	for _, p := range ps.list {
		if !p.negate && p.match(a) && !strings.ContainsAny(p.host, "*?") {
			continue
		}
		rest.list = append(rest.list, p)
		positive = positive || !p.negate
		words = append(words, p.String())
	}
	if !positive {
		return ""
	}
	if rest.match(a) {
		words = append(words, "!"+knownhosts.Normalize(a.String()))
	}
	return strings.Join(words, ",")
}

func (p pattern) String() string {
	if p.negate {
		return "!" + p.text
	}
	return p.text
}

// quoted returns text from elsewhere for an error: printable, and not too long.
func quoted(s string) string {
	const most = 300
	if len(s) > most {
		s = s[:most] + "..."
	}
	return hawser.Printable(s)
}
