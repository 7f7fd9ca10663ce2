package opening

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/hawser/hawser"
)

// WithHint is err, with the same text, that has a method Hint: what to do about it,
// for a report. What hawser.Hint says of err without one must not be as good.
func WithHint(err error, hint string) error {
	if err == nil || hint == "" {
		return err
	}
	return &hinted{err, hint}
}

type hinted struct {
	error
	hint string
}

func (e *hinted) Unwrap() error { return e.error }
func (e *hinted) Hint() string  { return e.hint }

// hintOf is the hint that err has; "": none.
func hintOf(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

// silence is a hint for a server that took the connection and then said nothing, or
// hung up. "": e is of something else.
func (o *Opening) silence(e *hawser.Error) string {
	mute := errors.Is(e.Err, os.ErrDeadlineExceeded) || errors.Is(e.Err, context.DeadlineExceeded)
	if !mute && !errors.Is(e.Err, hawser.ErrLost) || errors.Is(e.Err, hawser.ErrAuth) || errors.Is(e.Err, hawser.ErrProxy) {
		return ""
	}
	isSSH := o.c.Protocol == hawser.SSH || o.c.Protocol == hawser.SFTP
	switch phase := e.Phase; {
	case phase == hawser.PhaseConnect && mute:
		return "the server takes the connection and says nothing: it may expect TLS from the first byte (set tls.mode to implicit), or port is that of another service"
	case phase == hawser.PhaseConnect:
		return "the server hangs up at once: it may have too many sessions or not admit this machine, or port is that of another service"
	case phase == hawser.PhaseTrust && isSSH && mute:
		return "the server takes the connection and does not speak SSH: check port"
	case phase == hawser.PhaseTrust && isSSH:
		return "the server hangs up before the login: it may have too many sessions (OpenSSH: MaxStartups) or not admit this machine, or port is that of another service"
	case phase == hawser.PhaseTrust && o.c.TLS.Mode == hawser.TLSImplicit:
		return "the server takes the connection and shakes no hands: set tls.mode to explicit, or port to that of implicit TLS"
	case phase == hawser.PhaseTrust:
		return "the server agreed to TLS and shakes no hands: a firewall that reads along may be in between; try tls.mode implicit"
	case phase == hawser.PhaseLogin && mute:
		return "the server does not answer the login in time: set timeout higher; it may look up the name of this machine, or ask a directory that is slow"
	case phase == hawser.PhaseLogin:
		return "the server hangs up during the login, which some do instead of refusing it: check auth.user and auth.password"
	}
	return ""
}

// What a server was expected to speak, for [Stranger].
type Language int

const (
	Lines Language = iota // of FTP or SMTP, in the clear
	TLS
	SSH
)

// Stranger is a hint for a server that begins with said where want was expected:
// which kind of server it is, if that can be told by its first bytes, and what to
// set. "": it cannot.
func Stranger(want Language, said []byte) string {
	quoted := ""
	if line := firstLine(said); len(line) > 0 {
		quoted = fmt.Sprintf(" (%q)", line)
	}
	switch begins := func(text string) bool { return bytes.HasPrefix(said, []byte(text)) }; {
	case begins("SSH-") && want != SSH:
		return "an SSH server answers" + quoted + ": set protocol to sftp or ssh, or port to that of the server that is meant"
	case begins("HTTP/"), begins("<"):
		return "a web server answers" + quoted + ": set port to that of the server that is meant"
	case begins("+OK"), begins("* OK"):
		return "a server of mailboxes answers" + quoted + ": set port to that of the server that is meant; mail is sent through 587 or 465"
	case isTLS(said) && want == Lines:
		return "the server speaks TLS from the first byte: set tls.mode to implicit"
	case isTLS(said) && want == SSH:
		return "a server of TLS answers: set port to that of SSH"
	case begins("220") && want == SSH:
		return "a server of FTP or mail answers" + quoted + ": set protocol to ftp or smtp, or port to that of SSH"
	case want == TLS:
		return "the server begins in the clear" + quoted + ": set tls.mode to explicit, or port to that of implicit TLS"
	}
	return ""
}

// isTLS reports whether said is the head of a TLS record (RFC 8446, section 5.1):
// an alert or a handshake.
func isTLS(said []byte) bool {
	return len(said) >= 2 && (said[0] == 0x15 || said[0] == 0x16) && said[1] == 3
}

// firstLine is what of said fits a hint.
func firstLine(said []byte) []byte {
	const most = 60
	if i := bytes.IndexAny(said, "\r\n"); i >= 0 {
		said = said[:i]
	}
	return said[:min(len(said), most)]
}
