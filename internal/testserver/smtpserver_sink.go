package testserver

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Delivered is what a real server handed on in one transaction. A message to many recipients may come in several.
type Delivered struct {
	From string
	To   []string // one or more
	// MailLine and RcptLines are the commands of the server that made the envelope, one of RcptLines for each of To.
	MailLine  string
	RcptLines []string
	Data      []byte // with the server's trace header, and CR LF at line ends
	// ID is what the server called the message in its reply to the client, and "" if its trace header names none.
	ID string
}

// queueID finds the queue id in the Received field that is the first of a message (RFC 5321, section 4.4). It is the
// word after the last "id": a client can call itself "id" too, and that comes first.
func queueID(message []byte) string {
	const name = "Received:"
	if len(message) < len(name) || !strings.EqualFold(string(message[:len(name)]), name) {
		return ""
	}
	var words []string
	for i, line := range strings.Split(string(message[len(name):]), "\n") {
		if i > 0 && !strings.HasPrefix(line, " ") && !strings.HasPrefix(line, "\t") {
			break // the next field
		}
		words = append(words, strings.Fields(line)...)
	}
	for i := len(words) - 2; i >= 0; i-- {
		if words[i] == "id" {
			return strings.TrimSuffix(words[i+1], ";")
		}
	}
	return ""
}

// smtpSink takes all mail that is handed to it and keeps it. Unlike [SMTP] it takes what is not quite right too: Postfix
// hands on an ORCPT that is not ASCII, and would make a bounce of a refusal.
type smtpSink struct {
	*TCP

	mu   sync.Mutex // guards what follows
	list []Delivered
	more chan struct{} // closed when list grows
}

// startSMTPSink starts a sink for the length of the test.
func startSMTPSink(t testing.TB) *smtpSink {
	t.Helper()
	sink := &smtpSink{more: make(chan struct{})}
	var err error
	if sink.TCP, err = StartTCP(sink.serve); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sink.Close(); err != nil {
			t.Error(err)
		}
	})
	return sink
}

// delivered returns what has arrived and what will be closed when more has.
func (s *smtpSink) delivered() (list []Delivered, more <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.list), s.more
}

// keep has the message before the server that hands it on may forget it.
func (s *smtpSink) keep(d Delivered) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, d)
	close(s.more)
	s.more = make(chan struct{})
}

// serve is the Handler of one connection.
func (s *smtpSink) serve(_ context.Context, c net.Conn) {
	lines := bufio.NewReader(promptReader{c})
	// An answer that cannot be given shows when the next line is read.
	answer := func(text string) { _, _ = io.WriteString(c, text+"\r\n") }
	answer("220 sink.example ESMTP")
	var next Delivered
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		verb, _, _ := strings.Cut(strings.ToUpper(line), " ")
		switch verb {
		case "EHLO":
			answer("250-sink.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 DSN")
			continue
		case "MAIL":
			next = Delivered{From: smtpPath(line), MailLine: line}
		case "RCPT":
			next.To, next.RcptLines = append(next.To, smtpPath(line)), append(next.RcptLines, line)
		case "DATA":
			answer("354 go on")
			var data bytes.Buffer
			if readDotted(lines, &data) != nil {
				return
			}
			next.Data, next.ID = data.Bytes(), queueID(data.Bytes())
			s.keep(next)
		case "QUIT":
			answer("221 bye")
			return
		}
		answer("250 ok")
	}
}

// smtpPath is what stands in angle brackets.
func smtpPath(line string) string {
	_, path, _ := strings.Cut(line, "<")
	return path[:max(0, closingBracket(path))]
}

// promptReader reads from a connection that acknowledges at once. OpenSMTPD sends the end of a message only when what
// is before it has been acknowledged, and that is 40 ms a message otherwise.
type promptReader struct{ net.Conn }

func (r promptReader) Read(b []byte) (int, error) {
	if tcp, ok := r.Conn.(*net.TCPConn); ok {
		ackAtOnce(tcp)
	}
	return r.Conn.Read(b)
}
