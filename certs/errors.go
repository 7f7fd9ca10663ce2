package certs

import (
	"github.com/hawser/hawser"
)

// An UntrustedError says why a server was refused. It matches
// [hawser.ErrUntrusted]; its text names the fingerprints, presented and known,
// everything that is wrong with a certificate, and what to do.
type UntrustedError struct {
	Question Question
	Pending  string // the id for Store.Answer, if the question was stored
	Denied   bool   // somebody answered Deny, now or in the Store before
	DeniedBy string // who, if that is known
	Detail   string // what is wrong with a host certificate or an identity; "" else
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
	problem, cure := e.problemSSH(), e.cureSSH()
	switch {
	case q.Reason == Unsupported:
		problem, cure = " cannot be judged: "+e.Detail, "want a TLS certificate or an SSH host key, at host:port"
	case q.Kind == KindTLS:
		problem, cure = e.problemTLS(), e.cureTLS()
	}
	return hawser.ErrUntrusted.Error() + ": " + name + hawser.Printable(q.Addr) + problem + "; " + cure
}

// deny notes that somebody answered Deny.
func (e *UntrustedError) deny(a Answer) { e.Denied, e.DeniedBy = true, a.By }

// denied says so, and who did.
func (e *UntrustedError) denied() string {
	if e.DeniedBy == "" {
		return "which was denied"
	}
	return "which " + quoted(e.DeniedBy) + " denied"
}

// undo is the cure of a denial.
func (e *UntrustedError) undo() string {
	if e.Pending != "" {
		return "if that was a mistake, answer question " + e.Pending + " again"
	}
	return "if that was a mistake, dial again and accept it"
}
