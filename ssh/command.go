package ssh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	xssh "golang.org/x/crypto/ssh"

	"github.com/hawser/hawser"
)

// defaultGrace is what a zero Command.Grace means.
const defaultGrace = 5 * time.Second

// Run runs cmd in the login shell of the user; see hawser.Runner. Signals are
// for the server to deliver: OpenSSH does so for the command alone, not for
// what the command started, and not where the login is root's. A command with
// a TTY hangs up when its channel closes, whatever the server does.
func (s *Session) Run(ctx context.Context, cmd *hawser.Command) error {
	defer s.log.Listen(ctx)()
	if err := checkCommand(cmd); err != nil {
		return s.Fail("run", err)
	}
	err := s.run(ctx, cmd)
	var exit *hawser.ExitError
	if err == nil || errors.As(err, &exit) {
		return err
	}
	return s.Fail("run", err)
}

// checkCommand refuses what the server would misread.
func checkCommand(cmd *hawser.Command) error {
	if cmd.Line == "" {
		return &hawser.FieldError{Field: "command.line", Problem: "is empty"}
	}
	if strings.Contains(cmd.Line, "\x00") {
		return &hawser.FieldError{Field: "command.line", Problem: "holds NUL"}
	}
	for name, value := range cmd.Env {
		if name == "" || strings.ContainsAny(name, "=\x00\r\n") || strings.Contains(value, "\x00") {
			return &hawser.FieldError{Field: "command.env", Problem: fmt.Sprintf("%q is not the name of a variable, or its value holds NUL", name)}
		}
	}
	return nil
}

func (s *Session) run(ctx context.Context, cmd *hawser.Command) error {
	s.opened() // also while output is still written that came before the channel closed
	defer s.closed()
	c, err := s.openChannel(ctx)
	if err != nil {
		return err
	}
	// Also what fails before the end of the command closes the channel, and
	// with it the command's terminal and streams.
	kill := false
	defer func() { c.release(kill) }()
	if err := c.prepare(ctx, cmd); err != nil {
		return err
	}
	if err := c.request(ctx, "exec", struct{ Line string }{cmd.Line}, fmt.Sprintf("%q", cmd.Line)); err != nil {
		return err
	}
	streams := startStreams(c, cmd)
	defer streams.detach()
	select {
	case <-c.requestsEnded:
	case <-ctx.Done():
		kill = !c.terminate(cmd)
		return ctx.Err()
	case <-streams.failed:
		kill = !c.terminate(cmd)
		return streams.err
	}
	// The server closed the channel; what it sent before is still being written.
	select {
	case <-streams.written:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.shut:
		return s.Cause()
	}
	return c.result(streams)
}

// prepare asks for the terminal and the variables.
func (c *channel) prepare(ctx context.Context, cmd *hawser.Command) error {
	if cmd.TTY {
		terminal := struct {
			Term                         string
			Columns, Rows, Width, Height uint32
			Modes                        string
		}{Term: "xterm", Columns: 80, Rows: 24, Modes: "\x00"} // no modes: TTY_OP_END
		if err := c.request(ctx, "pty-req", terminal, "xterm"); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(cmd.Env)) {
		err := c.request(ctx, "env", struct{ Name, Value string }{name, cmd.Env[name]}, name+"=***")
		if err != nil && !isContext(err) && c.s.Cause() == nil {
			return fmt.Errorf("variable %s: %w; the server must be set to accept it (OpenSSH: AcceptEnv)", name, err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// terminate asks the command to end and reports whether it did within its
// grace, which is all that is waited: a server that delivers no signals never
// answers.
func (c *channel) terminate(cmd *hawser.Command) bool {
	grace := cmd.Grace
	if grace == 0 {
		grace = defaultGrace
	}
	c.logSignal("TERM")
	c.s.calls.Go(func() { c.signal("TERM") })
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-c.requestsEnded:
		return true
	case <-timer.C:
		return false
	}
}

// release lets go of the channel, after a KILL if the command would not end.
// It does not wait, because sending may block on a dead link, which the
// keepalive ends.
func (c *channel) release(kill bool) {
	if kill {
		c.logSignal("KILL")
	}
	c.s.log.Sent("CHANNEL_CLOSE")
	c.s.calls.Go(func() {
		if kill {
			c.signal("KILL")
		}
		_ = c.Close()
	})
}

// logSignal is called by whoever has the traces; sending may come later.
func (c *channel) logSignal(name string) { c.s.log.Sent("CHANNEL_REQUEST signal %s", name) }

// signal sends a signal, which nobody answers (RFC 4254, section 6.9).
func (c *channel) signal(name string) {
	payload := struct{ Name string }{name}
	_, _ = c.SendRequest("signal", false, xssh.Marshal(payload))
}

// result is what the end of the command means.
func (c *channel) result(streams *streams) error {
	select {
	case <-streams.failed:
		return streams.err
	default:
	}
	switch o := c.outcome; {
	case !o.told:
		return c.unexplained()
	case o.signal != "" || o.status != 0:
		return &hawser.ExitError{Code: o.status, Signal: o.signal}
	}
	return nil
}

// unexplained is the error of a channel that ended without a word of how the
// command did.
func (c *channel) unexplained() error {
	return c.s.settle(fmt.Errorf("%w: the server closed the channel without an exit status", io.ErrUnexpectedEOF))
}
