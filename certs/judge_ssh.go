package certs

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/hawser/hawser"
)

// A hostKey is an SSH host key that a server presented and proved to hold.
type hostKey struct {
	addr        address
	key         ssh.PublicKey // the key itself, or the one that cert certifies
	cert        *ssh.Certificate
	fingerprint string // of key, as `ssh-keygen -l` prints it for a certificate too
}

// newHostKey reads a key in wire format.
func newHostKey(addr address, wire []byte) (hostKey, error) {
	key, err := ssh.ParsePublicKey(wire)
	if err != nil {
		return hostKey{}, fmt.Errorf("its host key cannot be read: %s", quoted(err.Error()))
	}
	id := hostKey{addr: addr, key: key}
	if cert, ok := key.(*ssh.Certificate); ok {
		id.cert, id.key = cert, cert.Key
	}
	id.fingerprint = ssh.FingerprintSHA256(id.key)
	return id, nil
}

func (id hostKey) question() Question {
	return Question{Addr: id.addr.String(), Kind: KindSSH, Fingerprint: id.fingerprint, HostKey: id.key.Marshal()}
}

func (id hostKey) judge(c hawser.Connection, pins []Pin) verdict {
	pins = ofKind(KindSSH, pins)
	q := id.question()
	q.Connection = c.Name
	refuse := func(r Reason, detail string) verdict {
		q.Reason = r
		return verdict{final: true, question: q, detail: detail}
	}
	known := knownOf(KindSSH, pins)
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
	hasCA := slices.ContainsFunc(pins, func(p Pin) bool { return p.CA })
	return verdict{pin: c.SSH.AutoAccept && !hasCA, question: q}
}

// revoked reports whether the key is, or the authority that certifies it.
func (id hostKey) revoked(pins []Pin) bool {
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
func (id hostKey) caption() string {
	if id.cert == nil {
		return ""
	}
	return "certificate " + quoted(id.cert.KeyId) + " of authority " + ssh.FingerprintSHA256(id.cert.SignatureKey)
}

// checkCertificate returns why the certificate is not trusted, or "".
func (id hostKey) checkCertificate(c hawser.Connection, pins []Pin) (Reason, string) {
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
