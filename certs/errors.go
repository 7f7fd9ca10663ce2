package certs

import (
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/hawser/hawser"
)

// An UntrustedError says why a server was refused. It matches
// [hawser.ErrUntrusted]; its text names the fingerprints, presented and known,
// and what to do.
type UntrustedError struct {
	Question Question
	Pending  string // the id for Store.Answer, if the question was stored
	Denied   bool   // somebody answered Deny, now or in the Store before
	Detail   string // what is wrong with a certificate or an identity; "" else
}

// Unwrap returns hawser.ErrUntrusted.
func (e *UntrustedError) Unwrap() error { return hawser.ErrUntrusted }

// Error says which connection met what, and the cure.
func (e *UntrustedError) Error() string {
	q := e.Question
	name := ""
	if q.Connection != "" {
		name = "connection " + hawser.Printable(q.Connection) + ": "
	}
	return hawser.ErrUntrusted.Error() + ": " + name + hawser.Printable(q.Addr) + e.problem() + "; " + e.cure()
}

func (e *UntrustedError) problem() string {
	q := e.Question
	key := q.KeyType() + " host key " + q.Fingerprint
	switch {
	case q.Reason == Unsupported:
		return " cannot be judged: " + e.Detail
	case q.Reason == RevokedKey:
		return " presented " + e.certified(key) + ", which is revoked"
	case q.Reason == NotListed:
		return " presented " + key + ", which ssh.host_keys does not list; it lists " + strings.Join(q.Known, ", ")
	case q.Reason == UnknownCA, q.Reason == BadCertificate:
		return " presented a certificate for " + e.certified(key)
	case e.Denied:
		return " presented " + key + ", which was denied"
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

func (e *UntrustedError) cure() string {
	q := e.Question
	compare := fmt.Sprintf("compare with `ssh-keygen -l -f %s` on the server", keyFile(q.KeyType()))
	accept := "pin it by ssh.host_keys"
	if e.Pending != "" {
		accept = "accept it by the answer to question " + e.Pending + ", or " + accept
	}
	switch {
	case q.Reason == Unsupported:
		return "this version of package certs judges SSH host keys alone"
	case q.Reason == RevokedKey:
		return "give the server a new key, or remove the revocation if it is a mistake"
	case q.Reason == NotListed:
		return compare + ", and list it if they are equal; a server with keys of several types needs each listed"
	case q.Reason == UnknownCA:
		return "pin the authority for this address (@cert-authority), or the certified key by ssh.host_keys"
	case q.Reason == BadCertificate:
		return "have the authority issue a valid host certificate"
	case e.Denied && e.Pending != "":
		return "if that was a mistake, answer question " + e.Pending + " again"
	case e.Denied:
		return "if that was a mistake, dial again and accept it"
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
