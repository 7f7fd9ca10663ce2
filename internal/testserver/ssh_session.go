package testserver

import (
	"context"
	"io"
	"sync"

	"golang.org/x/crypto/ssh"
)

// requestBuffer is how many signals and window sizes wait for a command that does not look.
const requestBuffer = 16

// session is one channel of type "session" (RFC 4254, section 6).
type session struct {
	server  *SSH
	channel ssh.Channel
	command Command // what the requests before exec said
	started bool

	windows chan Window
	signals chan ssh.Signal
}

// openChannel accepts a session or a tunnel and serves it in a goroutine of wg.
func (s *SSH) openChannel(ctx context.Context, wg *sync.WaitGroup, user string, offered ssh.NewChannel) {
	kind := offered.ChannelType()
	switch {
	case kind == "session":
		s.openSession(ctx, wg, user, offered)
	case kind == "direct-tcpip" && s.cfg.Forward != nil:
		wg.Go(func() { s.forward(ctx, offered) })
	default:
		_ = offered.Reject(ssh.UnknownChannelType, "only sessions are served")
	}
}

func (s *SSH) openSession(ctx context.Context, wg *sync.WaitGroup, user string, offered ssh.NewChannel) {
	channel, requests, err := offered.Accept()
	if err != nil {
		return
	}
	se := &session{
		server: s, channel: channel, command: Command{User: user},
		windows: make(chan Window, requestBuffer), signals: make(chan ssh.Signal, requestBuffer),
	}
	wg.Go(func() { se.serve(ctx, requests) })
}

// serve answers requests until the channel is closed, and waits for the command it started.
func (se *session) serve(ctx context.Context, requests <-chan *ssh.Request) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	for req := range requests {
		run, ok := se.request(req)
		// The answer must leave before the command can close the channel.
		if req.WantReply {
			_ = req.Reply(ok, nil)
		}
		if run != nil {
			wg.Go(func() { run(ctx) })
		}
	}
	cancel()
	wg.Wait()
	_ = se.channel.Close()
}

// request notes what req asks for and reports whether it is granted. A request that starts the session's program
// returns it.
func (se *session) request(req *ssh.Request) (run func(context.Context), ok bool) {
	switch req.Type {
	case "env":
		return nil, se.setEnv(req.Payload)
	case "pty-req":
		return nil, se.setTerminal(req.Payload)
	case "window-change":
		return nil, se.resize(req.Payload)
	case "signal":
		return nil, se.signal(req.Payload)
	case "exec":
		return se.exec(req.Payload)
	case "subsystem":
		return se.subsystem(req.Payload)
	}
	return nil, false
}

func (se *session) setEnv(payload []byte) bool {
	var msg struct{ Name, Value string }
	if ssh.Unmarshal(payload, &msg) != nil {
		return false
	}
	se.command.Env = append(se.command.Env, msg.Name+"="+msg.Value)
	return true
}

func (se *session) setTerminal(payload []byte) bool {
	var msg struct {
		Term                  string
		Width, Height         uint32
		PixelWidth, PixelHigh uint32
		Modes                 string
	}
	if ssh.Unmarshal(payload, &msg) != nil {
		return false
	}
	se.command.TTY, se.command.Term = true, msg.Term
	se.command.Window = Window{Width: int(msg.Width), Height: int(msg.Height)}
	return true
}

func (se *session) resize(payload []byte) bool {
	var msg struct{ Width, Height, PixelWidth, PixelHigh uint32 }
	if !se.command.TTY || ssh.Unmarshal(payload, &msg) != nil {
		return false
	}
	select {
	case se.windows <- Window{Width: int(msg.Width), Height: int(msg.Height)}:
	default:
	}
	return true
}

func (se *session) signal(payload []byte) bool {
	var msg struct{ Name string }
	if ssh.Unmarshal(payload, &msg) != nil {
		return false
	}
	select {
	case se.signals <- ssh.Signal(msg.Name):
	default:
	}
	return true
}

func (se *session) exec(payload []byte) (run func(context.Context), ok bool) {
	var msg struct{ Line string }
	if se.started || ssh.Unmarshal(payload, &msg) != nil {
		return nil, false
	}
	se.started = true
	command := se.command
	command.Line = msg.Line
	return func(ctx context.Context) { se.runCommand(ctx, &command) }, true
}

// runCommand runs the command, reports how it ended and closes the channel.
func (se *session) runCommand(ctx context.Context, c *Command) {
	stdin, feed := io.Pipe()
	c.Context, c.Stdin, c.Dir = ctx, stdin, se.server.Root()
	c.Stdout, c.Stderr = se.channel, se.channel.Stderr()
	c.Windows, c.Signals = se.windows, se.signals
	run := se.server.cfg.Exec
	if run == nil {
		run = Shell
	}

	var wg sync.WaitGroup
	wg.Go(func() {
		// It ends when the client ends its input, or closes the channel in answer to us.
		_, err := io.Copy(feed, se.channel)
		_ = feed.CloseWithError(err)
	})
	status := run(c)
	_ = stdin.Close()
	se.exit(c.ExitSignal, status)
	wg.Wait()
}

// exit reports the end of the session's program and closes the channel (RFC 4254, section 6.10).
func (se *session) exit(signal ssh.Signal, status int) {
	switch {
	case signal != "":
		_, _ = se.channel.SendRequest("exit-signal", false, ssh.Marshal(struct {
			Name       string
			CoreDumped bool
			Message    string
			Language   string
		}{Name: string(signal)}))
	case status >= 0:
		_, _ = se.channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{uint32(status)}))
	}
	_ = se.channel.Close()
}

func (se *session) subsystem(payload []byte) (run func(context.Context), ok bool) {
	var msg struct{ Name string }
	if se.started || ssh.Unmarshal(payload, &msg) != nil || msg.Name != "sftp" {
		return nil, false
	}
	se.started = true
	return func(ctx context.Context) {
		status := 0
		if err := se.server.serveSFTP(ctx, se.channel); err != nil {
			status = 1
		}
		se.exit("", status)
	}, true
}
