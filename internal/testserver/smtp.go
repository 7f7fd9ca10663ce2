package testserver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// How an SMTP server does TLS.
const (
	SMTPExplicit = "explicit" // by STARTTLS (RFC 3207)
	SMTPImplicit = "implicit" // from the first byte (RFC 8314, section 3)
)

// SMTPConfig says who may log in to an [SMTP] server and how it behaves. The zero value works: it takes mail from
// anybody to anybody, without TLS.
type SMTPConfig struct {
	// Users maps users to passwords, Tokens users to tokens of OAuth 2, for XOAUTH2 and OAUTHBEARER. If both are nil
	// no login is wanted, and whoever logs in nevertheless, by one of Mechanisms, gets in.
	Users, Tokens map[string]string
	// Mechanisms are offered by AUTH: PLAIN, LOGIN, CRAM-MD5, SCRAM-SHA-1, SCRAM-SHA-256, XOAUTH2, OAUTHBEARER,
	// EXTERNAL, which lets in whoever presents a client certificate that TLSConfig verifies, and ANONYMOUS. Nil means
	// the first five if there are Users, and the two of OAuth if there are Tokens. SCRAM cannot do without Users.
	Mechanisms []string
	// RequireLogin refuses MAIL before AUTH.
	RequireLogin bool

	// TLS is [SMTPExplicit], [SMTPImplicit] or, for none, empty.
	TLS string
	// Identity is presented over TLS. Nil means a fresh one.
	Identity *Identity
	// TLSConfig, if set, has the last word on the configuration, to choose versions or ask for client certificates.
	TLSConfig func(*tls.Config)

	// Without lists keywords of EHLO that are neither offered nor honoured: PIPELINING, SIZE, STARTTLS, AUTH,
	// ENHANCEDSTATUSCODES, 8BITMIME, DSN, SMTPUTF8, CHUNKING. Without PIPELINING the server hangs up on a client
	// whose next command came along with the one before, as OpenSMTPD does.
	Without []string
	// MaxSize is the longest message in bytes, as SIZE offers it. Zero means that there is no limit.
	MaxSize int64
	// MaxMessages is how many messages a session may send; then MAIL is refused by 452, as OpenSMTPD does. Zero means
	// that there is no limit.
	MaxMessages int
	// Refuse maps addresses, of senders and of recipients, to the reply that refuses them, such as
	// "550 5.1.1 no such user".
	Refuse map[string]string
	// Reply, if set, changes replies: what it returns is said in place of reply, nothing if that is empty. Both are
	// without the last CR LF, and lines within are separated by LF. command is the line that is answered, empty for
	// the greeting, "." for the end of DATA; that of AUTH stands for its whole exchange. A sender, a recipient or a
	// message whose reply becomes a refusal is refused, and a 421 ends the session. Replies of one session come one at
	// a time, those of several sessions concurrently.
	Reply func(command, reply string) string
	// Discard does not keep the content of messages; their Size is known.
	Discard bool
}

// SMTP is a mail server in this process, for tests, examples and benchmarks (RFC 5321, 1870, 2034, 2920, 3030 without
// BINARYMIME, 3207, 3461, 4954, 6152 and 6531). It is strict with what must not be pipelined and delivers to nobody.
// All methods may be called concurrently.
type SMTP struct {
	tcp  TCP
	cfg  SMTPConfig
	tls  *tls.Config // nil without TLS
	gate *gate
	own  string // temporary directory, removed by Close
	ca   string // file

	commands   map[string]smtpCommand
	mechanisms []string

	mu       sync.Mutex // guards what follows
	accepted int
	heard    []string
	queued   int
	mails    []Mail
}

// Mail is a message that an [SMTP] server has taken.
type Mail struct {
	// ID is what the server called it in its reply.
	ID string
	// Session is the connection that it came on, counted from one, and User who had logged in there, or empty.
	Session int
	User    string
	// From and To are the envelope, To without those who were refused. MailLine and RcptLines are the commands that
	// made it, one of RcptLines for each of To.
	From      string
	To        []string
	MailLine  string
	RcptLines []string
	// Size is the length of Data in bytes. Data is the message as it came, line ends and all, but for the dots that
	// DATA doubles. It is nil under SMTPConfig.Discard.
	Size int64
	Data []byte
}

// StartSMTP starts a server on a free port of 127.0.0.1. The caller closes it.
func StartSMTP(cfg SMTPConfig) (*SMTP, error) {
	s := &SMTP{cfg: cfg, gate: newGate(), tcp: TCP{conns: newTracker()}}
	if err := s.prepare(); err != nil {
		_ = s.Close()
		return nil, err
	}
	if err := s.tcp.listen(s.handle); err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

// prepare checks the configuration, and makes what it leaves to be made.
func (s *SMTP) prepare() error {
	for _, keyword := range s.cfg.Without {
		if !slices.Contains(smtpKeywords(), keyword) {
			return fmt.Errorf("testserver: Without has %q, which the server never offered", keyword)
		}
	}
	if err := s.chooseMechanisms(); err != nil {
		return err
	}
	s.commands = smtpCommands()
	for verb, keyword := range map[string]string{"BDAT": "CHUNKING", "STARTTLS": "STARTTLS", "AUTH": "AUTH"} {
		if !s.offers(keyword) {
			delete(s.commands, verb)
		}
	}
	switch s.cfg.TLS {
	case "":
		return nil
	case SMTPExplicit, SMTPImplicit:
		return s.secure()
	}
	return fmt.Errorf("testserver: TLS is %q, want %q, %q or nothing", s.cfg.TLS, SMTPExplicit, SMTPImplicit)
}

// smtpKeywords are what EHLO offers, in this order.
func smtpKeywords() []string {
	return []string{
		"PIPELINING", "SIZE", "STARTTLS", "AUTH", "ENHANCEDSTATUSCODES", "8BITMIME", "DSN", "SMTPUTF8", "CHUNKING",
	}
}

// offers reports whether a keyword may be used, on some connection at least.
func (s *SMTP) offers(keyword string) bool {
	switch {
	case slices.Contains(s.cfg.Without, keyword):
		return false
	case keyword == "STARTTLS":
		return s.cfg.TLS == SMTPExplicit
	case keyword == "AUTH":
		return len(s.mechanisms) > 0
	}
	return true
}

func (s *SMTP) secure() error {
	if s.cfg.Identity == nil {
		fresh, err := NewIdentity()
		if err != nil {
			return err
		}
		s.cfg.Identity = fresh
	}
	own, err := os.MkdirTemp("", "hawser-smtp-")
	if err != nil {
		return fmt.Errorf("testserver: %w", err)
	}
	s.own, s.ca = own, filepath.Join(own, "ca.pem")
	if err := os.WriteFile(s.ca, s.cfg.Identity.PEM(), 0o600); err != nil {
		return fmt.Errorf("testserver: %w", err)
	}
	s.tls = &tls.Config{Certificates: []tls.Certificate{s.cfg.Identity.Certificate}, MinVersion: tls.VersionTLS12}
	if s.cfg.TLSConfig != nil {
		s.cfg.TLSConfig(s.tls)
	}
	return nil
}

// Addr is host:port, ready for net.Dial.
func (s *SMTP) Addr() string { return s.tcp.Addr() }

// Host is the address without the port: 127.0.0.1.
func (s *SMTP) Host() string { return s.tcp.Host() }

// Port is the port that the system chose.
func (s *SMTP) Port() uint16 { return s.tcp.Port() }

// Identity is what the server presents, nil without TLS.
func (s *SMTP) Identity() *Identity { return s.cfg.Identity }

// CA is a PEM file of the authority of the server's certificate, for as long as the server runs. It is empty without
// TLS.
func (s *SMTP) CA() string { return s.ca }

// Sessions counts the connections that have not ended yet. One that the client closed counts until the server noticed;
// after that nothing of it can come into Mails any more.
func (s *SMTP) Sessions() int { return s.tcp.conns.count() }

// Accepted counts all connections since the start, ended ones too.
func (s *SMTP) Accepted() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepted
}

// Mails are the messages taken since the start, in that order. A message is there before the client is told so.
func (s *SMTP) Mails() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.mails)
}

// Commands are the lines that clients have said since the start, those of AUTH with all their secrets too, but for
// messages.
func (s *SMTP) Commands() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.heard)
}

// Drop cuts every open connection; the server goes on listening.
func (s *SMTP) Drop() { s.tcp.conns.drop() }

// Freeze makes the server neither read nor write, on present and future connections, which stay open: what a client
// sees of a stopped process or a dead link. Drop and Close still work.
func (s *SMTP) Freeze() { s.gate.freeze() }

// Thaw undoes Freeze. No byte is lost between the two.
func (s *SMTP) Thaw() { s.gate.thaw() }

// Close stops listening, cuts every connection and waits for the sessions. Closing twice is harmless.
func (s *SMTP) Close() error {
	var errs []error
	if s.tcp.listener != nil {
		errs = append(errs, s.tcp.Close())
	}
	if s.own != "" {
		errs = append(errs, os.RemoveAll(s.own))
	}
	return errors.Join(errs...)
}

// handle is the Handler of one connection.
func (s *SMTP) handle(ctx context.Context, c net.Conn) {
	gated := s.gate.wrap(c)
	// A frozen connection waits at the gate, where closing c alone does not reach it.
	stop := context.AfterFunc(ctx, func() { _ = gated.Close() })
	defer stop()
	s.mu.Lock()
	s.accepted++
	session := &smtpSession{server: s, number: s.accepted, raw: gated}
	s.mu.Unlock()
	session.serve(ctx)
}

func (s *SMTP) note(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard = append(s.heard, line)
}

// nextID names a message as Postfix does.
func (s *SMTP) nextID() string {
	const first = 0x4F9D1950000
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queued++
	return strings.ToUpper(strconv.FormatInt(first+int64(s.queued), 16))
}

func (s *SMTP) take(m Mail) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mails = append(s.mails, m)
}
