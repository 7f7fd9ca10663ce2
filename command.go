package hawser

import (
	"context"
	"io"
	"strconv"
	"strings"
	"time"
)

// A Runner runs commands. One that ran but failed gives an *ExitError.
// hawsertest.TestRunner checks one.
type Runner interface {
	// Run runs cmd and returns when it has ended and its output is written.
	// When ctx ends the command is sent TERM, after cmd.Grace KILL, and its
	// channel is closed; the error is the context's, also where the server
	// delivers no signals and the command goes on without its channel.
	Run(ctx context.Context, cmd *Command) error
}

// A Command is one line for the remote shell. [Quote] joins arguments safely
// for a POSIX shell.
type Command struct {
	Line string
	// Stdin is what the command reads; nil is empty. One that fails ends the
	// command and the Run, whose error is Stdin's: half an input must not pass
	// for the whole. One whose Read blocks may be read from once more after Run
	// has returned.
	Stdin io.Reader
	// Stdout and Stderr take what the command writes; nil drops it. Each is
	// written by one goroutine at a time; where both are the same, their
	// writes may interleave. A Write that blocks holds up a Run that was
	// cancelled for a second at most.
	Stdout, Stderr io.Writer
	// Env is set before the command starts. A server that refuses a variable
	// (OpenSSH takes only those of its AcceptEnv) fails the Run, before the
	// command starts.
	Env map[string]string
	// TTY asks for a terminal. Stderr then arrives in Stdout, line ends are
	// CR LF, and closing the channel hangs the command up.
	TTY bool
	// Grace is the time between TERM and KILL when ctx ends. Zero: 5s.
	Grace time.Duration
}

// Quote returns args as one line for a POSIX shell, each as one word, whatever
// it holds. Other shells, such as Windows' cmd, quote differently.
func Quote(args ...string) string {
	words := make([]string, len(args))
	for i, arg := range args {
		words[i] = quoteWord(arg)
	}
	return strings.Join(words, " ")
}

func quoteWord(s string) string {
	plain := func(r rune) bool {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' ||
			strings.ContainsRune("_-./:,@%+", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// An ExitError is a command that ran and failed.
type ExitError struct {
	Code   int    // -1 if ended by a signal
	Signal string // name without SIG, "TERM"; "" if the command exited by itself
}

// Error returns "exit status 3" or "ended by signal TERM".
func (e *ExitError) Error() string {
	if e.Signal != "" {
		return "ended by signal " + Printable(e.Signal)
	}
	return "exit status " + strconv.Itoa(e.Code)
}
