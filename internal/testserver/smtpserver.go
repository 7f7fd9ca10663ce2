package testserver

import (
	"context"
	"crypto/rand"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// SMTPServerConfig configures [Postfix] and [OpenSMTPD]. The zero value is a server without TLS that wants no login.
type SMTPServerConfig struct {
	// TLS is [SMTPExplicit], [SMTPImplicit] or, for none, empty.
	TLS string
	// Identity is what the server presents. Nil is a fresh one.
	Identity *Identity
	// Require refuses AUTH and mail without TLS.
	Require bool
	// Login accepts mail of users that have logged in alone. Postfix tells others so in reply to RCPT, by 554.
	Login bool
	// Mechanisms are what Login may be done with. Nil is all that the server has.
	Mechanisms []string
	// Without lists EHLO keywords to leave out, such as PIPELINING. OpenSMTPD can leave out DSN alone.
	Without []string
	// MaxMessages is how many messages OpenSMTPD takes in a session before it answers MAIL with 452. Zero is its
	// default, 100. Postfix has no such limit.
	MaxMessages int
	// MaxSize is the most bytes that a message may have. Zero is the server's default: 10,240,000 of Postfix, and
	// 36,700,160 of OpenSMTPD.
	MaxSize int64
	// Lines go to the configuration where they win over the helper's own.
	Lines []string
}

// SMTPServer is a real SMTP server that runs until its test ends. It relays what it takes to a sink in this process,
// which [SMTPServer.Await] and its kin tell about. Its fields, among them Host and Port, are for reading; its methods
// may be called concurrently.
type SMTPServer struct {
	endpoint
	// User and Password log in.
	User, Password string
	// Domain is whose recipients the server takes, whatever is left of the @. It refuses those of all others with
	// 554 (Postfix) or 550 (OpenSMTPD), of users that have logged in too.
	Domain string
	// Refused is a recipient of Domain that RCPT is answered with 550 for.
	Refused string
	// Identity is what the server presents, and CA a PEM file of its authority. Both are zero without TLS.
	Identity *Identity
	CA       string

	sink   *smtpSink
	spool  string   // of the queue
	queues []string // directories of the spool, in the order that a message passes through them
}

// newSMTPServer makes what both servers need. The sink outlives the server, which is launched later.
func newSMTPServer(t testing.TB, spool string, queues ...string) *SMTPServer {
	t.Helper()
	const domain = "inside.example"
	return &SMTPServer{
		User: realUser, Password: rand.Text(), Domain: domain, Refused: "refused@" + domain,
		sink: startSMTPSink(t), spool: spool, queues: queues,
	}
}

// Delivered returns what the server has handed on so far, which lags behind what it has accepted.
func (s *SMTPServer) Delivered(t testing.TB) []Delivered {
	t.Helper()
	list, _ := s.sink.delivered()
	return list
}

// Await waits until the server has handed on messages to n recipients altogether since it began, and returns them. It
// does not tell whether more are to come: [SMTPServer.Settled] does.
func (s *SMTPServer) Await(t testing.TB, n int) []Delivered {
	t.Helper()
	timer := time.NewTimer(readyWithin)
	defer timer.Stop()
	for {
		list, more := s.sink.delivered()
		got := 0
		for _, d := range list {
			got += len(d.To)
		}
		if got >= n {
			return list
		}
		select {
		case <-more:
		case <-timer.C:
			t.Fatalf("delivered to %d of %d recipients within %v", got, n, readyWithin)
		}
	}
}

// Settled waits until the server holds no message, neither one that it has yet to hand on nor one that a client is
// still sending, and returns all that it has handed on.
func (s *SMTPServer) Settled(t testing.TB) []Delivered {
	t.Helper()
	ticker := time.NewTicker(probeEvery)
	defer ticker.Stop()
	for deadline := time.Now().Add(readyWithin); ; {
		queued := s.queued(t)
		if len(queued) == 0 {
			return s.Delivered(t)
		}
		if time.Now().After(deadline) {
			t.Fatalf("in the queue for %v: %s", readyWithin, queued)
		}
		<-ticker.C
	}
}

// queued lists the files of the queue. As they move from one directory to the next meanwhile, or back to be tried
// again, each is looked into in that order, and then once more.
func (s *SMTPServer) queued(t testing.TB) []string {
	t.Helper()
	var list []string
	for _, name := range slices.Repeat(s.queues, 2) {
		dir := filepath.Join(s.spool, name)
		err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			switch {
			case os.IsNotExist(err) && path != dir:
				return nil // It has moved on.
			case err != nil:
				return err
			case !entry.IsDir():
				list = append(list, path)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return list
}

// identify gives the server its certificate.
func (s *SMTPServer) identify(t testing.TB, dir string, cfg SMTPServerConfig) (files pemFiles) {
	t.Helper()
	if cfg.TLS != "" {
		files = identify(t, dir, cfg.Identity)
		s.Identity, s.CA = files.identity, files.ca
	}
	return files
}

// greets is the answers of an SMTP server whose greeting contains name.
func (s *SMTPServer) greets(cfg SMTPServerConfig, name string) func(ctx context.Context, addr string) bool {
	return greets(name, s.Identity, cfg.TLS == SMTPImplicit)
}
