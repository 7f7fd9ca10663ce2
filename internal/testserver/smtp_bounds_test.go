package testserver

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSMTPBoundsSizes(t *testing.T) {
	t.Parallel()
	s := startSMTP(t, SMTPConfig{MaxSize: 10})
	d, offers := mailTo(t, s)
	require.Contains(t, offers, "SIZE 10")
	d.say("MAIL FROM:<a@example.com> SIZE=11", 552)
	d.say("MAIL FROM:<a@example.com> SIZE=10", 250)
	d.say("RCPT TO:<b@example.com>", 250)
	d.say("DATA", 354)
	d.write("123456789\r\n.\r\n")
	d.answer(552)
	d.envelope("a@example.com", "b@example.com")
	d.write("BDAT 5\r\n12345BDAT 6\r\n123456BDAT 1 LAST\r\n1")
	d.answer(250)
	d.answer(552)
	d.answer(503)
	d.envelope("a@example.com", "b@example.com")
	d.write("BDAT 11 LAST\r\n12345678901")
	d.answer(552)
	d.send("a@example.com", []string{"b@example.com"}, "12345678\r\n")
	require.Len(t, s.Mails(), 1)
}

func TestSMTPBoundsSessions(t *testing.T) {
	t.Parallel()
	s := startSMTP(t, SMTPConfig{MaxMessages: 2})
	for range 2 {
		d, _ := mailTo(t, s)
		d.send("a@example.com", []string{"b@example.com"}, "x\r\n")
		d.envelope("a@example.com")
		d.say("RSET", 250)
		d.send("a@example.com", []string{"b@example.com"}, "x\r\n")
		require.Equal(t, "4.5.3 Too many messages sent", d.say("MAIL FROM:<a@example.com>", 452))
	}
	require.Equal(t, []int{1, 1, 2, 2}, []int{
		s.Mails()[0].Session, s.Mails()[1].Session, s.Mails()[2].Session, s.Mails()[3].Session,
	})
}

func TestSMTPBoundsLines(t *testing.T) {
	t.Parallel()
	d, _ := mailTo(t, startSMTP(t, SMTPConfig{}))
	d.say("NOOP "+strings.Repeat("x", 12288), 250)
	d.write("NOOP " + strings.Repeat("x", smtpLine))
	d.answer(500)
	d.hungUp()
}

func TestSMTPTakesLongLinesOfContent(t *testing.T) {
	t.Parallel()
	s := startSMTP(t, SMTPConfig{})
	d, _ := mailTo(t, s)
	for _, n := range []int{smtpLine - 2, smtpLine - 1, smtpLine, smtpLine + 1, 3 * smtpLine} {
		// The line end, and the dots behind it, are on both sides of where a buffer ends.
		text := strings.Repeat("x", n) + "\r\n..\r\n" + strings.Repeat(".", n) + "\r\n"
		d.send("a@example.com", []string{"b@example.com"}, text)
		mails := s.Mails()
		want := strings.Replace(strings.Replace(text, "\n..\r", "\n.\r", 1), "\n..", "\n.", 1)
		require.True(t, want == string(mails[len(mails)-1].Data), n)
	}
}

func FuzzSMTPCommands(f *testing.F) {
	s, err := StartSMTP(SMTPConfig{
		Users: map[string]string{"a": "b"}, Tokens: map[string]string{"a": "b"}, MaxSize: 1 << 20,
	})
	require.NoError(f, err)
	f.Cleanup(func() { _ = s.Close() })
	f.Add("MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n")
	f.Add("MAIL FROM:<a@b> SIZE=1 BODY=7BIT RET=FULL ENVID=a+2B\r\nRCPT TO:<\"c>\"@d> NOTIFY=NEVER\r\nBDAT 3\r\nabcBDAT 0 LAST\r\n")
	f.Add("AUTH PLAIN AGEAYg==\r\n")
	f.Add("AUTH OAUTHBEARER bixhPWEsAWF1dGg9QmVhcmVyIGIBAQ==\r\n")
	f.Add("AUTH SCRAM-SHA-256 biwsbj1hLHI9Yg==\r\n")
	f.Fuzz(func(t *testing.T, said string) {
		c := connect(t, s.Addr())
		require.NoError(t, c.SetDeadline(time.Now().Add(20*time.Second)))
		_, err := io.WriteString(c, "EHLO x\r\n")
		require.NoError(t, err)
		got := make([]byte, 3)
		for !bytes.HasSuffix(got, []byte("CHUNKING\r\n")) {
			var b [1]byte
			_, err := c.Read(b[:])
			require.NoError(t, err)
			got = append(got, b[0])
		}
		// A server that has hung up may be gone.
		_, _ = io.WriteString(c, said)
		_ = c.(interface{ CloseWrite() error }).CloseWrite()
		replies, err := io.ReadAll(c)
		require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "it hangs")
		for line := range strings.Lines(string(replies)) {
			require.Regexp(t, `^[2-5]\d\d[ -][^\r\n]*\r\n$`, line)
		}
		require.NoError(t, c.Close())
	})
}
