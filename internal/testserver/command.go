package testserver

import (
	"context"
	"io"

	"golang.org/x/crypto/ssh"
)

// Window is the size of a terminal in characters.
type Window struct {
	Width, Height int
}

// Command is an exec request on its way through [SSHConfig.Exec], which alone may use it and only until it returns.
type Command struct {
	// Context is cancelled when the client closes the channel or the connection ends. It belongs to this one
	// request, as that of an http.Request does.
	Context context.Context

	// User is who logged in, Line the command as the client sent it.
	User, Line string
	// Dir is the server's Root, or empty if that could not be made.
	Dir string
	// Env holds the client's variables as NAME=value in the order sent.
	Env []string

	// Stdin ends with io.EOF when the client ends it. Closing it unblocks a Read.
	Stdin io.ReadCloser
	// Stdout and Stderr block while the client does not read, and fail once the channel is closed.
	Stdout, Stderr io.Writer

	// TTY is set if the client asked for a terminal. Term and Window describe it then.
	TTY    bool
	Term   string
	Window Window
	// Windows delivers later sizes, Signals the client's signals. Neither is ever closed; what a command leaves
	// unread beyond a small buffer is dropped.
	Windows <-chan Window
	Signals <-chan ssh.Signal

	// ExitSignal, if set by the handler, is reported in place of the exit status.
	ExitSignal ssh.Signal
}
