package smtp_test

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testcert"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/smtp"
)

type step = testserver.SMTPStep

// envelopeSteps accept a sender and a recipient.
func envelopeSteps() []step {
	return []step{{Want: "MAIL *", Reply: "250 ok"}, {Want: "RCPT *", Reply: "250 ok"}}
}

// playTwice opens a session with a script of two connections.
func playTwice(t *testing.T, features []string, first, second []step) (*smtp.Session, *testserver.ScriptedSMTP) {
	t.Helper()
	f := testserver.SMTPScript{
		Steps: append(hello(features...), first...), Later: []testserver.SMTPSteps{append(hello(features...), second...)},
	}.Start(lenient{t})
	return open(t, scripted(t, f.Addr(), "")), f
}

// What servers do around the end of a message that no server should.
func TestOddEnds(t *testing.T) {
	t.Parallel()
	chunk := func(reply string) step { return step{Want: "/^BDAT \\d+$/", Body: true, Reply: reply} }
	last := func(reply string) step { return step{Want: "/^BDAT \\d+ LAST$/", Body: true, Reply: reply} }
	data := step{Want: "DATA", Reply: "354 go"}
	surplus := func(s step, raw string) step { s.Raw = raw; return s }
	closing := func(s step) step { s.Close = true; return s }
	for _, row := range []struct {
		name     string
		features []string
		steps    []step
		size     int
		maybe    bool
		want     string
	}{
		{"a reply too many before the dot", []string{"PIPELINING"}, []step{surplus(data, "250 and one more\r\n"), {Body: true, Reply: "554 spam"}}, 10, false, "what nobody had asked for: 250 and one more"},
		{"a second consent before the dot", []string{"PIPELINING"}, []step{surplus(data, "354 go\r\n"), {Body: true, Reply: "250 ok"}}, 10, false, "what nobody had asked for: 354 go"},
		{"a reply too many before the last chunk", []string{"CHUNKING"}, []step{chunk("250 ok"), surplus(chunk("250 ok"), "250 and one more\r\n"), last("554 spam")}, 300_000, false, "what nobody had asked for: 250 and one more"},
		{"a consent for an answer", nil, []step{data, {Body: true, Raw: "354 go\r\n250 ok\r\n"}}, 10, true, "message is answered by 354 go"},
		{"a consent for the answer to a chunk", []string{"CHUNKING"}, []step{chunk("354 go")}, 300_000, false, "BDAT is answered by 354 go"},
		{"a part that is refused before the server hangs up", []string{"PIPELINING", "CHUNKING"}, []step{chunk(""), chunk(""), closing(last("552 5.3.4 too big"))}, 300_000, false, "BDAT: 552 5.3.4 too big; and then: BDAT: connection lost"},
		{"an end that is taken although a part was refused", []string{"PIPELINING", "CHUNKING"}, []step{chunk("451 4.3.0 hm"), chunk("250 ok"), last("250 ok")}, 300_000, true, "the server took the end of a message of which it had refused a part"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s, _ := play(t, row.features, append(envelopeSteps(), row.steps...)...)
			_, err := s.Send(t.Context(), to("a@example.com"), letter("x", row.size))
			require.ErrorContains(t, err, row.want)
			require.ErrorIs(t, err, hawser.ErrLost)
			assert.Equal(t, row.maybe, errors.Is(err, hawser.ErrMaybeSent))
			assert.False(t, s.Reusable())
		})
	}
}

// A server that refuses for good and hangs up is not asked again, and its reason is
// what counts.
func TestRefusalAndHangup(t *testing.T) {
	t.Parallel()
	const blocked = "550 5.7.1 you are blocked"
	accepted := envelopeSteps()[0]
	for name, row := range map[string]struct {
		features []string
		steps    []step
	}{
		"MAIL with DATA": {[]string{"PIPELINING"}, []step{{Want: "MAIL *", Reply: blocked}, {Want: "RCPT *"}, {Want: "DATA", Close: true}}},
		"MAIL with BDAT": {[]string{"PIPELINING", "CHUNKING"}, []step{{Want: "MAIL *", Reply: blocked}, {Want: "RCPT *"}, {Want: "BDAT *", Body: true, Close: true}}},
		"RCPT with DATA": {[]string{"PIPELINING"}, []step{accepted, {Want: "RCPT *", Reply: blocked}, {Want: "DATA", Close: true}}},
		"RCPT with BDAT": {[]string{"PIPELINING", "CHUNKING"}, []step{accepted, {Want: "RCPT *", Reply: blocked}, {Want: "BDAT *", Body: true, Close: true}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, f := playTwice(t, row.features, row.steps, row.steps)
			_, err := s.Send(t.Context(), to("a@example.com"), letter("x", 10))
			require.ErrorContains(t, err, "you are blocked")
			require.NotErrorIs(t, err, hawser.ErrMaybeSent)
			assert.False(t, hawser.Retryable(err))
			assert.Equal(t, 1, countPrefix(f.Commands(), "EHLO"))
		})
	}
}

// The line of a message that the server took for nobody is gone when the next
// attempt begins.
func TestDataForNobodyOnALineThatIsFull(t *testing.T) {
	t.Parallel()
	data := []step{{Want: "DATA", Reply: "354 go"}, {Body: true, Reply: "250 ok"}}
	full := step{Want: "MAIL *", Reply: "452 4.5.3 too many messages"}
	s, f := playTwice(t, []string{"PIPELINING"}, append([]step{full, envelopeSteps()[1]}, data...), append(envelopeSteps(), data...))
	_, err := s.Send(t.Context(), to("a@example.com"), letter("x", 10))
	require.NoError(t, err)
	assert.Equal(t, 2, countPrefix(f.Commands(), "EHLO"))
}

// If a transaction could not be reset, its recipients must not get the next message.
func TestRefusedReset(t *testing.T) {
	t.Parallel()
	for _, reply := range []string{"451 4.3.0 not now", "502 what", "421 going"} {
		t.Run(reply, func(t *testing.T) {
			t.Parallel()
			all := to("secret@example.com", "no@example.com")
			all.AllOrNone = true
			first := append(envelopeSteps(), step{Want: "RCPT *", Reply: "550 no"}, step{Want: "RSET", Reply: reply})
			s, f := playTwice(t, []string{"PIPELINING", "CHUNKING"}, first, append(envelopeSteps(), step{Want: "BDAT *", Body: true, Reply: "250 ok"}))
			_, err := s.Send(t.Context(), all, letter("x", 10))
			require.ErrorContains(t, err, "for all recipients or none: no@example.com: RCPT: 550 no")
			_, err = s.Send(t.Context(), to("b@example.com"), letter("x", 10))
			require.NoError(t, err)
			assert.Equal(t, 2, countPrefix(f.Commands(), "EHLO"), "the second goes on a new connection")
		})
	}
}

// What was of the line before does not count on the next.
func TestNewLineWithOtherFeatures(t *testing.T) {
	t.Parallel()
	again := append(envelopeSteps(), step{Want: "BDAT *", Body: true, Reply: "250 ok"})
	f := testserver.SMTPScript{
		Steps: append(hello(), append(envelopeSteps(), step{Want: "DATA", Reply: "354 go"}, step{Body: true, Reply: "421 bye", Close: true})...),
		Later: []testserver.SMTPSteps{slices.Concat(hello("CHUNKING"), again, again)},
	}.Start(lenient{t})
	s := open(t, scripted(t, f.Addr(), ""))
	for range 2 {
		_, err := s.Send(t.Context(), to("a@example.com"), letter("x", 10))
		require.NoError(t, err)
	}
	assert.Equal(t, 2, countPrefix(f.Commands(), "EHLO"))
}

// Logging in again and again may lock an account, also on a new connection.
func TestLoginOfANewConnectionIsNotRepeated(t *testing.T) {
	t.Parallel()
	id, err := testserver.NewIdentity()
	require.NoError(t, err)
	later := secureHello()
	later[4].Reply, later[4].Close = "421 4.7.0 too many failures", true
	f := testserver.SMTPScript{
		Steps: append(secureHello(), step{Want: "MAIL *", Reply: "421 bye", Close: true}), Later: []testserver.SMTPSteps{later}, Identity: id,
	}.Start(lenient{t})
	_, err = open(t, scripted(t, f.Addr(), testcert.File(t, "ca.pem", id.PEM()))).Send(t.Context(), to("a@example.com"), letter("x", 10))
	require.ErrorContains(t, err, "too many failures")
	assert.False(t, hawser.Retryable(err))
}

// A keeper writes by its writer when it likes.
type keeper struct{ w io.Writer }

func (k *keeper) WriteTo(w io.Writer) (int64, error) {
	k.w = w
	n, err := io.WriteString(w, "Subject: first\r\n\r\n")
	return int64(n), err
}

func TestMessagesThatMisbehave(t *testing.T) {
	t.Parallel()
	t.Run("one that writes after it has returned harms no other", func(t *testing.T) {
		t.Parallel()
		c, server := startInProcess(t, testserver.SMTPConfig{})
		s := open(t, c)
		keep := &keeper{}
		_, err := s.Send(t.Context(), to("a@example.com"), keep)
		require.NoError(t, err)
		_, err = s.Send(t.Context(), to("b@example.com"), writerTo(func(write func(string) error) error {
			if err := write("Subject: second\r\n\r\nx\r\n"); err != nil {
				return err
			}
			_, late := io.WriteString(keep.w, strings.Repeat("LATE\r\n", 100_000))
			assert.ErrorContains(t, late, "after its WriteTo has returned")
			return nil
		}))
		require.NoError(t, err)
		require.Len(t, server.Mails(), 2)
		assert.Equal(t, "Subject: second\r\n\r\nx\r\n", string(server.Mails()[1].Data))
	})
	t.Run("one that uses its own session is told", func(t *testing.T) {
		t.Parallel()
		c, server := startInProcess(t, testserver.SMTPConfig{})
		s := open(t, c)
		_, err := s.Send(t.Context(), to("a@example.com"), writerTo(func(func(string) error) error { return s.Ping(t.Context()) }))
		require.ErrorIs(t, err, hawser.ErrBusy)
		require.NoError(t, s.Ping(t.Context()))
		assert.Empty(t, server.Mails())
	})
	t.Run("one whose own error is of a mail or a connection", func(t *testing.T) {
		t.Parallel()
		c, _ := startInProcess(t, testserver.SMTPConfig{})
		s := open(t, c)
		inner := &hawser.Error{Op: "open", Temporary: true, Err: errors.Join(hawser.ErrLost, hawser.ErrMaybeSent, io.ErrNoProgress)}
		_, err := s.Send(t.Context(), to("a@example.com"), writerTo(func(func(string) error) error { return inner }))
		require.ErrorIs(t, err, io.ErrNoProgress)
		require.NotErrorIs(t, err, hawser.ErrLost, "this session is not")
		require.NotErrorIs(t, err, hawser.ErrMaybeSent)
		assert.False(t, hawser.Retryable(err))
		assert.True(t, s.Reusable())
	})
	t.Run("one that panics", func(t *testing.T) {
		t.Parallel()
		for _, size := range []int{10, 1 << 20} {
			c, server := startInProcess(t, testserver.SMTPConfig{})
			s := open(t, c)
			assert.Panics(t, func() {
				_, _ = s.Send(t.Context(), to("a@example.com"), writerTo(func(write func(string) error) error {
					_ = write(strings.Repeat("x\r\n", size))
					panic("bug")
				}))
			})
			assert.True(t, s.Reusable())
			_, err := s.Send(t.Context(), to("a@example.com"), letter("x", 10))
			require.NoError(t, err)
			assert.Len(t, server.Mails(), 1)
		}
	})
	t.Run("one that was read before is not sent as if it were whole", func(t *testing.T) {
		t.Parallel()
		c, server := startInProcess(t, testserver.SMTPConfig{Refuse: map[string]string{"later@example.com": "451 4.7.1 greylisted"}})
		s := open(t, c)
		for _, size := range []int{100, 300_000} {
			message := letter("x", size)
			_, err := s.Send(t.Context(), to("later@example.com"), message)
			require.True(t, hawser.Retryable(err))
			_, err = s.Send(t.Context(), to("a@example.com"), message)
			require.ErrorIs(t, err, hawser.ErrInvalid)
			require.ErrorContains(t, err, "was read before")
		}
		for _, nothing := range []io.WriterTo{strings.NewReader(""), writerTo(func(func(string) error) error { return nil })} {
			_, err := s.Send(t.Context(), to("a@example.com"), nothing)
			require.ErrorContains(t, err, "it writes nothing")
		}
		_, err := s.Send(t.Context(), to("a@example.com"), nil)
		require.ErrorIs(t, err, hawser.ErrInvalid)
		assert.Empty(t, server.Mails())
	})
}

// A message that is known to be too large by then gets no envelope.
func TestTooLargeBeforeTheEnvelope(t *testing.T) {
	t.Parallel()
	c, server := startInProcess(t, testserver.SMTPConfig{MaxSize: 100_000})
	s := open(t, c)
	_, err := s.Send(t.Context(), to("a@example.com"), &flood{lines: 1 << 16})
	require.ErrorIs(t, err, smtp.ErrTooLarge)
	require.ErrorContains(t, err, " bytes or more, and the server takes 100000 at most")
	assert.Zero(t, countPrefix(server.Commands(), "MAIL"))
	_, err = s.Send(t.Context(), to("a@example.com"), letter("x", 10))
	require.NoError(t, err)
	assert.Equal(t, 1, server.Accepted())
}

// 250 recipients go in three groups, so that neither side waits for the other.
func TestManyRecipients(t *testing.T) {
	t.Parallel()
	var recipients []string
	for i := range 250 {
		recipients = append(recipients, fmt.Sprintf("r%d@example.com", i))
	}
	for _, without := range [][]string{nil, {"CHUNKING"}, {"PIPELINING"}} {
		c, server := startInProcess(t, testserver.SMTPConfig{Without: without, Refuse: map[string]string{recipients[7]: "550 no", recipients[170]: "450 later"}})
		receipt, err := open(t, c).Send(t.Context(), to(recipients...), letter("x", 10))
		require.NoError(t, err)
		require.Len(t, receipt.Refused, 2)
		assert.Equal(t, recipients[7], receipt.Refused[0].Address)
		require.Len(t, server.Mails(), 1)
		assert.Len(t, server.Mails()[0].To, 248)
	}
}

// Lines may end with CR alone, however many there are.
func TestCarriageReturns(t *testing.T) {
	t.Parallel()
	c, server := startInProcess(t, testserver.SMTPConfig{Discard: true})
	c.Timeout = time.Minute
	_, err := open(t, c).Send(t.Context(), to("a@example.com"), strings.NewReader(strings.Repeat("\r", 4<<20)))
	require.NoError(t, err)
	require.Len(t, server.Mails(), 1)
	assert.EqualValues(t, 8<<20, server.Mails()[0].Size)
}
