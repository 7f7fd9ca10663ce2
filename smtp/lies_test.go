package smtp_test

import (
	"errors"
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

// play opens a session with a script of it, whose client is free to stray.
func play(t *testing.T, features []string, steps ...testserver.SMTPStep) (*smtp.Session, *testserver.ScriptedSMTP) {
	t.Helper()
	f := testserver.SMTPScript{Steps: append(hello(features...), steps...)}.Start(lenient{t})
	return open(t, scripted(t, f.Addr(), "")), f
}

func TestSTARTTLS(t *testing.T) {
	t.Parallel()
	id, err := testserver.NewIdentity()
	require.NoError(t, err)
	ca := testcert.File(t, "ca.pem", id.PEM())
	greeting := testserver.SMTPStep{Reply: "220 mail.example.com ESMTP"}
	for _, row := range []struct {
		name  string
		steps testserver.SMTPSteps
		is    error
		want  string
	}{
		{"that is not offered, or was taken out of the offer", testserver.SMTPSteps{greeting, ehlo("PIPELINING")}, errors.ErrUnsupported, "offers no STARTTLS, or somebody in between has removed the offer"},
		{"of a server that knows no EHLO", testserver.SMTPSteps{greeting, {Want: "EHLO *", Reply: "502 what"}, {Want: "HELO *", Reply: "250 hello"}}, errors.ErrUnsupported, "offers no STARTTLS"},
		{"that is refused", testserver.SMTPSteps{greeting, ehlo("STARTTLS"), {Want: "STARTTLS", Reply: "454 4.7.0 TLS not available"}}, nil, "the server refuses TLS: STARTTLS: 454 4.7.0 TLS not available"},
		{"with plain text behind the consent", testserver.SMTPSteps{greeting, ehlo("STARTTLS"), {Want: "STARTTLS", Reply: "220 go", Raw: "250-mail.example.com\r\n250 AUTH PLAIN\r\n"}}, hawser.ErrUntrusted, "sent more behind its consent"},
		{"without TLS behind the consent", testserver.SMTPSteps{greeting, ehlo("STARTTLS"), {Want: "STARTTLS", Reply: "220 go"}, {Want: "/.*/", Reply: "250 mail.example.com"}}, nil, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			f := testserver.SMTPScript{Steps: row.steps, Identity: id}.Start(lenient{t})
			c := scripted(t, f.Addr(), ca)
			c.Timeout = 2 * time.Second
			_, err := tryOpen(t, t.Context(), c)
			require.ErrorContains(t, err, row.want)
			var e *hawser.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, hawser.PhaseTrust, e.Phase)
			if row.is != nil {
				require.ErrorIs(t, err, row.is)
			}
			assert.Zero(t, countPrefix(f.Commands(), "AUTH"), "nothing is said in the clear")
		})
	}
	t.Run("what was offered before it counts no more", func(t *testing.T) {
		t.Parallel()
		steps := secureHello()
		steps[1] = ehlo("STARTTLS", "PIPELINING", "CHUNKING", "AUTH LOGIN")
		steps = append(steps, deliveries()[3].steps...)
		f := testserver.SMTPScript{Steps: steps, Identity: id}.Start(t)
		_, err := send(t.Context(), open(t, scripted(t, f.Addr(), ca)), deliveries()[3])
		require.NoError(t, err)
	})
	t.Run("a certificate that nobody knows", func(t *testing.T) {
		t.Parallel()
		f := testserver.SMTPScript{Steps: secureHello(), Identity: id}.Start(lenient{t})
		c := scripted(t, f.Addr(), ca)
		c.TLS.Roots = ""
		_, err := tryOpen(t, t.Context(), c)
		require.ErrorIs(t, err, hawser.ErrUntrusted)
	})
}

func TestGreetings(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, greeting, want string
		temporary            bool
	}{
		{"no mail at all", "554 5.3.2 no service", "the server takes no mail: greeting: 554 5.3.2 no service", false},
		{"too many sessions", "421 4.7.0 too many connections", "greeting: 421 4.7.0 too many connections", true},
		{"an answer to nothing", "250 ok", "greeting: 250 ok", false},
		{"SSH", "SSH-2.0-OpenSSH_9.2", "malformed reply", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			f := testserver.SMTPScript{Steps: testserver.SMTPSteps{{Reply: row.greeting, Close: true}}}.Start(lenient{t})
			_, err := tryOpen(t, t.Context(), scripted(t, f.Addr(), ""))
			require.ErrorContains(t, err, row.want)
			assert.Equal(t, row.temporary, hawser.Retryable(err))
		})
	}
}

func TestHello(t *testing.T) {
	t.Parallel()
	t.Run("a server that knows no EHLO is greeted as of old", func(t *testing.T) {
		t.Parallel()
		steps := testserver.SMTPSteps{
			{Reply: "220 old"},
			{Want: "EHLO jobs.example.com", Reply: "500 what"},
			{Want: "HELO jobs.example.com", Reply: "250 hello"},
			{Want: "MAIL FROM:<jobs@example.com>", Reply: "250 ok"},
			{Want: "RCPT TO:<a@example.com>", Reply: "250 ok"},
			{Want: "DATA", Reply: "354 go"},
			{Body: true, Reply: "250 ok"},
		}
		f := testserver.SMTPScript{Steps: steps}.Start(t)
		_, err := open(t, scripted(t, f.Addr(), "")).Send(t.Context(), to("a@example.com"), letter("x", 10))
		require.NoError(t, err)
	})
	t.Run("a name that the server does not take", func(t *testing.T) {
		t.Parallel()
		steps := testserver.SMTPSteps{{Reply: "220 x"}, {Want: "EHLO *", Reply: "550 5.7.1 localhost? really?"}, {Want: "HELO *", Reply: "550 no"}}
		f := testserver.SMTPScript{Steps: steps}.Start(t)
		_, err := tryOpen(t, t.Context(), scripted(t, f.Addr(), ""))
		require.ErrorContains(t, err, `does not take the name "jobs.example.com"; set smtp.hello to another: EHLO: 550 5.7.1 localhost? really?`)
	})
	t.Run("keywords in any case, and AUTH as of old", func(t *testing.T) {
		t.Parallel()
		f := testserver.SMTPScript{Steps: append(hello("pipelining", "Chunking", "size 5000", "auth=CRAM-MD5"), deliveries()[0].steps...)}.Start(lenient{t})
		j := &journal{}
		s, err := tryOpen(t, hawser.WithTrace(t.Context(), j.trace()), scripted(t, f.Addr(), ""))
		require.NoError(t, err)
		assert.Contains(t, j.String(), "no login; PIPELINING, CHUNKING, SIZE 5000")
		_, err = s.Send(t.Context(), to("a@example.com"), letter("x", 6000))
		require.ErrorIs(t, err, smtp.ErrTooLarge)
	})
	t.Run("the name of this machine is a full one or an address", func(t *testing.T) {
		t.Parallel()
		c, s := startInProcess(t, testserver.SMTPConfig{})
		open(t, c)
		require.NotEmpty(t, s.Commands())
		assert.Regexp(t, `^EHLO ([A-Za-z0-9-]+\.[A-Za-z0-9.-]+|\[127\.0\.0\.1\])$`, s.Commands()[0])
	})
}

// A server that takes a message for nobody gets none.
func TestDataForNobody(t *testing.T) {
	t.Parallel()
	s, f := play(
		t, []string{"PIPELINING"},
		testserver.SMTPStep{Want: "MAIL *", Reply: "250 ok"},
		testserver.SMTPStep{Want: "RCPT *", Reply: "550 5.1.1 who"},
		testserver.SMTPStep{Want: "DATA", Reply: "354 go"},
		testserver.SMTPStep{Body: true, Reply: "250 ok"},
	)
	receipt, err := s.Send(t.Context(), to("a@example.com"), letter("x", 10))
	require.ErrorContains(t, err, "nobody of the recipients is accepted: a@example.com: RCPT: 550 5.1.1 who")
	require.Len(t, receipt.Refused, 1)
	require.NotErrorIs(t, err, hawser.ErrMaybeSent)
	assert.True(t, s.Reusable(), "the next message goes on a new connection")
	require.Eventually(t, func() bool { return f.Open() == 0 }, soon, time.Millisecond)
	for _, b := range f.Bodies() {
		assert.False(t, b.Complete)
		assert.Empty(t, b.Content)
	}
}

// What a server says without being asked would be taken for the next reply.
func TestUnaskedReplies(t *testing.T) {
	t.Parallel()
	t.Run("between two messages", func(t *testing.T) {
		t.Parallel()
		d := deliveries()[0]
		steps := slices.Concat(hello(d.features...), d.steps)
		steps[len(steps)-1].Raw = "250 and one more\r\n"
		f := testserver.SMTPScript{Steps: steps, Later: []testserver.SMTPSteps{slices.Concat(hello(d.features...), d.steps)}}.Start(lenient{t})
		s := open(t, scripted(t, f.Addr(), ""))
		for range 2 {
			receipt, err := send(t.Context(), s, d)
			require.NoError(t, err)
			require.Len(t, receipt.Refused, 1)
		}
		assert.Equal(t, 2, arrived(f))
		assert.Equal(t, 2, countPrefix(f.Commands(), "EHLO"), "the second goes on a new connection")
	})
	for _, row := range []struct {
		name, verb, reply, raw string
		want                   string
	}{
		{"in an envelope", "RCPT", "250 ok", "250 and one more\r\n", "what nobody had asked for: 250 and one more"},
		{"by a reply of a kind that MAIL cannot have", "MAIL", "354 go", "", "MAIL is answered by 354 go"},
		{"by a reply of a kind that DATA cannot have", "DATA", "250 ok", "", "DATA is answered by 250 ok"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			steps := []testserver.SMTPStep{{Want: "MAIL *", Reply: "250 ok"}, {Want: "RCPT *", Reply: "250 ok"}, {Want: "DATA", Reply: "354 go"}, {Body: true, Reply: "250 ok"}}
			for i := range steps {
				if strings.HasPrefix(steps[i].Want, row.verb) {
					steps[i].Reply, steps[i].Raw = row.reply, row.raw
				}
			}
			s, f := play(t, nil, steps...)
			env := to("a@example.com")
			_, err := s.Send(t.Context(), env, letter("x", 10))
			require.ErrorIs(t, err, hawser.ErrLost)
			require.ErrorContains(t, err, row.want)
			require.NotErrorIs(t, err, hawser.ErrMaybeSent)
			assert.False(t, s.Reusable())
			for _, b := range f.Bodies() {
				assert.False(t, b.Complete)
			}
		})
	}
}

func TestChunkThatIsRefused(t *testing.T) {
	t.Parallel()
	envelope := []testserver.SMTPStep{{Want: "MAIL *", Reply: "250 ok"}, {Want: "RCPT *", Reply: "250 ok"}}
	full := testserver.SMTPStep{Want: "/^BDAT \\d+$/", Body: true, Reply: "452 4.3.1 disk full"}
	s, f := play(
		t, []string{"CHUNKING"}, append(envelope, full,
			testserver.SMTPStep{Want: "RSET", Reply: "250 ok"},
			testserver.SMTPStep{Want: "MAIL *", Reply: "250 ok"}, testserver.SMTPStep{Want: "RCPT *", Reply: "250 ok"},
			testserver.SMTPStep{Want: "/^BDAT \\d+ LAST$/", Body: true, Reply: "250 ok"},
		)...,
	)
	huge := &flood{lines: 1 << 20}
	_, err := s.Send(t.Context(), to("a@example.com"), huge)
	require.ErrorContains(t, err, "BDAT: 452 4.3.1 disk full")
	assert.True(t, hawser.Retryable(err))
	assert.Less(t, huge.written, 1<<20)
	_, err = s.Send(t.Context(), to("a@example.com"), letter("x", 10))
	require.NoError(t, err, "the session is in step, after a RSET: %q", f.Commands())
}

// A server that hangs up in the middle of a message may have said why.
func TestLastWordsInAMessage(t *testing.T) {
	t.Parallel()
	s, _ := play(
		t, []string{"PIPELINING"},
		testserver.SMTPStep{Want: "MAIL *", Reply: "250 ok"}, testserver.SMTPStep{Want: "RCPT *", Reply: "250 ok"},
		testserver.SMTPStep{Want: "DATA", Reply: "354 go", Raw: "552 5.3.4 enough\r\n", Close: true},
	)
	_, err := s.Send(t.Context(), to("a@example.com"), &flood{lines: 1 << 20})
	require.ErrorIs(t, err, hawser.ErrLost)
	require.NotErrorIs(t, err, hawser.ErrMaybeSent)
	var said *smtp.Error
	if errors.As(err, &said) { // it may be lost, too, when the server closes with unread bytes
		require.ErrorIs(t, err, smtp.ErrTooLarge)
	}
	assert.Equal(t, said == nil, hawser.Retryable(err))
	assert.False(t, s.Reusable())
}
