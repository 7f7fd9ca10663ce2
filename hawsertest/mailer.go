package hawsertest

import (
	"context"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A MailerHarness is a driver and the server it is tested against.
type MailerHarness struct {
	// Open returns a Mailer of a session of its own, and is called for each rule
	// and more; t.Cleanup is the place to close the session. If it is a
	// [hawser.Session], what it says of itself is used.
	Open func(t *testing.T) hawser.Mailer

	From    string   // a sender that the server takes
	To      []string // at least three recipients that it accepts, all different
	Refused string   // a recipient that it refuses; "" skips the rules about one

	// Delivered returns what the server has delivered so far, in any order, also
	// of other tests. A message to several recipients is there once with all of
	// them or once for each. Data is what the server took, behind trace fields
	// that it may have put there; nothing else may differ.
	//
	// It is called again until what must be there is there. What must not come is
	// looked for after a message sent later has come; where the server may be
	// asked whether its queue is empty, Delivered waits for that.
	Delivered func(t testing.TB) []Delivered

	// Addr is host:port of the server. Dial opens a session with it at another
	// address, of a relay, with timeout for [hawser.Connection] Timeout; t.Cleanup
	// closes it. Dial nil skips the rules about connections that fail.
	Addr string
	Dial func(t *testing.T, addr string, timeout time.Duration) hawser.Mailer
}

// Delivered is a message as a server handed it on. Addresses are bare.
type Delivered struct {
	From string
	To   []string
	Data []byte
}

// TestMailer checks a [hawser.Mailer]: that messages of many sizes and line ends
// arrive byte for byte, with dots that could end them and commands that could be
// taken for the server's; that each recipient gets a message once, and those that
// are refused are told; that a message which could not be read whole, or whose
// context ended, is never submitted; that addresses which could smuggle in a
// command are refused before anything is sent; that sessions go on or say that
// they do not; that the wire log holds no message; that no goroutine is left;
// and that an error matches [hawser.ErrMaybeSent] when, and only when, the server
// may have taken the message.
//
// Faults are made by a relay to the server on the loopback of this machine.
func TestMailer(t *testing.T, h MailerHarness) {
	t.Helper()
	require.NotNil(t, h.Open, "the harness has no Open")
	require.NotNil(t, h.Delivered, "the harness has no Delivered")
	require.GreaterOrEqual(t, len(h.To), 3, "the harness: recipients")
	run(t, mailerRules(), func(t *testing.T) *mails { return newMails(t, h) })
}

func mailerRules() []rule[*mails] {
	return slices.Concat(
		messageRules(), dotRules(), writingRules(), sourceRules(), recipientRules(),
		addressRules(), envelopeRules(), sendingRules(), sessionRules(), faultRules(),
	)
}

// mails is the subject of the rules.
type mails struct {
	*testing.T
	MailerHarness
	ctx    context.Context // of the rule; ends after patience
	mailer hawser.Mailer
	after  []*letter // that goesOn sent, and absent waits for
}

func newMails(t *testing.T, h MailerHarness) *mails {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	m := &mails{T: t, MailerHarness: h, ctx: ctx}
	m.reopen()
	return m
}

// reopen goes on with a session that is new.
func (m *mails) reopen() {
	m.Helper()
	m.mailer = m.Open(m.T)
	require.NotNil(m, m.mailer, "Open returned no Mailer")
}

// to is an envelope from the accepted sender.
func (m *mails) to(recipients ...string) hawser.Envelope {
	return hawser.Envelope{From: m.From, To: recipients}
}

// session returns the Mailer as a session, or skips the rule.
func (m *mails) session() hawser.Session {
	m.Helper()
	s, ok := m.mailer.(hawser.Session)
	if !ok {
		m.Skipf("skipped: %T is not a hawser.Session", m.mailer)
	}
	return s
}

// send submits msg and returns what Send does. It fails the rule when that does
// not come to an end within limit.
func (m *mails) send(ctx context.Context, limit time.Duration, env hawser.Envelope, msg io.WriterTo) (hawser.Receipt, error) {
	m.Helper()
	type result struct {
		receipt hawser.Receipt
		err     error
	}
	got := within(m, limit, "Send", func() result {
		receipt, err := m.mailer.Send(ctx, env, msg)
		return result{receipt, err}
	})
	return got.receipt, got.err
}

// sent submits msg, which must succeed for all of env's recipients.
func (m *mails) sent(env hawser.Envelope, msg io.WriterTo) hawser.Receipt {
	m.Helper()
	receipt, err := m.send(m.ctx, patience, env, msg)
	require.NoError(m, err, "Send")
	require.Empty(m, receipt.Refused, "Receipt.Refused")
	return receipt
}

// fails submits msg, which must fail because it was not sent: the error must
// not leave that open.
func (m *mails) fails(ctx context.Context, limit time.Duration, env hawser.Envelope, msg io.WriterTo) (hawser.Receipt, error) {
	m.Helper()
	receipt, err := m.send(ctx, limit, env, msg)
	require.Error(m, err, "Send")
	assert.NotErrorIs(m, err, hawser.ErrMaybeSent, "Send of a message that was not")
	return receipt, err
}

// delivers sends l to one recipient and asks for it there.
func (m *mails) delivers(l *letter) {
	m.Helper()
	m.sent(m.to(m.To[0]), l)
	m.arrives(l, m.To[0])
}

// goesOn asks for a session that works, or says that it does not, and goes on
// with one that does. Whether its message arrives is left to absent.
func (m *mails) goesOn() {
	m.Helper()
	if !reusable(m.mailer) {
		m.Log("the session is not Reusable afterwards")
		m.reopen()
	}
	l := m.letter("after\r\n")
	_, err := m.send(m.ctx, patience/6, m.to(m.To[0]), l)
	require.NoError(m, err, "Send afterwards: the session does not work, and does not say so by Reusable")
	m.after = append(m.after, l)
}

// domain is that of the accepted recipients.
func (m *mails) domain() string {
	return m.To[0][strings.LastIndexByte(m.To[0], '@'):]
}
