package smtp_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testcert"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/smtp"
)

// soon bounds what must end by itself, on a busy machine.
const soon = 2 * time.Second

// lenient is for a script whose client is free to stray, as a fault or a lie of
// the server makes it do.
type lenient struct{ testing.TB }

func (lenient) Errorf(string, ...any) {}

// scripted is how a script is reached. ca is a file, for STARTTLS.
func scripted(t testing.TB, addr, ca string) hawser.Connection {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	number, err := strconv.ParseUint(port, 10, 16)
	require.NoError(t, err)
	c := hawser.Connection{Name: "script", Protocol: hawser.SMTP, Host: host, Port: uint16(number), Timeout: 20 * time.Second}
	c.SMTP.Hello = "jobs.example.com"
	if c.TLS.Mode = hawser.TLSNone; ca != "" {
		c.TLS.Mode, c.TLS.Roots = hawser.TLSExplicit, ca
		c.Auth.User, c.Auth.Password = user, hawser.NewSecret(password)
	}
	return c
}

// hello are the steps up to a session in the clear, without a login.
func hello(features ...string) testserver.SMTPSteps {
	return testserver.SMTPSteps{{Reply: "220 mail.example.com ESMTP"}, ehlo(features...)}
}

func ehlo(features ...string) testserver.SMTPStep {
	return testserver.SMTPStep{Want: "EHLO jobs.example.com", Reply: "250-" + strings.Join(append([]string{"mail.example.com"}, features...), "\n250-") + "\n250 HELP"}
}

// secureHello are those to one over STARTTLS, with a login.
func secureHello(features ...string) testserver.SMTPSteps {
	plain := base64.StdEncoding.EncodeToString([]byte("\x00" + user + "\x00" + password))
	return testserver.SMTPSteps{
		{Reply: "220 mail.example.com ESMTP"},
		ehlo("STARTTLS"),
		{Want: "STARTTLS", Reply: "220 go", TLS: true},
		ehlo(append(features, "AUTH PLAIN")...),
		{Want: "AUTH PLAIN " + plain, Reply: "235 2.7.0 in"},
	}
}

// A delivery is one way to send a message, and how a server answers it.
type delivery struct {
	name     string
	features []string
	message  string
	steps    testserver.SMTPSteps
	answers  bool // each step is answered before the next, so that the end of the message is never sent in doubt
}

const ending = "the end of it.\r\n"

func deliveries() []delivery {
	small := "Subject: x\r\n\r\n.dots\r\n" + ending
	large := "Subject: x\r\n\r\n" + strings.Repeat(".all work and no play\r\n", 15_000) + ending
	envelope := testserver.SMTPSteps{
		{Want: "MAIL FROM:<jobs@example.com>*", Reply: "250 2.1.0 ok"},
		{Want: "RCPT TO:<a@example.com>", Reply: "250 2.1.5 ok"},
		{Want: "RCPT TO:<b@example.com>", Reply: "550 5.1.1 no such user"},
	}
	data := testserver.SMTPSteps{{Want: "DATA", Reply: "354 go"}, {Body: true, Reply: "250 2.0.0 Ok: queued as 4711"}}
	whole := testserver.SMTPSteps{{Want: "/^BDAT \\d+ LAST$/", Body: true, Reply: "250 2.0.0 Ok: queued as 4711"}}
	chunk := testserver.SMTPStep{Want: "/^BDAT \\d+$/", Body: true, Reply: "250 2.0.0 got it"}
	chunks := slices.Concat(slices.Repeat(testserver.SMTPSteps{chunk}, 2), whole)
	return []delivery{
		{"chunk", []string{"PIPELINING", "CHUNKING", "8BITMIME"}, small, slices.Concat(envelope, whole), false},
		{"chunk alone", []string{"CHUNKING", "8BITMIME"}, small, slices.Concat(envelope, whole), true},
		{"data", []string{"PIPELINING"}, small, slices.Concat(envelope, data), true},
		{"data alone", []string{"SIZE 1000000"}, small, slices.Concat(envelope, data), true},
		{"chunks", []string{"PIPELINING", "CHUNKING"}, large, slices.Concat(envelope, chunks), true},
		{"chunks alone", []string{"CHUNKING"}, large, slices.Concat(envelope, chunks), true},
		{"long data", []string{"PIPELINING"}, large, slices.Concat(envelope, data), true},
	}
}

// arrived counts the messages whose end arrived.
func arrived(f *testserver.ScriptedSMTP) int {
	n := 0
	for _, b := range f.Bodies() {
		if b.Complete && strings.HasSuffix(b.Content, ending) {
			n++
		}
	}
	return n
}

func send(ctx context.Context, s *smtp.Session, d delivery) (hawser.Receipt, error) {
	return s.Send(ctx, to("a@example.com", "b@example.com"), strings.NewReader(d.message))
}

func TestScriptedDeliveries(t *testing.T) {
	t.Parallel()
	id, err := testserver.NewIdentity()
	require.NoError(t, err)
	ca := testcert.File(t, "ca.pem", id.PEM())
	for _, d := range deliveries() {
		for _, split := range []int{0, 1} {
			for _, secure := range []string{"", ca} {
				t.Run(fmt.Sprintf("%s, replies in pieces of %d, TLS %v", d.name, split, secure != ""), func(t *testing.T) {
					t.Parallel()
					begin := hello
					if secure != "" {
						begin = secureHello
					}
					f := testserver.SMTPScript{Steps: slices.Concat(begin(d.features...), d.steps), Split: split, Identity: id}.Start(t)
					receipt, err := send(t.Context(), open(t, scripted(t, f.Addr(), secure)), d)
					require.NoError(t, err)
					assert.Equal(t, "4711", receipt.QueueID)
					require.Len(t, receipt.Refused, 1)
					require.EqualError(t, receipt.Refused[0], "b@example.com: RCPT: 550 5.1.1 no such user")
					var text strings.Builder
					for _, b := range f.Bodies() {
						text.WriteString(b.Content)
					}
					assert.Equal(t, d.message, text.String())
				})
			}
		}
	}
}

// A strike ends a context as soon as a fault has struck that leaves the client
// waiting.
type strike struct {
	context.Context
	cancel context.CancelFunc
	stop   chan struct{}
	done   sync.WaitGroup
	ended  time.Time // when ctx ended; zero: it did not
}

func awaitStrike(ctx context.Context, f *testserver.ScriptedSMTP, fault testserver.Fault) *strike {
	s := &strike{stop: make(chan struct{})}
	s.Context, s.cancel = context.WithCancel(ctx)
	if fault != testserver.Stall && fault != testserver.Garble {
		return s // the client has to notice by itself
	}
	s.done.Go(func() {
		tick := time.NewTicker(200 * time.Microsecond)
		defer tick.Stop()
		for !f.Struck() {
			select {
			case <-tick.C:
			case <-s.stop:
				return
			}
		}
		patience := time.Duration(0)
		if fault == testserver.Garble {
			patience = 50 * time.Millisecond
		}
		select {
		case <-time.After(patience):
			s.ended = time.Now()
			s.cancel()
		case <-s.stop:
		}
	})
	return s
}

// over returns how long the client took, since the context ended or since start.
func (s *strike) over(start time.Time) time.Duration {
	end := time.Now()
	close(s.stop)
	s.done.Wait()
	s.cancel()
	if !s.ended.IsZero() {
		start = s.ended
	}
	return end.Sub(start)
}

func faultsOf() map[string]testserver.Fault {
	return map[string]testserver.Fault{"cut": testserver.Cut, "reset": testserver.Reset, "stall": testserver.Stall, "garble": testserver.Garble}
}

// offsets are those of n bytes at which a fault strikes: all, or most of them.
func offsets(n int64, most int64) []int64 {
	step := max(1, n/most)
	if testing.Short() || raceEnabled {
		step *= 7
	}
	var all []int64
	for at := int64(0); at < n; at += step {
		all = append(all, at)
	}
	return append(all, n-1)
}

// strikeAt sends d to a server that fails at one byte, and checks that what Send
// says of it is true.
func strikeAt(t *testing.T, d delivery, fault testserver.SMTPFault) {
	t.Helper()
	where := fmt.Sprintf("%s: fault %v of stream %v after %d", d.name, fault.Fault, fault.On, fault.After)
	f := testserver.SMTPScript{Steps: slices.Concat(hello(d.features...), d.steps), Fault: fault}.Start(lenient{t})
	defer f.Close()
	j := &journal{}
	s, err := smtp.Dialer{}.Open(hawser.WithTrace(t.Context(), j.trace()), scripted(t, f.Addr(), ""))
	require.NoError(t, err, where)
	defer s.Close()
	ctx := awaitStrike(hawser.WithTrace(t.Context(), j.trace()), f, fault.Fault)
	start := time.Now()
	_, err = send(ctx, s, d)
	took := ctx.over(start)
	assert.Less(t, took, soon, where)
	judge(t, where, d, f, err)
	if fault.Fault == testserver.Stall && f.Struck() && (err != nil || arrived(f) == 0) { // else it came after the answer
		require.ErrorIs(t, err, context.Canceled, where)
	}
	if errors.Is(err, hawser.ErrLost) || errors.Is(err, context.Canceled) {
		assert.False(t, s.Reusable(), where)
	}
	assert.NotContains(t, j.String(), strings.TrimSpace(ending), where)
}

// judge compares what Send says with what came to the server.
func judge(t *testing.T, where string, d delivery, f *testserver.ScriptedSMTP, err error) {
	t.Helper()
	var e *hawser.Error
	if err != nil {
		require.ErrorAs(t, err, &e, where)
		require.True(t, errors.Is(err, hawser.ErrLost) || errors.Is(err, context.Canceled) || errors.As(err, new(*smtp.Error)), "%s: %v", where, err)
	}
	maybe := errors.Is(err, hawser.ErrMaybeSent)
	require.False(t, maybe && hawser.Retryable(err), where)
	settled := func() bool {
		switch n := arrived(f); {
		case n > 1:
			return false
		case err == nil:
			return n == 1
		case n == 1:
			return maybe
		}
		return true
	}
	// What was sent may be on its way still.
	if !assert.Eventually(t, settled, soon, time.Millisecond, "%s: %d arrived, %v", where, arrived(f), err) {
		return
	}
	if maybe && d.answers && err != nil {
		assert.Eventually(t, func() bool { return arrived(f) == 1 || f.Struck() }, soon, time.Millisecond, where)
	}
}

func TestFaultsInReplies(t *testing.T) {
	t.Parallel()
	for _, d := range deliveries() {
		for name, fault := range faultsOf() {
			t.Run(d.name+" "+name, func(t *testing.T) {
				t.Parallel()
				before := hello(d.features...).ReplyBytes()
				for _, at := range offsets(d.steps.ReplyBytes(), 60) {
					strikeAt(t, d, testserver.SMTPFault{Fault: fault, On: testserver.SMTPReplies, After: before + at})
				}
			})
		}
	}
}

func TestFaultsInMessages(t *testing.T) {
	t.Parallel()
	for _, d := range deliveries() {
		for name, fault := range faultsOf() {
			if fault == testserver.Garble {
				continue // the server cannot know, and so it takes it
			}
			t.Run(d.name+" "+name, func(t *testing.T) {
				t.Parallel()
				before, n := int64(len("EHLO jobs.example.com\r\n")+1), int64(len(d.message))+100
				for _, at := range offsets(n, 60) {
					strikeAt(t, d, testserver.SMTPFault{Fault: fault, On: testserver.SMTPReceived, After: before + at})
				}
			})
		}
	}
}

func TestFaultsInLogins(t *testing.T) {
	t.Parallel()
	id, err := testserver.NewIdentity()
	require.NoError(t, err)
	ca := testcert.File(t, "ca.pem", id.PEM())
	steps := secureHello("PIPELINING")
	for name, fault := range faultsOf() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, at := range offsets(steps.ReplyBytes(), 250) {
				where := fmt.Sprintf("%s after %d", name, at)
				f := testserver.SMTPScript{Steps: steps, Identity: id, Fault: testserver.SMTPFault{Fault: fault, On: testserver.SMTPReplies, After: at}}.Start(lenient{t})
				j := &journal{}
				ctx := awaitStrike(hawser.WithTrace(t.Context(), j.trace()), f, fault)
				start := time.Now()
				s, err := smtp.Dialer{}.Open(ctx, scripted(t, f.Addr(), ca))
				assert.Less(t, ctx.over(start), soon, where)
				if err == nil {
					require.Equal(t, testserver.Garble, fault, "%s: a letter that is none may be of a text", where)
					_ = s.Close()
				} else {
					var e *hawser.Error
					require.ErrorAs(t, err, &e, where)
					requireNoSecret(t, err.Error(), password)
				}
				requireNoSecret(t, j.String(), password)
				require.NoError(t, f.Close())
			}
		})
	}
}
