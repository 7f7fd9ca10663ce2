package smtp

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/wire"
)

// ErrTooLarge says that a message is larger than the server takes (RFC 1870).
var ErrTooLarge = errors.New("message too large")

// An Error is a reply that refuses a command (RFC 5321, section 4.2). It matches
// errors.ErrUnsupported if the server does not know the command or a parameter of
// it, [ErrTooLarge] if the message is, and hawser.ErrLost if the server closes the
// connection with it (421).
type Error struct {
	Command  string // "RCPT"; "message" for the reply to all of it
	Code     int    // 400 to 599, or a code that the command cannot have
	Enhanced string // "5.1.1" (RFC 3463); "" if the server told none
	Text     string // of the server, on one line, without the codes
}

// Error returns "RCPT: 550 5.1.1 no such user".
func (e *Error) Error() string {
	code := fmt.Sprintf("%03d", e.Code)
	if e.Enhanced != "" {
		code += " " + e.Enhanced
	}
	return strings.TrimSpace(fmt.Sprintf("%s: %s %s", e.Command, code, hawser.Printable(e.Text)))
}

// Temporary reports whether the server may say something else later (4yz).
func (e *Error) Temporary() bool { return e.Code/100 == 4 }

// Is makes the categories match.
func (e *Error) Is(target error) bool {
	switch target {
	case hawser.ErrLost:
		return e.Code == codeClosing
	case errors.ErrUnsupported:
		return e.Code == 500 || e.Code == 502 || e.Code == 504 || e.Code == 555
	case ErrTooLarge:
		return e.Enhanced == "5.3.4" || e.Enhanced == "5.2.3" || e.Code == 552 && e.Enhanced == "" && e.Command != "RCPT"
	}
	return false
}

// The codes that decide what happens next (RFC 5321, section 4.2.3; RFC 4954).
const (
	codeAuthenticated = 235
	codeChallenge     = 334
	codeStartBody     = 354
	codeClosing       = 421 // at any time: the server hangs up
	codeTransition    = 432 // the password is to be given by PLAIN once
	codeFull          = 452 // too many messages in one session, among other things
)

// refusal is r as the error of command.
func refusal(command string, r wire.Reply) *Error {
	e := &Error{Command: command, Code: r.Code}
	var texts []string
	for _, line := range r.Texts() {
		enhanced, text := cutEnhanced(line)
		if e.Enhanced == "" {
			e.Enhanced = enhanced
		}
		texts = append(texts, text)
	}
	e.Text = strings.Join(texts, " ")
	return e
}

// cutEnhanced takes the enhanced status code (RFC 2034) off the front of a line.
func cutEnhanced(line string) (enhanced, text string) {
	word, rest, _ := strings.Cut(line, " ")
	class, detail, ok := strings.Cut(word, ".")
	subject, detail, ok2 := strings.Cut(detail, ".")
	if ok && ok2 && (class == "2" || class == "4" || class == "5") && isNumber(subject) && isNumber(detail) {
		return word, strings.TrimSpace(rest)
	}
	return "", line
}

// isNumber reports whether s is one to three digits.
func isNumber(s string) bool {
	return len(s) >= 1 && len(s) <= 3 && !strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
}

// A recipientsError is why nobody, or not everybody, got a message.
type recipientsError []hawser.RecipientError

// Error tells of the first few.
func (e recipientsError) Error() string {
	const most = 3
	var texts []string
	for _, refused := range e[:min(len(e), most)] {
		texts = append(texts, refused.Error())
	}
	text := strings.Join(texts, "; ")
	if more := len(e) - most; more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return text
}

// Unwrap returns them all.
func (e recipientsError) Unwrap() []error {
	all := make([]error, len(e))
	for i, refused := range e {
		all[i] = refused
	}
	return all
}

// temporary reports whether each of them may be accepted later.
func (e recipientsError) temporary() bool {
	for _, refused := range e {
		var reply *Error
		if !errors.As(refused.Err, &reply) || !reply.Temporary() {
			return false
		}
	}
	return true
}
