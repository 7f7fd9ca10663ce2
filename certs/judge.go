package certs

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/hawser/hawser"
)

// An identity is a host key that a server presented and proved to hold.
type identity struct {
	addr        address
	key         ssh.PublicKey // the key itself, or the one that cert certifies
	cert        *ssh.Certificate
	fingerprint string // of key, as `ssh-keygen -l` prints it for a certificate too
}

// identify reads what p presents, or says why it cannot be judged.
func identify(p hawser.Peer) (identity, error) {
	if p.TLS != nil || len(p.HostKey) == 0 {
		return identity{}, errors.New("it presented a TLS certificate, or no SSH host key")
	}
	addr, err := parseAddress(p.Addr)
	if err != nil {
		return identity{}, err
	}
	key, err := ssh.ParsePublicKey(p.HostKey)
	if err != nil {
		return identity{}, fmt.Errorf("its host key cannot be read: %s", quoted(err.Error()))
	}
	id := identity{addr: addr, key: key}
	if cert, ok := key.(*ssh.Certificate); ok {
		id.cert, id.key = cert, cert.Key
	}
	id.fingerprint = ssh.FingerprintSHA256(id.key)
	return id, nil
}

// A verdict is what policy and pins say about an identity.
type verdict struct {
	trusted  bool
	final    bool // nobody is asked
	first    bool // nothing is known of the address
	question Question
	detail   string
}

// judge applies the order that the package comment tells, up to asking.
func judge(c hawser.Connection, id identity, pins []Pin) verdict {
	pins = slices.DeleteFunc(slices.Clone(pins), func(p Pin) bool { return p.kind() != KindSSH })
	q := Question{Connection: c.Name, Addr: id.addr.String(), Fingerprint: id.fingerprint, HostKey: id.key.Marshal()}
	refuse := func(r Reason, detail string) verdict {
		q.Reason = r
		return verdict{final: true, question: q, detail: detail}
	}
	known := knownKeys(pins)
	listed := c.SSH.HostKeys
	switch {
	case id.revoked(pins):
		return refuse(RevokedKey, id.caption())
	case len(listed) > 0 && !slices.Contains(listed, id.fingerprint):
		q.Known = listed
		return refuse(NotListed, "")
	case len(listed) > 0, slices.Contains(known, id.fingerprint):
		return verdict{trusted: true, question: q}
	case id.cert != nil:
		reason, detail := id.checkCertificate(c, pins)
		if reason == "" {
			return verdict{trusted: true, question: q}
		}
		return refuse(reason, detail)
	case len(known) > 0:
		q.Reason, q.Known = Changed, known
		return verdict{question: q}
	}
	q.Reason = Unknown
	return verdict{first: !slices.ContainsFunc(pins, func(p Pin) bool { return p.CA }), question: q}
}

// knownKeys returns the fingerprints of the accepted host keys.
func knownKeys(pins []Pin) []string {
	var known []string
	for _, p := range pins {
		if p.isHostKey() && !slices.Contains(known, p.Fingerprint) {
			known = append(known, p.Fingerprint)
		}
	}
	return known
}

// revoked reports whether the key is, or the authority that certifies it.
func (id identity) revoked(pins []Pin) bool {
	prints := []string{id.fingerprint}
	if id.cert != nil {
		prints = append(prints, ssh.FingerprintSHA256(id.cert.SignatureKey), ssh.FingerprintSHA256(id.cert))
	}
	for _, p := range pins {
		if p.Revoked && slices.Contains(prints, p.plainFingerprint()) {
			return true
		}
	}
	return false
}

// plainFingerprint is that of the certified key if p holds a certificate, as
// a line with @revoked can.
func (p Pin) plainFingerprint() string {
	if !strings.Contains(keyType(p.HostKey), certSuffix) {
		return p.Fingerprint
	}
	key, err := ssh.ParsePublicKey(p.HostKey)
	cert, ok := key.(*ssh.Certificate)
	if err != nil || !ok {
		return p.Fingerprint
	}
	return ssh.FingerprintSHA256(cert.Key)
}

// caption says who certified the key; "" if nobody did.
func (id identity) caption() string {
	if id.cert == nil {
		return ""
	}
	return "certificate " + quoted(id.cert.KeyId) + " of authority " + ssh.FingerprintSHA256(id.cert.SignatureKey)
}

// checkCertificate returns why the certificate is not trusted, or "".
func (id identity) checkCertificate(c hawser.Connection, pins []Pin) (Reason, string) {
	ca := id.cert.SignatureKey.Marshal()
	isAuthority := func(p Pin) bool {
		return p.CA && (bytes.Equal(p.HostKey, ca) || p.Fingerprint == fingerprint(ca))
	}
	if !slices.ContainsFunc(pins, isAuthority) {
		return UnknownCA, id.caption() + ", which is not an authority for this address"
	}
	insecure := slices.Contains(ssh.InsecureAlgorithms().HostKeys, id.cert.Signature.Format)
	if insecure && c.SSH.Algorithms != legacy {
		return BadCertificate, id.caption() + ": signed by " + quoted(id.cert.Signature.Format) + ", which ssh.algorithms allows as \"legacy\" alone"
	}
	checker := ssh.CertChecker{
		IsHostAuthority: func(ssh.PublicKey, string) bool { return true }, // seen to above
	}
	// The address is in lower case, and so must be the principals, as for OpenSSH.
	if err := checker.CheckHostKey(id.addr.String(), nil, id.cert); err != nil {
		return BadCertificate, id.caption() + ": " + quoted(strings.TrimPrefix(err.Error(), "ssh: "))
	}
	return "", ""
}
