package testserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
)

// smtpPlayer plays an [SMTPScript] to one client.
type smtpPlayer struct {
	*actor
	server *ScriptedSMTP
}

// handle plays the script to one client.
func (f *ScriptedSMTP) handle(ctx context.Context, c net.Conn) {
	p := &smtpPlayer{actor: f.enter(c), server: f}
	p.hears = int(SMTPReceived)
	p.run(ctx, f.script.Implicit, p.stages(part(p.number, f.script.Steps, f.script.Later)))
}

func (p *smtpPlayer) stages(steps SMTPSteps) []stage {
	stages := make([]stage, len(steps))
	for i, step := range steps {
		stages[i] = stage{
			want: step.Want, expects: step.Body, ends: step.Close || step.Stall,
			play: func(ctx context.Context, line string) error {
				// In the last content the client may leave.
				return p.step(ctx, step, line, i == len(steps)-1)
			},
		}
	}
	return stages
}

func (p *smtpPlayer) step(ctx context.Context, step SMTPStep, line string, last bool) error {
	if step.Body {
		err := p.body(line)
		switch {
		case err != nil && !errors.Is(err, errStrayed) && (!last || ctx.Err() != nil):
			return p.gone(ctx, err)
		case err != nil:
			return err
		}
	}
	if err := p.say(lines(step.Reply) + step.Raw); err != nil {
		return err
	}
	if step.TLS {
		if err := p.secure(ctx); err != nil {
			return err
		}
	}
	if step.Stall {
		p.settle()
		<-ctx.Done()
	}
	return nil
}

// heardBody is a Body that grows.
type heardBody struct {
	server   *ScriptedSMTP
	content  strings.Builder
	complete bool
}

// hear makes the Body of a step.
func (f *ScriptedSMTP) hear() *heardBody {
	b := &heardBody{server: f}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.bodies = append(f.bodies, b)
	return b
}

func (b *heardBody) Write(p []byte) (int, error) {
	b.server.mu.Lock()
	defer b.server.mu.Unlock()
	return b.content.Write(p)
}

func (b *heardBody) end() {
	b.server.mu.Lock()
	defer b.server.mu.Unlock()
	b.complete = true
}

// body reads the content that belongs to line.
func (p *smtpPlayer) body(line string) error {
	verb, arg, _ := strings.Cut(line, " ")
	if verb != "BDAT" {
		b := p.server.hear()
		if err := readDotted(p.lines, b); err != nil {
			return err
		}
		b.end()
		return nil
	}
	count, _, _ := strings.Cut(arg, " ")
	size, err := strconv.ParseUint(count, 10, 63)
	if err != nil {
		return fmt.Errorf("%w: it said %q", errStrayed, line)
	}
	b := p.server.hear()
	if _, err := io.CopyN(b, p.lines, int64(size)); err != nil {
		return err
	}
	b.end()
	return nil
}
