package hawser

import (
	"context"
	"errors"
	"strings"
)

// Errors that callers act on, matched by errors.Is. Where the standard library
// has a name, it is used instead: fs.ErrNotExist, fs.ErrExist,
// fs.ErrPermission, net.ErrClosed, os.ErrDeadlineExceeded for a wait that
// [Connection.Timeout] ended, errors.ErrUnsupported, and the context's own.
var (
	ErrNotFound  = errors.New("connection not found")
	ErrConflict  = errors.New("connection was changed by someone else")
	ErrInvalid   = errors.New("invalid connection")
	ErrNoDriver  = errors.New("no driver for protocol")
	ErrAuth      = errors.New("login refused")
	ErrUntrusted = errors.New("server identity refused")
	ErrProxy     = errors.New("proxy failed")
	ErrBusy      = errors.New("session limit reached")
	ErrLost      = errors.New("connection lost")
	ErrMaybeSent = errors.New("message may have been sent") // sending it again may deliver it twice
)

// A Phase is a step of opening a session.
type Phase string

const (
	PhaseLookup  Phase = "lookup"
	PhaseSecrets Phase = "secrets"
	PhasePool    Phase = "pool" // waiting for one of Limits.Sessions, or taking a session that is open
	PhaseResolve Phase = "resolve"
	PhaseConnect Phase = "connect"
	PhaseProxy   Phase = "proxy"
	PhaseTrust   Phase = "trust" // TLS handshake or host key
	PhaseLogin   Phase = "login"
	PhaseProbe   Phase = "probe"
	PhaseData    Phase = "data" // a data connection of ftp; also told of those that jobs need
)

// An Error says which phase of which operation on which connection failed. It
// never holds a Connection, so printing it cannot print a secret.
type Error struct {
	Op       string // "open", "send", "run", ...
	Phase    Phase  // "" for an operation that has no phases
	Name     string // of the connection; "" if it has none
	Protocol Protocol
	Addr     string // host:port; "" before it is known
	// Temporary is set by whoever knows that trying again later may succeed
	// and repeats nothing; see [Retryable].
	Temporary bool
	Err       error
}

// Error returns "open bank: sftp sftp.example.com:22: login: " and the cause.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.Name != "" {
		b.WriteString(" " + e.Name)
	}
	if e.Addr != "" {
		b.WriteString(": " + strings.TrimLeft(string(e.Protocol)+" "+e.Addr, " "))
	}
	if e.Phase != "" {
		b.WriteString(": " + string(e.Phase))
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Unwrap returns the cause, which matches one of the errors above where one fits.
func (e *Error) Unwrap() error { return e.Err }

// A FieldError is a problem with one field of a Connection, or of an Envelope or a
// message that is to be sent. It matches
// [ErrInvalid] and never quotes a secret.
type FieldError struct {
	Field   string // stored name, "tls.allow[1]"
	Problem string // `unknown anomaly "expred"; did you mean "expired"?`
}

// Error returns "field: problem", or the problem alone if it is of the whole.
func (e *FieldError) Error() string {
	if e.Field == "" {
		return e.Problem
	}
	return Printable(e.Field) + ": " + e.Problem // a name may be what a file holds
}

// Unwrap returns ErrInvalid.
func (e *FieldError) Unwrap() error { return ErrInvalid }

// Retryable reports whether trying again later may succeed and repeats
// nothing: the failure came before anything was sent that the server may have
// acted on, it is neither a refusal of the login nor of the identity, and no
// context ended.
func Retryable(err error) bool {
	for _, final := range []error{
		ErrAuth, ErrUntrusted, ErrInvalid, ErrNotFound, ErrNoDriver, ErrMaybeSent,
		errors.ErrUnsupported, context.Canceled, context.DeadlineExceeded,
	} {
		if errors.Is(err, final) {
			return false
		}
	}
	var e *Error
	return errors.As(err, &e) && e.Temporary
}
