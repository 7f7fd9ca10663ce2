package testserver

import (
	"slices"
	"sync/atomic"
	"testing"
)

// SMTPScript is an SMTP server that says and expects what it was told, line by line, for clients that must survive
// whatever a server does:
//
//	s := testserver.SMTPScript{Steps: testserver.SMTPSteps{
//		{Reply: "220 hello"},
//		{Want: "EHLO *", Reply: "250-hello\n250 PIPELINING"},
//		{Want: "MAIL FROM:<a@example.com>", Reply: "250 ok"},
//		{Want: "RCPT TO:<b@example.com>", Reply: "250 ok"},
//		{Want: "DATA", Reply: "354 go"},
//		{Body: true, Reply: "250 ok"},
//	}}.Start(t)
//
// Commands may come one by one or together. After the last step the client may say QUIT, which is answered, or just
// leave.
type SMTPScript struct {
	Steps SMTPSteps
	// Later are what the second connection plays, the third and so on; the last of them is for all that follow.
	// Empty means that every connection plays Steps.
	Later []SMTPSteps
	// Fault strikes the first connection.
	Fault SMTPFault
	// Split is how many bytes of a reply go out in one write, and so in one record of TLS. Zero means all.
	Split int
	// Implicit begins with TLS.
	Implicit bool
	// Identity is presented over TLS. Nil means a fresh one if a step needs it; a test of many scripts makes one for
	// all of them.
	Identity *Identity
	// MinTLS and MaxTLS are tls.VersionTLS12 or tls.VersionTLS13. Zero is 1.2 and 1.3.
	MinTLS, MaxTLS uint16
}

// SMTPSteps are a conversation on one connection. It is the client's fault, and fails the test, if it says something
// else than the next step wants, or leaves before the last one. In the content of the last one it may leave; see
// [ScriptedSMTP.Bodies].
type SMTPSteps []SMTPStep

// SMTPStep is a command or content, and what the server does about it, in the order of the fields.
type SMTPStep struct {
	// Want is the line: the whole of it, or the beginning if it ends in "*", or a regular expression if it stands
	// between slashes. Empty waits for none, as before the greeting and the content of DATA. A response within AUTH is
	// a line like any other.
	Want string
	// Body reads content: as much as the line says if that is a BDAT, else up to the line with a lone dot, as in the
	// step that follows DATA.
	Body bool
	// Reply is one line or several of them, without CR LF at the end; within, LF stands for CR LF. Empty says nothing.
	Reply string
	// Raw is said as it is, after Reply.
	Raw string
	// TLS begins TLS.
	TLS bool
	// Stall does nothing more until the test ends, and neither notices nor minds what the client does.
	Stall bool
	// Close ends the connection.
	Close bool
}

// SMTPStream is a stream of bytes that a script counts and where its Fault can strike.
type SMTPStream int

// The streams of a connection, from those on that every script has.
const (
	SMTPReplies     SMTPStream = repliesStream + iota // replies, as they are without TLS
	SMTPRepliesWire                                   // what the server sends, TLS and all
	SMTPReceived                                      // what the server receives, commands and content, as it is without TLS
	smtpStreams
)

// SMTPFault goes wrong at one byte. After a Stall the script does nothing more until the test ends; a Cut and a Reset
// end the connection. Once a fault has struck, the client may say and do anything. The zero value does nothing.
type SMTPFault struct {
	Fault Fault
	On    SMTPStream
	// After is how many bytes pass before. Garble changes the next one. What they say on SMTPReceived is done and
	// answered before the script wants more, and meets the fault.
	After int64
}

// ReplyBytes counts what the steps say, for a test that cuts at every byte.
func (steps SMTPSteps) ReplyBytes() int64 {
	var n int
	for _, step := range steps {
		n += len(lines(step.Reply)) + len(step.Raw)
	}
	return int64(n)
}

// ScriptedSMTP is a running [SMTPScript]. All methods may be called concurrently.
type ScriptedSMTP struct {
	scripted
	script SMTPScript
	bodies []*heardBody // guarded by scripted.mu, their fields too
}

// Body is the content that one step has read.
type Body struct {
	// Content is what came, line ends and all, but for the dots that DATA doubles.
	Content string
	// Complete is set once the lone dot, or as much as the BDAT said, has come.
	Complete bool
}

// Start plays the script to whoever connects, until the test ends or Close. A client that strayed from it fails the
// test.
func (s SMTPScript) Start(t testing.TB) *ScriptedSMTP {
	t.Helper()
	f := &ScriptedSMTP{script: s, scripted: scripted{
		protocol: "smtp", t: t, id: s.Identity, split: s.Split, passed: make([]atomic.Int64, smtpStreams),
		fault: fault{kind: s.Fault.Fault, on: int(s.Fault.On), after: s.Fault.After},
	}}
	needed := func(steps SMTPSteps) bool { return slices.ContainsFunc(steps, func(s SMTPStep) bool { return s.TLS }) }
	f.start(scriptTLS{
		needed: s.Implicit || needed(s.Steps) || slices.ContainsFunc(s.Later, needed), min: s.MinTLS, max: s.MaxTLS,
	}, f.handle)
	return f
}

// Bodies are the contents that steps have read since the start. The last one may be under way.
func (f *ScriptedSMTP) Bodies() []Body {
	f.mu.Lock()
	defer f.mu.Unlock()
	bodies := make([]Body, len(f.bodies))
	for i, b := range f.bodies {
		bodies[i] = Body{Content: b.content.String(), Complete: b.complete}
	}
	return bodies
}

// Passed counts the bytes of a stream on all connections since the start. It tells a test how far its faults on what
// the server receives, and on the wire of TLS, have to go.
func (f *ScriptedSMTP) Passed(on SMTPStream) int64 { return f.passed[on].Load() }
