package testserver

import (
	"context"
	"crypto/tls"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// ScriptedFTP is a running [FTPScript]. All methods may be called concurrently.
type ScriptedFTP struct {
	*TCP
	script FTPScript
	t      testing.TB
	tls    *tls.Config // nil if no step needs it

	passed [ftpStreams]atomic.Int64
	struck atomic.Bool
	closed sync.Once

	mu       sync.Mutex // guards what follows
	players  []*player
	commands []string
	uploads  []Upload
}

// Upload is what came over a data connection.
type Upload struct {
	Content string
	// Err is nil if the client ended the connection in order, with close_notify if it spoke TLS, or if the server had
	// enough.
	Err error
}

// Identity is what the server presents. It is nil if no step needs one.
func (f *ScriptedFTP) Identity() *Identity { return f.script.Identity }

// Commands are what clients have said since the start, one line each.
func (f *ScriptedFTP) Commands() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.commands)
}

// Uploads are what the transfers that receive have received since the start. The last one may be under way.
func (f *ScriptedFTP) Uploads() []Upload {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.uploads)
}

// Passed counts the bytes of a stream on all connections since the start. It tells a test how far its faults on the
// wire of TLS have to go, which is not the same in each run.
func (f *ScriptedFTP) Passed(on FTPStream) int64 { return f.passed[on].Load() }

// Struck reports whether the Fault has happened.
func (f *ScriptedFTP) Struck() bool { return f.struck.Load() }

// settleWithin is how long Close waits for a script whose client may still be on its way out.
const settleWithin = 2 * time.Second

// Close ends the script and all that it opened, and fails the test if the client strayed from it. The end of the test
// does the same. Closing twice is harmless.
func (f *ScriptedFTP) Close() error {
	var err error
	f.closed.Do(func() {
		f.t.Helper()
		timer := time.NewTimer(settleWithin)
		defer timer.Stop()
		f.mu.Lock()
		players := slices.Clone(f.players)
		f.mu.Unlock()
		for _, p := range players {
			select {
			case <-p.settled:
			case <-timer.C:
				timer.Reset(0) // for the others: they had the same time
			}
		}
		err = f.TCP.Close()
		for _, p := range players {
			if p.problem != nil {
				f.t.Errorf("ftp script, connection %d, %v", p.number, p.problem)
			}
		}
	})
	return err
}

// secure prepares TLS.
func (f *ScriptedFTP) secure() error {
	needed := func(steps Steps) bool { return slices.ContainsFunc(steps, func(s Step) bool { return s.TLS }) }
	if !f.script.Implicit && !needed(f.script.Steps) && !slices.ContainsFunc(f.script.Later, needed) {
		return nil
	}
	if f.script.Identity == nil {
		fresh, err := NewIdentity()
		if err != nil {
			return err
		}
		f.script.Identity = fresh
	}
	f.tls = &tls.Config{
		Certificates: []tls.Certificate{f.script.Identity.Certificate},
		MinVersion:   f.script.MinTLS, MaxVersion: f.script.MaxTLS,
	}
	return nil
}

// handle plays the script to one client.
func (f *ScriptedFTP) handle(ctx context.Context, c net.Conn) {
	p := &player{server: f, raw: c, settled: make(chan struct{})}
	f.mu.Lock()
	p.number = len(f.players) + 1
	f.players = append(f.players, p)
	f.mu.Unlock()
	steps := f.script.Steps
	if later := len(f.script.Later); p.number > 1 && later > 0 {
		steps = f.script.Later[min(p.number-2, later-1)]
	}
	if p.number == 1 {
		p.fault = f.script.Fault
	}
	p.run(ctx, steps)
}

// heard notes a command.
func (f *ScriptedFTP) heard(line string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.commands = append(f.commands, line)
}

// received notes content that came, and how it ended.
func (f *ScriptedFTP) received(u Upload) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.uploads = append(f.uploads, u)
}
