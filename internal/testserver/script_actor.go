package testserver

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"sync"
)

// errStrayed is the error of a client that says something else than the script wants.
var errStrayed = errors.New("the client strayed")

// actor plays a script to one client. One goroutine owns it, but for what scripted.Close looks at: settled, and problem
// once that goroutine has ended.
type actor struct {
	server *scripted
	number int // of the connection, from one
	fault  fault
	hears  int // the stream of what the client says; zero if nobody counts that

	raw     net.Conn // below TLS
	control net.Conn
	lines   *bufio.Reader

	once    sync.Once
	settled chan struct{} // closed when nothing is expected of the client any more
	problem error         // how the client strayed
}

// stage is a step of any protocol.
type stage struct {
	want    string // the command; empty for none
	expects bool   // more of the client than the command
	ends    bool   // the script
	// play does what the step says about line, the command, which is empty if none is wanted.
	play func(ctx context.Context, line string) error
}

// settle says that nothing is expected of the client any more.
func (a *actor) settle() { a.once.Do(func() { close(a.settled) }) }

// run plays the stages, and finds out whether the client strayed.
func (a *actor) run(ctx context.Context, implicit bool, stages []stage) {
	defer a.settle()
	a.use(ctx, a.wire(ctx))
	err := a.perform(ctx, implicit, stages)
	if a.server.struck.Load() && a.fault.kind != Pass {
		return
	}
	a.problem = err
}

// wire is the connection below TLS.
func (a *actor) wire(ctx context.Context) net.Conn {
	return &faultyConn{Conn: a.raw, actor: a, stream: repliesWireStream, raw: a.raw, ctx: ctx}
}

// use makes c the connection of commands.
func (a *actor) use(ctx context.Context, c net.Conn) {
	a.control = &faultyConn{Conn: c, actor: a, stream: repliesStream, raw: a.raw, ctx: ctx}
	if a.hears != 0 {
		c = &faultyConn{Conn: c, actor: a, stream: a.hears, reads: true, late: true, raw: a.raw, ctx: ctx}
	}
	a.lines = bufio.NewReader(c)
}

// secure begins TLS.
func (a *actor) secure(ctx context.Context) error {
	if a.lines.Buffered() > 0 {
		return fmt.Errorf("%w: it went on before it was told to begin TLS", errStrayed)
	}
	secure := tls.Server(a.wire(ctx), a.server.tls)
	if err := secure.HandshakeContext(ctx); err != nil {
		return err
	}
	a.use(ctx, secure)
	return nil
}

func (a *actor) perform(ctx context.Context, implicit bool, stages []stage) error {
	if implicit {
		if err := a.secure(ctx); err != nil {
			return a.unless(len(stages) == 0, "before step 1", err)
		}
	}
	for i, stage := range stages {
		last := i == len(stages)-1
		if last && stage.want == "" && !stage.expects {
			a.settle()
		}
		if err := a.stage(ctx, stage); err != nil {
			return a.unless(last && !errors.Is(err, errStrayed), fmt.Sprintf("step %d (%q)", i+1, stage.want), err)
		}
		if stage.ends {
			return nil
		}
	}
	a.settle()
	return a.farewell()
}

// unless returns nil if the client was free to go.
func (a *actor) unless(free bool, where string, err error) error {
	if free {
		return nil
	}
	return fmt.Errorf("%s: %w", where, err)
}

func (a *actor) stage(ctx context.Context, stage stage) error {
	line := ""
	if stage.want != "" {
		var err error
		if line, err = a.command(); err != nil {
			return a.gone(ctx, err)
		}
		if !matches(stage.want, line) {
			return fmt.Errorf("%w: it said %q", errStrayed, line)
		}
	}
	return stage.play(ctx, line)
}

// gone is the error of a command that did not come.
func (a *actor) gone(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%w: it never said that, and stayed", errStrayed)
	}
	return fmt.Errorf("%w: it left: %w", errStrayed, err)
}

// command reads a line.
func (a *actor) command() (string, error) {
	line, err := a.lines.ReadString('\n')
	if err != nil {
		return "", err
	}
	if a.server.telnet {
		line = withoutTelnet(line)
	}
	a.server.heard(strings.TrimRight(line, "\r\n"))
	text, ok := strings.CutSuffix(line, "\r\n")
	if !ok || strings.ContainsAny(text, "\r\x00") {
		return "", fmt.Errorf("not a line: %q", line)
	}
	return text, nil
}

func matches(want, line string) bool {
	if expression, ok := strings.CutPrefix(want, "/"); ok && strings.HasSuffix(want, "/") {
		return regexp.MustCompile(strings.TrimSuffix(expression, "/")).MatchString(line)
	}
	if prefix, ok := strings.CutSuffix(want, "*"); ok {
		return strings.HasPrefix(line, prefix)
	}
	return line == want
}

// say writes text, in pieces if the script wants so.
func (a *actor) say(text string) error {
	for text != "" {
		n := len(text)
		if a.server.split > 0 {
			n = min(n, a.server.split)
		}
		if _, err := io.WriteString(a.control, text[:n]); err != nil {
			return err
		}
		text = text[n:]
	}
	return nil
}

// farewell is what happens after the last step.
func (a *actor) farewell() error {
	line, err := a.command()
	if err != nil {
		return nil
	}
	if line != "QUIT" {
		return fmt.Errorf("after the last step: %w: it said %q", errStrayed, line)
	}
	_, _ = io.WriteString(a.control, "221 Goodbye.\r\n")
	return nil
}
