package certs

import (
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"
)

func (e *UntrustedError) problemSSH() string {
	q := e.Question
	key := q.KeyType() + " host key " + q.Fingerprint
	switch {
	case q.Reason == RevokedKey:
		return " presented " + e.certified(key) + ", which is revoked"
	case q.Reason == NotListed:
		return " presented " + key + ", which ssh.host_keys does not list; it lists " + strings.Join(q.Known, ", ")
	case q.Reason == UnknownCA, q.Reason == BadCertificate:
		return " presented a certificate for " + e.certified(key)
	case e.Denied:
		return " presented " + key + ", " + e.denied()
	case q.Reason == Changed:
		return " presented another key than before: " + key + "; known is " + strings.Join(q.Known, ", ")
	}
	return " presented the unknown " + key
}

// certified appends what is wrong with a certificate of key.
func (e *UntrustedError) certified(key string) string {
	if e.Detail == "" {
		return key
	}
	return key + " (" + e.Detail + ")"
}

func (e *UntrustedError) cureSSH() string {
	q := e.Question
	compare := fmt.Sprintf("compare with `ssh-keygen -l -f %s` on the server", keyFile(q.KeyType()))
	accept := "pin it by ssh.host_keys"
	if e.Pending != "" {
		accept = "accept it by the answer to question " + e.Pending + ", or " + accept
	}
	switch {
	case q.Reason == RevokedKey:
		return "give the server a new key, or remove the revocation if it is a mistake"
	case q.Reason == NotListed:
		return compare + ", and list it if they are equal; a server with keys of several types needs each listed"
	case q.Reason == UnknownCA:
		return "pin the authority for this address (@cert-authority), or the certified key by ssh.host_keys"
	case q.Reason == BadCertificate:
		return "have the authority issue a valid host certificate"
	case e.Denied:
		return e.undo()
	case q.Reason == Changed:
		return "unless the server's administrator knows of the change, somebody may be in between: " + compare + ", then " + accept
	}
	return compare + ", then " + accept
}

// keyFile returns where OpenSSH keeps a server's key of this type.
func keyFile(typ string) string {
	kind := "*"
	switch {
	case typ == ssh.KeyAlgoED25519:
		kind = "ed25519"
	case typ == ssh.KeyAlgoRSA:
		kind = "rsa"
	case strings.HasPrefix(typ, "ecdsa-"):
		kind = "ecdsa"
	}
	return "/etc/ssh/ssh_host_" + kind + "_key.pub"
}
