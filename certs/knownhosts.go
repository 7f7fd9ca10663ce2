package certs

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// KnownHosts returns a Store in the OpenSSH known_hosts file at path (sshd(8),
// "SSH_KNOWN_HOSTS FILE FORMAT"), shared with ssh itself. A file that is not
// there is empty; it is made at the first change, with permissions 0600. A
// change leaves every other byte as it is and replaces the file as a whole; it
// is locked by path + ".lock", which stays and which ssh does not know.
//
// The format has no place for certificates: to pin one is an error, though one
// that is valid by itself, or allowed, is trusted all the same. Of an answer it
// keeps who and why in the comment of the line, and not when.
//
// Names are written plainly; hashed ones are understood. A host is excluded
// from a line with a wildcard by "!host". Questions and the answers Deny and
// AcceptOnce have no place in the format and are kept in memory. A line that
// cannot be understood is an error that tells its number, here and later.
func KnownHosts(path string) (Store, error) { return newFileStore(path, lineFormat{}) }

const (
	markerCA      = "@cert-authority"
	markerRevoked = "@revoked"

	lineSpace = " \t\r\n"
)

type lineFormat struct{}

func (lineFormat) keepsQuestions() bool             { return false }
func (lineFormat) perm(old fs.FileMode) fs.FileMode { return old }

func (lineFormat) decode(data []byte) (*ledger, error) {
	l := &ledger{}
	n := 0
	for line := range bytes.Lines(data) {
		n++
		e, err := parseLine(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w; mend or remove it", n, err)
		}
		l.entries = append(l.entries, e)
	}
	return l, nil
}

func (lineFormat) encode(l *ledger) ([]byte, error) {
	var out []byte
	for _, e := range l.entries {
		switch {
		case e.raw == nil:
			if len(out) > 0 && out[len(out)-1] != '\n' {
				out = append(out, '\n')
			}
			line, err := formatLine(e.pin)
			if err != nil {
				return nil, err
			}
			out = append(out, line...)
		case e.edited:
			out = append(out, replaceHosts(e.raw, e.pin.Addr)...)
		default:
			out = append(out, e.raw...)
		}
	}
	return out, nil
}

// parseLine reads one line, for ssh.ParseKnownHosts skips a line of one word,
// takes any marker, and tells no line numbers.
func parseLine(line []byte) (entry, error) {
	text := strings.Trim(string(line), lineSpace)
	if text == "" || text[0] == '#' {
		return entry{raw: line}, nil
	}
	fields := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(lineSpace, r) })
	pin := Pin{Kind: KindSSH, CA: fields[0] == markerCA, Revoked: fields[0] == markerRevoked}
	if pin.CA || pin.Revoked {
		fields = fields[1:]
	}
	const wanted = 3 // hosts, type, key
	if len(fields) < wanted || fields[0][0] == '@' {
		return entry{}, errors.New("want [@cert-authority or @revoked] hosts key-type base64-key [comment]")
	}
	ps, err := parsePatterns(fields[0])
	if err != nil {
		return entry{}, err
	}
	key, err := parseKey(fields[1], fields[2])
	if err != nil {
		return entry{}, err
	}
	pin.Addr, pin.HostKey, pin.Fingerprint = fields[0], key, fingerprint(key)
	pin.Comment = strings.Join(fields[wanted:], " ")
	return entry{pin: pin, patterns: ps, raw: line}, nil
}

// parseKey reads the type and the key of a line. A type that package ssh does
// not know is taken as it is: ssh may have put it there, it is a known key of
// its host, and a server cannot present it to us.
func parseKey(typ, text string) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, errors.New("the key is not base64")
	}
	if keyType(key) != typ {
		return nil, fmt.Errorf("the key is of type %q, the line says %q", quoted(keyType(key)), quoted(typ))
	}
	if _, err := ssh.ParsePublicKey(key); err != nil && isKnownType(typ) {
		return nil, fmt.Errorf("the key is damaged: %s", quoted(err.Error()))
	}
	return key, nil
}

// isKnownType reports whether package ssh parses keys of this type.
func isKnownType(typ string) bool {
	known, insecure := ssh.SupportedAlgorithms(), ssh.InsecureAlgorithms()
	return slices.Contains(slices.Concat(known.HostKeys, known.PublicKeyAuths, insecure.HostKeys), typ)
}

// formatLine writes a new line for p.
func formatLine(p Pin) (string, error) {
	if strings.ContainsAny(p.Addr+p.remark(), "\r\n") || strings.HasPrefix(p.Addr, "#") || strings.HasPrefix(p.Addr, "@") {
		return "", fmt.Errorf("%q with comment %q cannot be a line of known_hosts", quoted(p.Addr), quoted(p.Comment))
	}
	hosts := p.Addr
	if a, err := parseAddress(p.Addr); err == nil {
		hosts = knownhosts.Normalize(a.String())
	}
	words := []string{hosts, keyType(p.HostKey), base64.StdEncoding.EncodeToString(p.HostKey), p.remark()}
	switch {
	case p.CA:
		words = append([]string{markerCA}, words...)
	case p.Revoked:
		words = append([]string{markerRevoked}, words...)
	}
	return strings.TrimRight(strings.Join(words, " "), " ") + "\n", nil
}

// remark is what the comment of a line can say of p.
func (p Pin) remark() string {
	if p.By == "" {
		return p.Comment
	}
	return strings.TrimSpace(p.Comment + " (accepted by " + p.By + ")")
}

// replaceHosts returns line with hosts as its host field and the rest as it was.
func replaceHosts(line []byte, hosts string) []byte {
	start, end := field(line, 0)
	if line[start] == '@' {
		start, end = field(line, end)
	}
	return slices.Concat(line[:start], []byte(hosts), line[end:])
}

// field returns where the first word of line from an offset on begins and ends.
func field(line []byte, from int) (start, end int) {
	start = from
	for start < len(line) && strings.IndexByte(lineSpace, line[start]) >= 0 {
		start++
	}
	end = start
	for end < len(line) && strings.IndexByte(lineSpace, line[end]) < 0 {
		end++
	}
	return start, end
}
