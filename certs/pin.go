package certs

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// complete returns p with what Add may leave out filled in, or what is wrong.
func (p Pin) complete() (Pin, error) {
	if p.Kind == "" {
		p.Kind = KindSSH
	}
	if len(p.HostKey) > 0 {
		if typ := keyType(p.HostKey); typ == "" || strings.ContainsFunc(typ, isNoName) {
			return Pin{}, errors.New("pin: HostKey is not a key in wire format")
		}
		print := fingerprint(p.HostKey)
		if p.Fingerprint != "" && p.Fingerprint != print {
			return Pin{}, fmt.Errorf("pin: host key has fingerprint %s, not %s", print, quoted(p.Fingerprint))
		}
		p.Fingerprint = print
	}
	switch {
	case p.Fingerprint == "":
		return Pin{}, errors.New("pin: no host key; set HostKey or Fingerprint")
	case p.CA && p.Revoked:
		return Pin{}, errors.New("pin: both CA and Revoked; a revoked authority is Revoked alone")
	}
	if _, err := parsePatterns(p.Addr); err != nil {
		return Pin{}, fmt.Errorf("pin: %w", err)
	}
	return p, nil
}

// isNoName reports whether no algorithm name has r (RFC 4251, section 6).
func isNoName(r rune) bool { return r <= ' ' || r == ',' || r >= 0x7f }

func (p Pin) clone() Pin {
	p.HostKey = bytes.Clone(p.HostKey)
	return p
}

// same reports whether p and o say the same, be it of other addresses. A
// fingerprint means one key, for SHA-256 has no known collisions.
func (p Pin) same(o Pin) bool {
	return p.kind() == o.kind() && p.Fingerprint == o.Fingerprint && p.CA == o.CA && p.Revoked == o.Revoked
}

func (p Pin) kind() string {
	if p.Kind == "" {
		return KindSSH
	}
	return p.Kind
}

// isHostKey reports whether p is a plain accepted key.
func (p Pin) isHostKey() bool { return p.kind() == KindSSH && !p.CA && !p.Revoked }

// pinOf returns the pin that an accepted q becomes.
func pinOf(q Question, now time.Time) Pin {
	return Pin{
		Addr: q.Addr, Kind: KindSSH, Fingerprint: q.Fingerprint,
		HostKey: bytes.Clone(q.HostKey), Accepted: now.UTC().Truncate(time.Second),
	}
}

// sameType returns the host keys among pins that accepting q replaces: the
// other ones of its type, as pins of its address alone, so that patterns go on
// applying to other hosts.
func sameType(pins []Pin, q Question) []Pin {
	var old []Pin
	for _, p := range pins {
		if p.isHostKey() && p.Fingerprint != q.Fingerprint && keyType(p.HostKey) == q.KeyType() {
			p.Addr = q.Addr
			old = append(old, p)
		}
	}
	return old
}

func (q question) equal(o Question) bool {
	return q.Connection == o.Connection && q.Addr == o.Addr && q.Fingerprint == o.Fingerprint &&
		q.Reason == o.Reason && bytes.Equal(q.HostKey, o.HostKey) && slices.Equal(q.Known, o.Known)
}

// fingerprint returns what ssh.FingerprintSHA256 does, also for a key of a type
// that package ssh cannot parse.
func fingerprint(hostKey []byte) string {
	sum := sha256.Sum256(hostKey)
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
}

// keyType returns the type that a key in wire format begins with (RFC 4253,
// section 6.6), "" if there is none.
func keyType(hostKey []byte) string {
	const lengthSize = 4
	if len(hostKey) < lengthSize {
		return ""
	}
	n, rest := binary.BigEndian.Uint32(hostKey), hostKey[lengthSize:]
	if uint64(n) > uint64(len(rest)) {
		return ""
	}
	return string(rest[:n])
}
