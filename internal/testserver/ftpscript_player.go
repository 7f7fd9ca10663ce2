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
	"strconv"
	"strings"
	"sync"
)

// player plays a script to one client. One goroutine owns it, but for what ScriptedFTP.Close looks at: settled, and
// problem once that goroutine has ended.
type player struct {
	server *ScriptedFTP
	number int // of the connection, from one
	fault  FTPFault
	seen   int64 // bytes of the fault's stream

	raw     net.Conn // the control connection below TLS
	control net.Conn
	lines   *bufio.Reader
	private bool // PROT P
	data    dataPlan

	once    sync.Once
	settled chan struct{} // closed when nothing is expected of the client any more
	problem error         // how the client strayed
}

// settle says that nothing is expected of the client any more.
func (p *player) settle() { p.once.Do(func() { close(p.settled) }) }

func (p *player) run(ctx context.Context, steps Steps) {
	defer p.settle()
	defer p.data.close()
	p.use(ctx, p.wire(ctx))
	err := p.play(ctx, steps)
	if p.server.struck.Load() && p.fault.Fault != Pass {
		return
	}
	p.problem = err
}

// wire is the control connection below TLS.
func (p *player) wire(ctx context.Context) net.Conn {
	return &faultyConn{Conn: p.raw, player: p, stream: FTPRepliesWire, raw: p.raw, ctx: ctx}
}

// use makes c the control connection.
func (p *player) use(ctx context.Context, c net.Conn) {
	p.lines = bufio.NewReader(c)
	p.control = &faultyConn{Conn: c, player: p, stream: FTPReplies, raw: p.raw, ctx: ctx}
}

// secure begins TLS on the control connection.
func (p *player) secure(ctx context.Context) error {
	if p.lines.Buffered() > 0 {
		return fmt.Errorf("%w: it went on before it was told to begin TLS", errStrayed)
	}
	secure := tls.Server(p.wire(ctx), p.server.tls)
	if err := secure.HandshakeContext(ctx); err != nil {
		return err
	}
	p.use(ctx, secure)
	return nil
}

func (p *player) play(ctx context.Context, steps Steps) error {
	if p.server.script.Implicit {
		if err := p.secure(ctx); err != nil {
			return p.unless(len(steps) == 0, "before step 1", err)
		}
	}
	for i, step := range steps {
		last := i == len(steps)-1
		if last && step.Want == "" {
			p.settle()
		}
		if err := p.step(ctx, step); err != nil {
			return p.unless(last && !errors.Is(err, errStrayed), fmt.Sprintf("step %d (%q)", i+1, step.Want), err)
		}
		if step.Close {
			return nil
		}
	}
	p.settle()
	return p.farewell()
}

// unless returns nil if the client was free to go.
func (p *player) unless(free bool, where string, err error) error {
	if free {
		return nil
	}
	return fmt.Errorf("%s: %w", where, err)
}

// errStrayed is the error of a client that says something else than the script wants.
var errStrayed = errors.New("the client strayed")

func (p *player) step(ctx context.Context, step Step) error {
	line := ""
	if step.Want != "" {
		var err error
		if line, err = p.command(); err != nil {
			return p.gone(ctx, err)
		}
		if !matches(step.Want, line) {
			return fmt.Errorf("%w: it said %q", errStrayed, line)
		}
		p.data.note(line)
	}
	if step.EndData {
		p.data.end(Transfer{})
	}
	if step.Data != nil && step.Data.Early {
		if err := p.data.open(ctx, p, *step.Data); err != nil {
			return err
		}
	}
	if err := p.say(ctx, step.Reply, step.Raw); err != nil {
		return err
	}
	if level, ok := strings.CutPrefix(line, "PROT "); ok && strings.HasPrefix(step.Reply, "2") {
		p.private = level == "P"
	}
	if step.TLS {
		if err := p.secure(ctx); err != nil {
			return err
		}
	}
	if step.Data != nil {
		if err := p.transfer(ctx, *step.Data); err != nil {
			return err
		}
	}
	return p.say(ctx, step.Then, "")
}

// gone is the error of a command that did not come.
func (p *player) gone(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%w: it never said that, and stayed", errStrayed)
	}
	return fmt.Errorf("%w: it left: %w", errStrayed, err)
}

// withoutTelnet drops the commands of Telnet that may come before an ABOR (RFC 959, section 4.1.3).
func withoutTelnet(line string) string {
	const interrupt, mark = "\xff\xf4", "\xff\xf2"
	return strings.NewReplacer(interrupt, "", mark, "").Replace(line)
}

// command reads a line.
func (p *player) command() (string, error) {
	line, err := p.lines.ReadString('\n')
	if err != nil {
		return "", err
	}
	line = withoutTelnet(line)
	p.server.heard(strings.TrimRight(line, "\r\n"))
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

// say writes a reply, in pieces if the script wants so.
func (p *player) say(ctx context.Context, reply, raw string) error {
	if strings.Contains(reply, "{p") {
		if err := p.data.listen(ctx); err != nil {
			return err
		}
	}
	text := wire(reply, p.data.port) + raw
	for text != "" {
		n := len(text)
		if p.server.script.Split > 0 {
			n = min(n, p.server.script.Split)
		}
		if _, err := io.WriteString(p.control, text[:n]); err != nil {
			return err
		}
		text = text[n:]
	}
	return nil
}

// farewell is what happens after the last step.
func (p *player) farewell() error {
	line, err := p.command()
	if err != nil {
		return nil
	}
	if line != "QUIT" {
		return fmt.Errorf("after the last step: %w: it said %q", errStrayed, line)
	}
	_, _ = io.WriteString(p.control, "221 Goodbye.\r\n")
	return nil
}

// port is a TCP port in a reply.
type port uint16

// longestPort is as long as every port that a script announces.
const longestPort port = 60123

// fill puts the port into a reply.
func (p port) fill(reply string) string {
	return strings.NewReplacer(
		"{port}", strconv.Itoa(int(p)),
		"{p1}", strconv.Itoa(int(p>>8)), "{p2}", strconv.Itoa(int(p&0xff)),
	).Replace(reply)
}
