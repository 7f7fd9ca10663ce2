package ssh

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	xssh "golang.org/x/crypto/ssh"

	"github.com/hawser/hawser"
)

// A TunnelError is the failure of a jump host, or of what lies behind it. It
// matches hawser.ErrProxy, unless the jump host answers and it is the target that
// cannot be reached. And it matches what Err does: hawser.ErrLost where the session
// with the jump host ended, hawser.ErrAuth where its login was refused, and so on.
type TunnelError struct {
	Host   string // name of the jump host's connection; may be empty
	Addr   string // host:port of the jump host
	Target string // host:port behind it; "" where it did not come to that
	Code   uint32 // why the jump host refused (RFC 4254, section 5.1); 0: it did not
	Reason string // its own words for that, printable; may be empty
	Err    error  // the cause; nil where the jump host refused

	silent bool // the target, while the jump host answers
}

// Error says which jump host it was, and which target, and why.
func (e *TunnelError) Error() string {
	var b strings.Builder
	b.WriteString("jump host ")
	if e.Host != "" {
		b.WriteString(hawser.Printable(e.Host))
	} else {
		b.WriteString(hawser.Printable(e.Addr))
	}
	switch {
	case e.Err != nil && (e.Target == "" || errors.Is(e.Err, hawser.ErrLost)):
		b.WriteString(": " + e.Err.Error())
	case e.Err != nil:
		fmt.Fprintf(&b, ": cannot reach %s: %v", e.Target, e.Err)
	case xssh.RejectionReason(e.Code) == xssh.ConnectionFailed:
		fmt.Fprintf(&b, ": cannot reach %s: %s", e.Target, e.why())
	default:
		fmt.Fprintf(&b, ": refused a tunnel to %s: %s%s", e.Target, e.why(), e.cure())
	}
	return b.String()
}

// why is the reason, or the code where there is none.
func (e *TunnelError) why() string {
	code := xssh.RejectionReason(e.Code)
	switch {
	case e.Reason == "":
		return code.String()
	case code == xssh.ConnectionFailed:
		return e.Reason
	}
	return fmt.Sprintf("%v: %s", code, e.Reason)
}

func (e *TunnelError) cure() string {
	switch xssh.RejectionReason(e.Code) {
	case xssh.Prohibited:
		return "; the jump host must be set to allow it (OpenSSH: AllowTcpForwarding, PermitOpen)"
	case xssh.UnknownChannelType:
		return "; this server has no tunnels"
	}
	return ""
}

// Hint is what to do, in one sentence; "": no more is known than the cause tells.
func (e *TunnelError) Hint() string {
	code := xssh.RejectionReason(e.Code)
	switch {
	case e.silent, e.Err == nil && code == xssh.ConnectionFailed:
		return "check host and port as the jump host sees them, and that it may connect there"
	case e.Err == nil && code == xssh.Prohibited:
		return "have the jump host allow tunnels to " + e.Target + " (OpenSSH: AllowTcpForwarding, PermitOpen)"
	case e.Err == nil && code == xssh.UnknownChannelType:
		return "set via to another connection: this server has no tunnels"
	case e.Err == nil:
		return "try again later: the jump host has no room for another tunnel"
	}
	return ""
}

// Unwrap returns Err.
func (e *TunnelError) Unwrap() error { return e.Err }

// Is reports whether target is hawser.ErrProxy and the jump host is to blame.
func (e *TunnelError) Is(target error) bool {
	return target == hawser.ErrProxy && !e.silent && xssh.RejectionReason(e.Code) != xssh.ConnectionFailed
}

// Temporary reports whether trying again later may succeed. Nothing was sent to
// the target yet, but where a tunnel broke.
func (e *TunnelError) Temporary() bool {
	var inner *hawser.Error
	switch {
	case e.Err == nil:
		code := xssh.RejectionReason(e.Code)
		return code == xssh.ConnectionFailed || code == xssh.ResourceShortage
	case errors.As(e.Err, &inner):
		return hawser.Retryable(e.Err)
	case errors.Is(e.Err, context.Canceled), errors.Is(e.Err, context.DeadlineExceeded):
		return false
	}
	return errors.Is(e.Err, hawser.ErrLost) || errors.Is(e.Err, os.ErrDeadlineExceeded)
}

// Timeout reports whether time was up, for net.Error.
func (e *TunnelError) Timeout() bool {
	return errors.Is(e.Err, os.ErrDeadlineExceeded) || errors.Is(e.Err, context.DeadlineExceeded)
}
