//go:build linux

package bench

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	netsmtp "net/smtp"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gosmtp "github.com/emersion/go-smtp"
	"github.com/stretchr/testify/require"
	gomail "github.com/wneessen/go-mail"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/smtp"
)

// rounds is how often each contender runs.
const rounds = 3

// A contender does the work once, as a process.
type contender struct {
	name    string
	command func() *exec.Cmd
	check   func() // fails the benchmark unless the work is done; nil: nobody looks after each run
}

// A cost is what one run took.
type cost struct {
	wall, cpu time.Duration
	memory    int64 // peak, in bytes
}

// compare runs ours and peer in turn and reports the medians and their ratios:
// above 1x hawser is faster.
func compare(b *testing.B, work string, ours, peer contender, reset func()) {
	b.Helper()
	var mine, theirs []cost
	for range rounds {
		mine = append(mine, measure(b, ours, reset))
		theirs = append(theirs, measure(b, peer, reset))
	}
	m, p := median(mine), median(theirs)
	speed := p.wall.Seconds() / m.wall.Seconds()
	cpu := m.cpu.Seconds() / p.cpu.Seconds()
	b.ReportMetric(speed, "x-speed")
	b.ReportMetric(cpu, "x-cpu")
	b.ReportMetric(float64(m.memory)/(1<<20), "MiB-peak")
	b.Logf("| %s | %.2f s | %s %.2f s | %.2fx | %.2f / %.2f s (%.2fx) | %d / %d MiB |", work, m.wall.Seconds(),
		peer.name, p.wall.Seconds(), speed, m.cpu.Seconds(), p.cpu.Seconds(), cpu, m.memory>>20, p.memory>>20)
}

func measure(b *testing.B, c contender, reset func()) cost {
	b.Helper()
	reset()
	cmd := c.command()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	start := time.Now()
	require.NoError(b, cmd.Start(), c.name)
	peak := watchMemory(cmd.Process.Pid)
	err := cmd.Wait()
	wall := time.Since(start)
	memory := peak()
	if err != nil {
		b.Fatalf("%s: %v\n%s", c.name, err, &out)
	}
	if c.check != nil {
		c.check()
	}
	return cost{wall: wall, cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), memory: memory}
}

// watchMemory follows the memory of a process until the function that it returns
// is called, which tells the peak in bytes. What the kernel tells of a process
// that has ended, ru_maxrss, is no less than what its parent had when it started
// it, and this parent has servers in it.
func watchMemory(pid int) func() int64 {
	const every = 5 * time.Millisecond
	var peak int64
	stop := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			peak = max(peak, peakOf(pid))
			select {
			case <-ticker.C:
			case <-stop:
				return
			}
		}
	})
	return func() int64 {
		close(stop)
		watching.Wait()
		return peak
	}
}

// peakOf is the most bytes that a process has had so far; 0 if it has ended.
func peakOf(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(text), "VmHWM:")
	var kilobytes int64
	if _, err := fmt.Sscan(after, &kilobytes); err != nil {
		return 0
	}
	return kilobytes << 10
}

// median is by wall time.
func median(costs []cost) cost {
	slices.SortFunc(costs, func(a, b cost) int { return cmp.Compare(a.wall, b.wall) })
	return costs[len(costs)/2]
}

func megabytes(n int64) string { return fmt.Sprintf("%d MiB", n>>20) }

// What each message has.
const (
	mailFrom = "from@bench.example"
	mailTo   = "to@bench.example"

	mailSubject = "what the benchmark sends"
)

// A letter is what a message is made of: itself, or what is to be composed.
type letter struct {
	ready      []byte
	text       []byte
	attachment string // file; "": none
}

// A mailer is a client with a session.
type mailer struct {
	send  func(letter) error
	close func() error
}

// A dialFunc makes the connection of a mailer.
type dialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// DialNet makes a hawser.Transport of a dialFunc.
func (d dialFunc) DialNet(ctx context.Context, _ hawser.Connection, network, addr string) (net.Conn, error) {
	return d(ctx, network, addr)
}

// openMailer opens a session of a client with its defaults, but without TLS. A nil
// dial leaves the connection to the client, if it makes connections.
func openMailer(ctx context.Context, client, addr string, dial dialFunc) (mailer, error) {
	switch client {
	case "hawser":
		return openHawser(ctx, addr, dial)
	case "go-mail":
		return openGoMail(ctx, addr, dial)
	}
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	conn, err := dial(ctx, "tcp", addr)
	if err != nil {
		return mailer{}, err
	}
	switch client {
	case "net/smtp":
		return newNetSMTP(conn, addr)
	case "go-smtp":
		c := gosmtp.NewClient(conn)
		send := func(l letter) error { return c.SendMail(mailFrom, []string{mailTo}, bytes.NewReader(l.ready)) }
		return mailer{send: send, close: c.Quit}, nil
	}
	return mailer{}, errors.Join(fmt.Errorf("unknown client %q", client), conn.Close())
}

func openHawser(ctx context.Context, addr string, dial dialFunc) (mailer, error) {
	c, err := hawser.ParseURL("smtp://" + addr + "?tls.mode=none")
	if err != nil {
		return mailer{}, err
	}
	var d smtp.Dialer
	if dial != nil {
		d.Transport = dial
	}
	s, err := d.Open(ctx, c)
	if err != nil {
		return mailer{}, err
	}
	send := func(l letter) error {
		var msg io.WriterTo = bytes.NewReader(l.ready)
		if l.ready == nil {
			msg = l.compose()
		}
		_, err := s.Send(ctx, hawser.Envelope{From: mailFrom, To: []string{mailTo}}, msg)
		return err
	}
	return mailer{send: send, close: s.Close}, nil
}

// compose has hawser make a message of l.
func (l letter) compose() *smtp.Message {
	m := &smtp.Message{From: mailFrom, To: []string{mailTo}, Subject: mailSubject, Text: string(l.text)}
	if l.attachment != "" {
		m.Attachments = []smtp.Attachment{smtp.File(l.attachment)}
	}
	return m
}

func openGoMail(ctx context.Context, addr string, dial dialFunc) (mailer, error) {
	to, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		return mailer{}, err
	}
	options := []gomail.Option{gomail.WithPort(to.Port), gomail.WithTLSPolicy(gomail.NoTLS)}
	if dial != nil {
		options = append(options, gomail.WithDialContextFunc(gomail.DialContextFunc(dial)))
	}
	c, err := gomail.NewClient(to.IP.String(), options...)
	if err != nil {
		return mailer{}, err
	}
	if err := c.DialWithContext(ctx); err != nil {
		return mailer{}, err
	}
	send := func(l letter) error {
		m := gomail.NewMsg()
		if err := errors.Join(m.From(mailFrom), m.To(mailTo)); err != nil {
			return err
		}
		m.Subject(mailSubject)
		m.SetBodyString(gomail.TypeTextPlain, string(l.text))
		if l.attachment != "" {
			m.AttachFile(l.attachment)
		}
		return c.Send(m)
	}
	return mailer{send: send, close: c.Close}, nil
}

func newNetSMTP(conn net.Conn, addr string) (mailer, error) {
	c, err := netsmtp.NewClient(conn, addr)
	if err != nil {
		return mailer{}, err
	}
	send := func(l letter) error {
		if err := c.Mail(mailFrom); err != nil {
			return err
		}
		if err := c.Rcpt(mailTo); err != nil {
			return err
		}
		w, err := c.Data()
		if err != nil {
			return err
		}
		_, err = w.Write(l.ready)
		return errors.Join(err, w.Close())
	}
	return mailer{send: send, close: c.Quit}, nil
}
