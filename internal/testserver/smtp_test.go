package testserver

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// startSMTP starts a server for the length of the test.
func startSMTP(t *testing.T, cfg SMTPConfig) *SMTP {
	t.Helper()
	s, err := StartSMTP(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// mailDialogue is an SMTP client that says what the test tells it to.
type mailDialogue struct{ *dialogue }

// mailTo greets a server, over TLS if it has that, and returns what EHLO offers.
func mailTo(t *testing.T, s *SMTP) (d mailDialogue, offers []string) {
	t.Helper()
	var config *tls.Config
	if s.CA() != "" {
		config = trusting(t, s.CA())
	}
	d = mailDialogue{converse(t, s.Addr(), config, s.cfg.TLS == SMTPImplicit)}
	offers = d.ehlo()
	if s.cfg.TLS == SMTPExplicit && s.offers("STARTTLS") {
		d.startTLS()
		offers = d.ehlo()
	}
	return d, offers
}

func (d mailDialogue) ehlo() []string {
	d.t.Helper()
	return strings.Split(d.say("EHLO client.example", 250), "\n")[1:]
}

func (d mailDialogue) startTLS() {
	d.t.Helper()
	d.say("STARTTLS", 220)
	d.conn = tls.Client(d.conn, d.tls)
	d.text = textproto.NewConn(d.conn)
}

// write says text as it is.
func (d mailDialogue) write(text string) {
	d.t.Helper()
	_, err := io.WriteString(d.conn, text)
	require.NoError(d.t, err)
}

// send sends a message by DATA, whose dots are doubled already.
func (d mailDialogue) send(from string, to []string, content string) string {
	d.t.Helper()
	d.envelope(from, to...)
	d.say("DATA", 354)
	d.write(content + ".\r\n")
	return d.answer(250)
}

func (d mailDialogue) envelope(from string, to ...string) {
	d.t.Helper()
	d.say("MAIL FROM:<"+from+">", 250)
	for _, addr := range to {
		d.say("RCPT TO:<"+addr+">", 250)
	}
}

// hungUp wants the server to have ended the connection in order.
func (d mailDialogue) hungUp() {
	d.t.Helper()
	_, err := d.text.ReadLine()
	require.ErrorIs(d.t, err, io.EOF)
}

func TestSMTPTakesMail(t *testing.T) {
	t.Parallel()
	for name, mode := range map[string]string{"plain": "", "explicit": SMTPExplicit, "implicit": SMTPImplicit} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startSMTP(t, SMTPConfig{TLS: mode})
			d, offers := mailTo(t, s)
			require.Equal(t, []string{
				"PIPELINING", "SIZE", "ENHANCEDSTATUSCODES", "8BITMIME", "DSN", "SMTPUTF8", "CHUNKING",
			}, offers)
			const text = "Subject: x\r\n\r\nhello\r\n..\r\n...dots\r\nbare\n.lf\r.cr\n\xff\r\n"
			first := d.send("a@example.com", []string{"b@example.com", `"c d"@example.com`}, text)
			second := d.send("", []string{"postmaster"}, "")
			mails := s.Mails()
			require.Len(t, mails, 2)
			require.Equal(t, "2.0.0 Ok: queued as "+mails[0].ID, first)
			require.Equal(t, "2.0.0 Ok: queued as "+mails[1].ID, second)
			require.NotEqual(t, mails[0].ID, mails[1].ID)
			want := strings.ReplaceAll(text, "\n..", "\n.")
			require.Equal(t, Mail{
				ID: mails[0].ID, Session: 1, From: "a@example.com", To: []string{"b@example.com", `"c d"@example.com`},
				MailLine:  "MAIL FROM:<a@example.com>",
				RcptLines: []string{"RCPT TO:<b@example.com>", `RCPT TO:<"c d"@example.com>`},
				Size:      int64(len(want)), Data: []byte(want),
			}, mails[0])
			require.Equal(t, []any{"", []string{"postmaster"}, int64(0), []byte{}},
				[]any{mails[1].From, mails[1].To, mails[1].Size, mails[1].Data})
			d.say("QUIT", 221)
			d.hungUp()
			require.Equal(t, 1, s.Accepted())
			require.Equal(t, mode == SMTPExplicit, strings.Contains(strings.Join(s.Commands(), "\n"), "STARTTLS"))
		})
	}
}

func TestSMTPTakesChunks(t *testing.T) {
	t.Parallel()
	s := startSMTP(t, SMTPConfig{})
	d, _ := mailTo(t, s)
	text := string(pattern(100_000)) + "\r\n.\r\n"
	d.envelope("a@example.com", "b@example.com")
	d.write("BDAT 5\r\n" + text[:5])
	d.answer(250)
	d.write(fmt.Sprintf("BDAT %d\r\n%sBDAT 0 LAST\r\n", len(text)-5, text[5:]))
	d.answer(250)
	require.Contains(t, d.answer(250), s.Mails()[0].ID)
	require.Equal(t, text, string(s.Mails()[0].Data))
	require.Equal(t, []string{
		"EHLO client.example", "MAIL FROM:<a@example.com>", "RCPT TO:<b@example.com>",
		"BDAT 5", "BDAT 100000", "BDAT 0 LAST",
	}, s.Commands())

	d.write("BDAT 4 LAST\r\nMAILNOOP\r\n")
	d.answer(503)
	d.answer(250)
	d.say("MAIL FROM:<a@example.com>", 250)
	d.write("BDAT 4 LAST\r\nMAILRCPT TO:<b@example.com>\r\n")
	d.answer(554)
	d.answer(250)
	d.write("BDAT 2\r\nhi")
	d.answer(250)
	d.say("DATA", 503)
	d.say("RCPT TO:<c@example.com>", 503)
	d.say("RSET", 250)
	for _, bad := range []string{"BDAT", "BDAT x", "BDAT -1", "BDAT +1", "BDAT 1 FIRST", "BDAT 99999999999999999999"} {
		other, _ := mailTo(t, s)
		other.say(bad, 501)
		other.hungUp()
	}
	require.Len(t, s.Mails(), 1)
}

func TestSMTPTakesChunksWithoutPipelining(t *testing.T) {
	t.Parallel()
	s := startSMTP(t, SMTPConfig{Without: []string{"PIPELINING"}})
	d, _ := mailTo(t, s)
	d.envelope("a@example.com", "b@example.com")
	d.write("BDAT 2\r\nhi")
	d.answer(250)
	d.write("BDAT 1 LAST\r\n!")
	d.answer(250)
	require.Equal(t, "hi!", string(s.Mails()[0].Data))
}

func TestSMTPNeverTakesWhatDidNotComeToItsEnd(t *testing.T) {
	t.Parallel()
	for name, said := range map[string]string{
		"content":           "DATA\r\nhello\r\n",
		"nothing":           "DATA\r\n",
		"a dot without end": "DATA\r\nhello\r\n.\r",
		"a dot between LF":  "DATA\r\nhello\n.\n",
		"half a line end":   "DATA\r\nhello\n.\r\n",
		"a chunk":           "BDAT 5\r\nhello",
		"half a last chunk": "BDAT 6 LAST\r\nhello",
		"a missing one":     "BDAT 5\r\nhelloBDAT 1 LAST\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startSMTP(t, SMTPConfig{})
			d, _ := mailTo(t, s)
			d.envelope("a@example.com", "b@example.com")
			line, content, _ := strings.Cut(said, "\r\n")
			d.write(line + "\r\n")
			if line == "DATA" {
				d.answer(354)
			}
			d.write(content)
			require.NoError(t, d.conn.(*net.TCPConn).CloseWrite())
			require.Eventually(t, func() bool { return s.Sessions() == 0 }, patience, poll)
			require.Empty(t, s.Mails())
		})
	}
}

func TestSMTPForgetsMessagesThatAreTakenBack(t *testing.T) {
	t.Parallel()
	s := startSMTP(t, SMTPConfig{})
	d, _ := mailTo(t, s)
	d.envelope("a@example.com", "b@example.com")
	d.write("BDAT 5\r\nhello")
	d.answer(250)
	d.say("RSET", 250)
	d.say("RCPT TO:<b@example.com>", 503)
	d.envelope("a@example.com", "c@example.com")
	d.ehlo()
	d.send("d@example.com", []string{"e@example.com"}, "x\r\n")
	require.Len(t, s.Mails(), 1)
	require.Equal(t, []string{"e@example.com"}, s.Mails()[0].To)
	require.Equal(t, "x\r\n", string(s.Mails()[0].Data))
}

func TestSMTPNeedNotKeepContent(t *testing.T) {
	t.Parallel()
	s := startSMTP(t, SMTPConfig{Discard: true, MaxSize: 10})
	d, _ := mailTo(t, s)
	d.send("a@example.com", []string{"b@example.com"}, "..hello\r\n")
	require.Equal(t, int64(8), s.Mails()[0].Size)
	require.Nil(t, s.Mails()[0].Data)
}

func TestSMTPServesManyAtOnce(t *testing.T) {
	t.Parallel()
	s := startSMTP(t, SMTPConfig{TLS: SMTPImplicit})
	t.Run("sessions", func(t *testing.T) {
		for i := range 8 {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				d, _ := mailTo(t, s)
				for j := range 10 {
					d.send("a@example.com", []string{"b@example.com"}, fmt.Sprintf("%d %d\r\n", i, j))
				}
			})
		}
	})
	require.Equal(t, 8, s.Accepted())
	contents, ids := map[string]bool{}, map[string]bool{}
	for _, m := range s.Mails() {
		contents[string(m.Data)], ids[m.ID] = true, true
	}
	require.Equal(t, []int{80, 80, 80}, []int{len(s.Mails()), len(contents), len(ids)})
	require.Eventually(t, func() bool { return s.Sessions() == 0 }, patience, poll)
}

func TestSMTPFreezesDropsAndCloses(t *testing.T) {
	t.Parallel()
	s, err := StartSMTP(SMTPConfig{TLS: SMTPExplicit})
	require.NoError(t, err)
	d, _ := mailTo(t, s)
	d.envelope("a@example.com", "b@example.com")
	d.say("DATA", 354)
	s.Freeze()
	d.write("hello\r\n.\r\n")
	requireSilence(t, d.conn)
	require.Empty(t, s.Mails())
	s.Thaw()
	require.NoError(t, d.conn.SetDeadline(time.Now().Add(20*time.Second)))
	d.answer(250)
	require.Len(t, s.Mails(), 1)
	s.Freeze()
	s.Drop()
	_, err = d.text.ReadLine()
	require.Error(t, err)
	s.Thaw()

	d, _ = mailTo(t, s)
	d.envelope("a@example.com", "b@example.com")
	d.say("DATA", 354)
	s.Freeze()
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	require.NoFileExists(t, s.CA())
	_, err = net.Dial("tcp", s.Addr())
	require.Error(t, err)
}
