package proxy

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/opening"
)

// What a proxy was asked for, or had done to it, when it failed.
const (
	OpResolve = "resolve" // the target's name, here
	OpDial    = "dial"    // connect to the proxy
	OpTLS     = "tls"     // shake hands with an https proxy
	OpLogin   = "login"
	OpConnect = "connect" // to the target
	OpBind    = "bind"    // open a port for the target
)

// An Error is a failure on the way through a proxy. It matches hawser.ErrProxy
// unless it was the target that failed, as far as the proxy tells; then it matches
// what a direct connection would have failed with, such as syscall.ECONNREFUSED,
// where the proxy says so. Where the proxy refused the login it matches
// hawser.ErrAuth as well.
type Error struct {
	Proxy  string // type and host:port, "socks5h proxy.example.com:1080"
	Target string // host:port
	Op     string // one of the constants above
	Code   int    // HTTP status, or reply of SOCKS; 0: the proxy gave none
	Reason string // the proxy's own, printable, or what its code means; may be empty
	Err    error  // the cause, or nil

	target  bool   // the target failed, not the proxy
	refused bool   // the login was refused
	passing bool   // trying again later may succeed, without a cause that says so
	cure    string // what to do; may be empty
}

// Error says who failed at what, and why.
func (e *Error) Error() string {
	var b strings.Builder
	if e.target {
		fmt.Fprintf(&b, "%s: %s, says the proxy %s", e.Target, e.what(), e.Proxy)
	} else {
		b.WriteString("proxy " + e.Proxy + ": ")
		switch e.Op {
		case OpConnect, OpBind, OpResolve:
			b.WriteString(e.Op + " " + e.Target + ": ")
		case OpTLS, OpLogin:
			b.WriteString(e.Op + ": ")
		}
		b.WriteString(e.what())
	}
	if e.cure != "" {
		b.WriteString("; " + e.cure)
	}
	return b.String()
}

// what is the code, the reason and the cause, as far as they are there.
func (e *Error) what() string {
	var parts []string
	if e.Code != 0 {
		parts = append(parts, strings.TrimSpace(fmt.Sprintf("%d %s", e.Code, e.Reason)))
	} else if e.Reason != "" {
		parts = append(parts, e.Reason)
	}
	if e.Err != nil && !(e.target && e.Code != 0 && e.Reason != "") {
		parts = append(parts, e.Err.Error())
	}
	if len(parts) == 0 {
		return "failed"
	}
	return strings.Join(parts, ": ")
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Hint is what to do, in one sentence; "": no more is known than the cause tells.
func (e *Error) Hint() string {
	switch {
	case e.cure != "":
		return e.cure
	case e.target || errors.Is(e.Err, hawser.ErrUntrusted):
		return ""
	case e.refused:
		return "check proxy.user and proxy.password"
	case e.Op == OpDial:
		return "check proxy.host and proxy.port, and whether the proxy runs"
	case e.Op == OpResolve:
		return "set proxy.type to socks5h, so that the proxy resolves names, or check host"
	case e.Op == OpTLS:
		return "set proxy.type to http if the proxy takes no TLS, or check proxy.port"
	}
	return "have the proxy allow connections to " + e.Target + ", or check proxy.type"
}

// Is reports whether target is hawser.ErrProxy or hawser.ErrAuth, and e is one.
func (e *Error) Is(target error) bool {
	return target == hawser.ErrProxy && !e.target || target == hawser.ErrAuth && e.refused
}

// Temporary reports whether trying again later may succeed: the proxy or the target
// could not be reached, fell silent or was busy, and no login was lost by that.
// Nothing was sent to the target yet.
func (e *Error) Temporary() bool {
	var inner *hawser.Error
	var further interface{ Temporary() bool }
	var dns *net.DNSError
	switch {
	case e.Op == OpLogin: // who hangs up on it may mean to refuse it
		return false
	case errors.Is(e.Err, hawser.ErrUntrusted), errors.Is(e.Err, hawser.ErrInvalid), errors.Is(e.Err, errors.ErrUnsupported):
		return false
	case e.Err == nil:
		return e.passing
	case errors.As(e.Err, &inner):
		return inner.Temporary
	case errors.Is(e.Err, hawser.ErrProxy) && errors.As(e.Err, &further): // the way to this proxy
		return further.Temporary()
	case errors.As(e.Err, &dns):
		return dns.IsTimeout || dns.IsTemporary
	}
	return e.passing || opening.IsLoss(e.Err) || errors.Is(e.Err, hawser.ErrLost)
}
