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

	"github.com/hawser/hawser"
)

// complete returns p with what Add may leave out filled in, or what is wrong.
func (p Pin) complete() (Pin, error) {
	var err error
	switch p.Kind = p.kind(); p.Kind {
	case KindSSH:
		p, err = p.completeSSH()
	case KindTLS:
		p, err = p.completeTLS()
	default:
		err = fmt.Errorf("unknown kind %q; want %q or %q", quoted(p.Kind), KindSSH, KindTLS)
	}
	if err == nil {
		_, err = parsePatterns(p.Addr)
	}
	if err != nil {
		return Pin{}, fmt.Errorf("pin: %w", err)
	}
	return p, nil
}

func (p Pin) completeSSH() (Pin, error) {
	if len(p.HostKey) > 0 {
		if typ := keyType(p.HostKey); typ == "" || strings.ContainsFunc(typ, isNoName) {
			return Pin{}, errors.New("HostKey is not a key in wire format")
		}
		print := fingerprint(p.HostKey)
		if p.Fingerprint != "" && p.Fingerprint != print {
			return Pin{}, fmt.Errorf("host key has fingerprint %s, not %s", print, quoted(p.Fingerprint))
		}
		p.Fingerprint = print
	}
	switch {
	case p.Fingerprint == "":
		return Pin{}, errors.New("no host key; set HostKey or Fingerprint")
	case p.CA && p.Revoked:
		return Pin{}, errors.New("both CA and Revoked; a revoked authority is Revoked alone")
	}
	return p, nil
}

func (p Pin) completeTLS() (Pin, error) {
	switch {
	case p.CA:
		return Pin{}, errors.New("an authority of TLS certificates cannot be pinned; name its PEM file in tls.roots")
	case len(p.HostKey) > 0:
		return Pin{}, errors.New("a certificate has no HostKey; set Fingerprint")
	}
	print, err := parsePrintTLS(p.Fingerprint)
	p.Fingerprint = print
	return p, err
}

// isNoName reports whether no algorithm name has r (RFC 4251, section 6).
func isNoName(r rune) bool { return r <= ' ' || r == ',' || r >= 0x7f }

func (p Pin) clone() Pin {
	p.HostKey, p.Anomalies = bytes.Clone(p.HostKey), slices.Clone(p.Anomalies)
	return p
}

// same reports whether p and o say the same, be it of other addresses. A
// fingerprint means one key, for SHA-256 has no known collisions.
func (p Pin) same(o Pin) bool {
	return p.kind() == o.kind() && p.Fingerprint == o.Fingerprint && p.CA == o.CA && p.Revoked == o.Revoked
}

func (p Pin) kind() string { return kindOr(p.Kind) }

// kindOr is kind, or what "" means.
func kindOr(kind string) string {
	if kind == "" {
		return KindSSH
	}
	return kind
}

// accepts reports whether p is a plain accepted identity of this kind.
func (p Pin) accepts(kind string) bool { return p.kind() == kind && !p.CA && !p.Revoked }

// knownOf returns the fingerprints of the accepted identities of this kind.
func knownOf(kind string, pins []Pin) []string {
	var known []string
	for _, p := range pins {
		if p.accepts(kind) && !slices.Contains(known, p.Fingerprint) {
			known = append(known, p.Fingerprint)
		}
	}
	return known
}

// pinOf returns the pin that q becomes by a.
func pinOf(q Question, a Answer, now time.Time) Pin {
	p := Pin{
		Addr: q.Addr, Kind: kindOr(q.Kind), Fingerprint: q.Fingerprint, HostKey: bytes.Clone(q.HostKey),
		Accepted: now.UTC().Truncate(time.Second), By: a.By, Comment: a.Comment,
	}
	if len(q.Chain) > 0 {
		p.Subject, p.NotAfter = hawser.Printable(q.Chain[0].Subject.String()), q.Chain[0].NotAfter.UTC()
	}
	for _, f := range q.Findings {
		if !slices.Contains(p.Anomalies, f.Anomaly) {
			p.Anomalies = append(p.Anomalies, f.Anomaly)
		}
	}
	return p
}

// sameType returns the host keys among pins that accepting q replaces: the
// other ones of its type, as pins of its address alone, so that patterns go on
// applying to other hosts. Certificates replace none.
func sameType(pins []Pin, q Question) []Pin {
	if kindOr(q.Kind) != KindSSH {
		return nil
	}
	var old []Pin
	for _, p := range pins {
		if p.accepts(KindSSH) && p.Fingerprint != q.Fingerprint && keyType(p.HostKey) == q.KeyType() {
			p.Addr = q.Addr
			old = append(old, p)
		}
	}
	return old
}

// fingerprint returns what ssh.FingerprintSHA256 does, also for a key of a type
// that package ssh cannot parse.
func fingerprint(hostKey []byte) string {
	sum := sha256.Sum256(hostKey)
	return printPrefix + base64.RawStdEncoding.EncodeToString(sum[:])
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
