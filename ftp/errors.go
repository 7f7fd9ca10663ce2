package ftp

import (
	"errors"
	"fmt"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/wire"
)

// An Error is a reply that refuses a command (RFC 959, section 4.2). It matches
// errors.ErrUnsupported if the server does not know the command, and
// hawser.ErrLost if the server closes the control connection with it (421).
type Error struct {
	Command string // the verb, "STOR"
	Code    int    // 400 to 599, or a code that the command cannot have
	Text    string // of the server, on one line
}

// Error returns "STOR: 550 permission denied".
func (e *Error) Error() string {
	return fmt.Sprintf("%s: %03d %s", e.Command, e.Code, hawser.Printable(e.Text))
}

// Is makes the categories match.
func (e *Error) Is(target error) bool {
	switch target {
	case hawser.ErrLost:
		return e.Code == codeClosing
	case errors.ErrUnsupported:
		return e.Code == codeSuperfluous || e.Code == 500 || e.Code == 502 || e.Code == 504
	}
	return false
}

// The codes that decide what happens next.
const (
	codeSuperfluous   = 202
	codeSent          = 226 // of a transfer alone
	codeRestart       = 350 // go on, with what REST or RNFR prepared
	codeClosing       = 421 // at any time: the server hangs up
	codeNoData        = 425 // the data connection could not be opened
	codeUnavailable   = 450
	codeNotNow        = 451
	codeBadArguments  = 501
	codeReuseTLS      = 522 // RFC 4217 has 534; vsftpd says this of a data connection without session reuse
	codeExists        = 521
	codeRefused       = 550
	codeNameForbidden = 553
)

// refusal is r as the error of command.
func refusal(command string, r wire.Reply) *Error {
	return &Error{Command: command, Code: r.Code, Text: r.Text()}
}

// errLostHome says that relative names have lost their meaning.
var errLostHome = fmt.Errorf("%w: the login directory", hawser.ErrLost)

// A name is the wrong kind of file for what was asked.
var (
	errIsDir  = errors.New("is a directory")
	errNotDir = errors.New("is not a directory")
)
