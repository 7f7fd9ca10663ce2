package hawser

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
)

// Hint returns what to do about err, of opening, testing or using a session, in one
// sentence: "check port, and whether the server runs". It is "" for nil, and where
// nothing is known that err does not say.
//
// It goes by types and never by texts. An error may know better, and says so by a
// method Hint() string; the first in the chain of err that returns more than ""
// counts. Where a jump host failed, the hint names it.
func Hint(err error) string {
	if err == nil || errors.Is(err, context.Canceled) {
		return ""
	}
	if hop := innerError(err); hop != nil {
		if hint := Hint(hop); hint != "" {
			return "connection " + Printable(hop.Name) + ": " + hint
		}
	}
	if hint := ownHint(err); hint != "" {
		return hint
	}
	var e *Error
	if !errors.As(err, &e) {
		e = &Error{Err: err}
	}
	for _, table := range []func(*Error) string{hintOfDefinition, hintOfTrust, hintOfNetwork, hintOfPhase} {
		if hint := table(e); hint != "" {
			return hint
		}
	}
	return ""
}

// innerError is what err says of another connection, a jump host. Nil: nothing.
func innerError(err error) *Error {
	var outer, inner *Error
	if !errors.As(err, &outer) || !errors.As(outer.Err, &inner) || inner.Name == outer.Name || inner.Name == "" {
		return nil
	}
	return inner
}

// ownHint is what the errors in the chain of err say, the outermost first.
func ownHint(err error) string {
	if h, ok := err.(interface{ Hint() string }); ok {
		if hint := h.Hint(); hint != "" {
			return hint
		}
	}
	switch wrapper := err.(type) {
	case interface{ Unwrap() error }:
		if cause := wrapper.Unwrap(); cause != nil {
			return ownHint(cause)
		}
	case interface{ Unwrap() []error }:
		for _, cause := range wrapper.Unwrap() {
			if hint := ownHint(cause); hint != "" {
				return hint
			}
		}
	}
	return ""
}

// hintOfDefinition is for what is wrong before a server is asked.
func hintOfDefinition(e *Error) string {
	switch {
	case errors.Is(e, ErrInvalid):
		return "correct " + listFields(e)
	case errors.Is(e, ErrNoDriver):
		return "correct protocol, or build the program with a driver for it"
	case errors.Is(e, ErrNotFound):
		return "correct the name, or save a connection under it"
	case errors.Is(e, ErrBusy):
		return "wait for another session to end, or set limits.sessions as high as the server allows"
	case e.Phase == PhaseLookup && isTimeout(e):
		return "see whether the registry can be reached"
	case e.Phase != PhaseSecrets:
	case isTimeout(e):
		return "see whether the store of secrets can be reached"
	case errors.Is(e, fs.ErrNotExist):
		return "put the file there, on the machine that runs this program, or correct its path"
	case errors.Is(e, fs.ErrPermission):
		return "let the user that runs this program read the file"
	default:
		return "correct the secret, key or certificate that the error names, or the reference to it"
	}
	return ""
}

// listFields names the fields that err is of, each once.
func listFields(err error) string {
	var names []string
	for _, f := range fieldErrors(err) {
		if f.Field != "" && !slices.Contains(names, Printable(f.Field)) {
			names = append(names, Printable(f.Field))
		}
	}
	if len(names) == 0 {
		return "the definition"
	}
	return strings.Join(names, ", ")
}

// fieldErrors are all in the tree of err.
func fieldErrors(err error) []*FieldError {
	if f, ok := err.(*FieldError); ok {
		return []*FieldError{f}
	}
	switch wrapper := err.(type) {
	case interface{ Unwrap() error }:
		return fieldErrors(wrapper.Unwrap())
	case interface{ Unwrap() []error }:
		var all []*FieldError
		for _, cause := range wrapper.Unwrap() {
			all = append(all, fieldErrors(cause)...)
		}
		return all
	}
	return nil
}

// hintOfTrust is for who refuses whom.
func hintOfTrust(e *Error) string {
	isSSH := e.Protocol == SSH || e.Protocol == SFTP
	isProxy := errors.Is(e, ErrProxy)
	switch untrusted, refused := errors.Is(e, ErrUntrusted), errors.Is(e, ErrAuth); {
	case untrusted && isProxy:
		return "compare the proxy's certificate with what its operator says, then accept it or set tls.roots to its authority"
	case untrusted && (e.Phase == PhaseData || e.Phase == PhaseProbe):
		return "see whether a firewall or balancer leads data connections to another server than the login"
	case untrusted && isSSH:
		return "compare the fingerprint with what ssh-keygen -l says on the server, then accept it or add it to ssh.host_keys"
	case untrusted:
		return "compare the fingerprint with what the server's operator says, then accept it, set tls.roots to its authority, or allow what is wrong by tls.allow"
	case refused && isProxy:
		return "check proxy.user and proxy.password"
	case refused && e.Phase == PhaseTrust:
		return "set tls.certificate to one that the server accepts"
	case refused:
		return "check auth.user and auth.password"
	}
	return ""
}

// hintOfNetwork is for a server that cannot be reached.
func hintOfNetwork(e *Error) string {
	var dns *net.DNSError
	switch {
	case errors.As(e, &dns) && dns.IsNotFound:
		return "correct host: this machine's DNS has no such name"
	case errors.As(e, &dns):
		return "try again, and see whether this machine's DNS answers"
	case e.Phase != PhaseConnect && e.Phase != PhaseResolve:
	case isErrno(e, syscall.ECONNREFUSED, 10061):
		return "check port, and whether the server runs: nothing listens there, or a firewall says no"
	case isErrno(e, syscall.EHOSTUNREACH, 10065), isErrno(e, syscall.ENETUNREACH, 10051):
		return "check host, and this machine's network: there is no way to that address; a VPN may be down"
	case isErrno(e, syscall.EACCES, 10013), isErrno(e, syscall.EPERM, 10013):
		return "have this machine's own firewall allow the connection"
	case errors.Is(e, ErrLost):
		return "check port: the server takes the connection and ends it before it says what is expected"
	case isErrno(e, syscall.ETIMEDOUT, 10060), isTimeout(e):
		return "check host and port, and the firewalls between: nothing answers there at all"
	}
	return ""
}

// hintOfPhase is for what is left.
func hintOfPhase(e *Error) string {
	switch {
	case errors.Is(e, ErrProxy):
		return "check proxy.host and proxy.port, or via, and whether the proxy or jump host runs"
	case e.Phase == PhaseTrust && isTimeout(e):
		return "check port: the server takes the connection and shakes no hands"
	case e.Phase == PhaseLogin && isTimeout(e):
		return "set timeout higher: the server does not answer the login in time"
	case e.Phase == PhaseProbe && errors.Is(e, fs.ErrPermission):
		return "let the login list its login directory, or pass over this if jobs do not need it"
	case e.Phase == PhaseProbe && isTimeout(e):
		return "set timeout higher: the login works, and what comes after it is too slow"
	}
	return ""
}

// isTimeout reports whether time was up, the connection's or the caller's.
func isTimeout(err error) bool {
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded)
}

// isErrno reports whether err is the error number of the system. Windows has others
// for sockets, which package syscall does not know.
func isErrno(err error, number, winsock syscall.Errno) bool {
	return errors.Is(err, number) || runtime.GOOS == "windows" && errors.Is(err, winsock)
}
