//go:build linux

package bench

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser/internal/testserver"
)

const (
	nearMails  = 2000
	farMails   = 60 // each takes up to 150 ms
	textSize   = 5 << 10
	attachSize = 64 << 20
	// mailsPerSession is how many hawser sends before it opens another connection.
	mailsPerSession = 100
)

// A mailField is an SMTP server in this process, and what is sent to it.
type mailField struct {
	server *testserver.SMTP
	addr   string // of the server, or of a relay to it

	text, attachment string // files; attachment is "" if there is none
	ready            string // file of the message that hawser makes of them
	least            int64  // bytes of a message that holds them

	mails, sessions int // that the server has had before this run
}

// newMailField starts a server that answers after delay.
func newMailField(b *testing.B, cfg testserver.SMTPConfig, delay time.Duration) *mailField {
	b.Helper()
	cfg.Discard = true
	server, err := testserver.StartSMTP(cfg)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, server.Close()) })
	f := &mailField{server: server, addr: server.Addr()}
	if delay > 0 {
		relay, err := testserver.StartRelay(f.addr, testserver.RelayConfig{Delay: delay / 2})
		require.NoError(b, err)
		b.Cleanup(func() { require.NoError(b, relay.Close()) })
		f.addr = relay.Addr()
	}
	return f
}

// write makes the files of a message with a text of size bytes and, unless that
// is 0, an attachment.
func (f *mailField) write(b *testing.B, size, attached int64) {
	b.Helper()
	dir := b.TempDir()
	const line = "The quick brown fox jumps over the lazy dog, and then sleeps.\r\n"
	l := letter{text: []byte(strings.Repeat(line, int(size)/len(line)))}
	f.text = filepath.Join(dir, "text")
	require.NoError(b, os.WriteFile(f.text, l.text, 0o600))
	if attached > 0 {
		f.attachment = filepath.Join(dir, "attached.bin")
		put(b, f.attachment, attached)
		l.attachment = f.attachment
	}
	f.ready = filepath.Join(dir, "ready.eml")
	file, err := os.Create(f.ready)
	require.NoError(b, err)
	_, err = l.compose().WriteTo(file)
	require.NoError(b, err)
	require.NoError(b, file.Close())
	f.least = int64(len(l.text)) + attached*4/3 // base64
}

// sends makes a contender of a client that sends the message that is ready.
func (f *mailField) sends(b *testing.B, client string, count int) contender {
	b.Helper()
	return f.checked(b, count, hawserDoes(b, job{Mail: &mailJob{Client: client, Addr: f.addr, Count: count, Ready: f.ready}}))
}

// composes makes a contender of a client that makes each message itself.
func (f *mailField) composes(b *testing.B, client string, count int) contender {
	b.Helper()
	j := mailJob{Client: client, Addr: f.addr, Count: count, Text: f.text, Attachment: f.attachment}
	return f.checked(b, count, hawserDoes(b, job{Mail: &j}))
}

// curl makes a contender of one curl, which is given the URL count times.
func (f *mailField) curl(b *testing.B, count int) contender {
	b.Helper()
	program, err := exec.LookPath("curl")
	require.NoError(b, err)
	mail := fmt.Sprintf("url = \"smtp://%s/localhost\"\nupload-file = %q\n", f.addr, f.ready)
	config := filepath.Join(b.TempDir(), "config")
	require.NoError(b, os.WriteFile(config, []byte(strings.Repeat(mail, count)), 0o600))
	return f.checked(b, count, contender{name: "curl", command: func() *exec.Cmd {
		return exec.Command(program, "--silent", "--show-error", "--fail-early", "--mail-from", mailFrom, "--mail-rcpt", mailTo, "--config", config)
	}})
}

func (f *mailField) reset() { f.mails, f.sessions = len(f.server.Mails()), f.server.Accepted() }

// checked has c looked after: each message arrives once and whole, and no
// connection is opened without need.
func (f *mailField) checked(b *testing.B, count int, c contender) contender {
	c.check = func() {
		b.Helper()
		arrived := f.server.Mails()[f.mails:]
		require.Equal(b, count, len(arrived), c.name) // Len would print them all
		for _, m := range arrived {
			require.Equal(b, []string{mailFrom, mailTo}, append([]string{m.From}, m.To...), c.name)
			require.GreaterOrEqual(b, m.Size, f.least, c.name)
			require.LessOrEqual(b, m.Size, f.least+f.least/10, c.name)
		}
		require.LessOrEqual(b, f.server.Accepted()-f.sessions, (count+mailsPerSession-1)/mailsPerSession, c.name)
	}
	return c
}

// benchmarkMails has all clients send count messages of 5 KB. go-mail sends only
// what it has composed, so hawser composes too where that is the peer.
func benchmarkMails(b *testing.B, f *mailField, away string, count int) {
	f.write(b, textSize, 0)
	what := fmt.Sprintf("SMTP %d messages of 5 KB%s", count, away)
	ours := f.sends(b, "hawser", count)
	for b.Loop() {
		compare(b, what, ours, f.sends(b, "net/smtp", count), f.reset)
		compare(b, what, ours, f.sends(b, "go-smtp", count), f.reset)
		compare(b, what, ours, f.curl(b, count), f.reset)
		compare(b, what+", composed", f.composes(b, "hawser", count), f.composes(b, "go-mail", count), f.reset)
	}
}

// far is the round trip to a server that is not near.
const far = 20 * time.Millisecond

func BenchmarkSMTPNear(b *testing.B) {
	benchmarkMails(b, newMailField(b, testserver.SMTPConfig{}, 0), "", nearMails)
}

func BenchmarkSMTPFar(b *testing.B) {
	benchmarkMails(b, newMailField(b, testserver.SMTPConfig{}, far), ", 20 ms", farMails)
}

func BenchmarkSMTPFarPipelining(b *testing.B) {
	f := newMailField(b, testserver.SMTPConfig{Without: []string{"CHUNKING"}}, far)
	f.write(b, textSize, 0)
	for b.Loop() {
		compare(b, fmt.Sprintf("SMTP %d messages of 5 KB, 20 ms, no CHUNKING", farMails),
			f.sends(b, "hawser", farMails), f.sends(b, "go-smtp", farMails), f.reset)
	}
}

// BenchmarkSMTPAttachment has curl send what hawser has made before: curl encodes
// nothing in this row, and hawser does.
func BenchmarkSMTPAttachment(b *testing.B) {
	f := newMailField(b, testserver.SMTPConfig{}, 0)
	f.write(b, textSize, attachSize)
	what := "SMTP 1 attachment of " + megabytes(attachSize)
	ready := f.curl(b, 1)
	ready.name = "curl, ready made,"
	for b.Loop() {
		compare(b, what, f.composes(b, "hawser", 1), f.composes(b, "go-mail", 1), f.reset)
		compare(b, what, f.composes(b, "hawser", 1), ready, f.reset)
	}
}

// A turnConn counts how often its user waits for an answer to what was sent.
type turnConn struct {
	net.Conn
	asked atomic.Bool
	turns *atomic.Int64
}

func (c *turnConn) Write(p []byte) (int, error) {
	c.asked.Store(true)
	return c.Conn.Write(p)
}

func (c *turnConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 && c.asked.Swap(false) {
		c.turns.Add(1)
	}
	return n, err
}

func counting(turns *atomic.Int64) dialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &turnConn{Conn: c, turns: turns}, nil
	}
}

// turnsPerMail is how many round trips a message takes a client. The first one is
// not counted: some clients say EHLO with it.
func (f *mailField) turnsPerMail(b *testing.B, client string) float64 {
	b.Helper()
	const mails = 40
	var (
		turns atomic.Int64
		l     letter
		err   error
	)
	l.text, err = os.ReadFile(f.text)
	require.NoError(b, err)
	l.ready, err = os.ReadFile(f.ready)
	require.NoError(b, err)
	m, err := openMailer(context.Background(), client, f.addr, counting(&turns))
	require.NoError(b, err, client)
	require.NoError(b, m.send(l), client)
	f.reset()
	before := turns.Load()
	for range mails {
		require.NoError(b, m.send(l), client)
	}
	after := turns.Load()
	require.NoError(b, m.close(), client)
	f.checked(b, mails, contender{name: client}).check()
	return float64(after-before) / mails
}

// BenchmarkSMTPFlights counts round trips, whatever they take.
func BenchmarkSMTPFlights(b *testing.B) {
	servers := []struct {
		offers  string
		without []string
	}{
		{"lock-step", []string{"PIPELINING", "CHUNKING"}},
		{"PIPELINING", []string{"CHUNKING"}},
		{"CHUNKING", nil},
	}
	for b.Loop() {
		b.Log("| round trips a message | hawser | net/smtp | go-smtp | go-mail |")
		for _, s := range servers {
			f := newMailField(b, testserver.SMTPConfig{Without: s.without}, 0)
			f.write(b, textSize, 0)
			ours := f.turnsPerMail(b, "hawser")
			b.ReportMetric(ours, s.offers+"-turns")
			b.Logf("| %s | %g | %g | %g | %g |", s.offers, ours,
				f.turnsPerMail(b, "net/smtp"), f.turnsPerMail(b, "go-smtp"), f.turnsPerMail(b, "go-mail"))
		}
	}
}
