package testserver

import (
	"context"
	"fmt"
	"net"
	"strings"
)

// player plays an [FTPScript] to one client.
type player struct {
	*actor
	server  *ScriptedFTP
	private bool // PROT P
	data    dataPlan
}

// handle plays the script to one client.
func (f *ScriptedFTP) handle(ctx context.Context, c net.Conn) {
	p := &player{actor: f.enter(c), server: f}
	defer p.data.close()
	p.run(ctx, f.script.Implicit, p.stages(part(p.number, f.script.Steps, f.script.Later)))
}

func (p *player) stages(steps Steps) []stage {
	stages := make([]stage, len(steps))
	for i, step := range steps {
		stages[i] = stage{want: step.Want, ends: step.Close, play: func(ctx context.Context, line string) error {
			return p.step(ctx, step, line)
		}}
	}
	return stages
}

func (p *player) step(ctx context.Context, step Step, line string) error {
	p.data.note(line)
	if step.EndData {
		p.data.end(Transfer{})
	}
	if step.Data != nil && step.Data.Early {
		if err := p.data.open(ctx, p, *step.Data); err != nil {
			return err
		}
	}
	if err := p.answer(ctx, step.Reply, step.Raw); err != nil {
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
	return p.answer(ctx, step.Then, "")
}

// answer says a reply, and opens the listener that it speaks of.
func (p *player) answer(ctx context.Context, reply, raw string) error {
	if strings.Contains(reply, "{p") {
		if err := p.data.listen(ctx); err != nil {
			return err
		}
	}
	return p.say(wire(reply, p.data.port) + raw)
}

// withoutTelnet drops the commands of Telnet that may come before an ABOR (RFC 959, section 4.1.3).
func withoutTelnet(line string) string {
	const interrupt, mark = "\xff\xf4", "\xff\xf2"
	return strings.NewReplacer(interrupt, "", mark, "").Replace(line)
}

// port is a TCP port in a reply.
type port uint16

// anyPort stands for the port of an announcement that is only measured.
const anyPort port = 0

// fill puts the port into a reply. Every port takes the same room, so that replies have the same length in each run:
// zeros in front mean nothing. To look for ports of the same length instead takes for ever once those have all been
// used a moment ago, for the system does not give them out again so soon.
func (p port) fill(reply string) string {
	return strings.NewReplacer(
		"{port}", fmt.Sprintf("%05d", uint16(p)),
		"{p1}", fmt.Sprintf("%03d", p>>8), "{p2}", fmt.Sprintf("%03d", p&0xff),
	).Replace(reply)
}
