package testserver

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSMTPNeitherOffersNorHonoursWhatItIsToldNotTo(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		keyword, line string
		with, without int
	}{
		{"SIZE", "MAIL FROM:<a@example.com> SIZE=5", 250, 555},
		{"8BITMIME", "MAIL FROM:<a@example.com> BODY=8BITMIME", 250, 555},
		{"SMTPUTF8", "MAIL FROM:<a@example.com> SMTPUTF8", 250, 555},
		{"DSN", "MAIL FROM:<a@example.com> RET=HDRS", 250, 555},
		{"AUTH", "AUTH NOTHING", 504, 500},
		{"STARTTLS", "STARTTLS", 220, 500},
		{"CHUNKING", "BDAT 0", 503, 500},
		{"ENHANCEDSTATUSCODES", "RSET", 250, 250},
	} {
		t.Run(row.keyword, func(t *testing.T) {
			t.Parallel()
			for keyword, code := range map[string]int{"": row.with, row.keyword: row.without} {
				cfg := SMTPConfig{TLS: SMTPExplicit, Users: map[string]string{}}
				if keyword != "" {
					cfg.Without = []string{keyword}
				}
				s := startSMTP(t, cfg)
				d := mailDialogue{converse(t, s.Addr(), nil, false)}
				require.Equal(t, keyword == "", offered(d.ehlo(), row.keyword))
				text := d.say(row.line, code)
				if row.keyword == "ENHANCEDSTATUSCODES" {
					require.Equal(t, keyword == "", strings.HasPrefix(text, "2.0.0 "))
				}
			}
		})
	}
	d, offers := mailTo(t, startSMTP(t, SMTPConfig{Without: smtpKeywords()}))
	require.Empty(t, offers)
	d.send("a@example.com", []string{"b@example.com"}, "x\r\n")
}

func offered(offers []string, keyword string) bool {
	for _, line := range offers {
		if name, _, _ := strings.Cut(line, " "); name == keyword {
			return true
		}
	}
	return false
}

func TestSMTPAnswersCommandsThatComeTogether(t *testing.T) {
	t.Parallel()
	s := startSMTP(t, SMTPConfig{Refuse: map[string]string{"no@example.com": "550 5.1.1 no"}})
	d, _ := mailTo(t, s)
	d.write("RSET\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<no@example.com>\r\nRCPT TO:<b@example.com>\r\nDATA\r\n")
	for _, code := range []int{250, 250, 550, 250, 354} {
		d.answer(code)
	}
	d.write("x\r\n.\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<c@example.com>\r\nBDAT 3 LAST\r\nx\r\nQUIT\r\n")
	for _, code := range []int{250, 250, 250, 250, 221} {
		d.answer(code)
	}
	require.Len(t, s.Mails(), 2)
	require.Equal(t, []string{"b@example.com"}, s.Mails()[0].To)
	require.Equal(t, []string{"RCPT TO:<b@example.com>"}, s.Mails()[0].RcptLines)
	require.Equal(t, []string{"c@example.com"}, s.Mails()[1].To)
}

// groups are commands that came too early.
func groups() map[string]string {
	return map[string]string{
		"MAIL":             "MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.com>\r\n",
		"RCPT":             "MAIL FROM:<a@example.com>\r\n|RCPT TO:<b@example.com>\r\nDATA\r\n",
		"the end of DATA":  "MAIL FROM:<a@example.com>\r\n|RCPT TO:<b@example.com>\r\n|DATA\r\n|x\r\n.\r\nNOOP\r\n",
		"BDAT":             "MAIL FROM:<a@example.com>\r\n|RCPT TO:<b@example.com>\r\n|BDAT 1\r\nxBDAT 1 LAST\r\nx",
		"the last BDAT":    "MAIL FROM:<a@example.com>\r\n|RCPT TO:<b@example.com>\r\n|BDAT 1 LAST\r\nxNOOP\r\n",
		"an unknown one":   "FOO\r\nNOOP\r\n",
		"a line of AUTH":   "AUTH LOGIN\r\n|YQ==\r\nYQ==\r\n",
		"AUTH":             "AUTH LOGIN\r\nYQ==\r\n",
		"STARTTLS":         "STARTTLS\r\nEHLO x\r\n",
		"EHLO":             "EHLO x\r\nMAIL FROM:<a@example.com>\r\n",
		"DATA":             "MAIL FROM:<a@example.com>\r\n|RCPT TO:<b@example.com>\r\n|DATA\r\nx\r\n.\r\n",
		"NOOP":             "NOOP\r\nNOOP\r\n",
		"an empty content": "MAIL FROM:<a@example.com>\r\n|RCPT TO:<b@example.com>\r\n|DATA\r\n|.\r\nMAIL FROM:<a@example.com>\r\n",
	}
}

func TestSMTPHangsUpOnClientsThatDoNotWait(t *testing.T) {
	t.Parallel()
	// These alone may come together with nothing behind them, whatever is offered.
	alone := map[string]bool{"a line of AUTH": true, "AUTH": true, "STARTTLS": true, "EHLO": true, "DATA": true, "NOOP": true}
	for name, said := range groups() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, pipelining := range []bool{true, false} {
				if pipelining && !alone[name] {
					continue
				}
				cfg := SMTPConfig{TLS: SMTPExplicit, Mechanisms: []string{"LOGIN"}}
				want := "554 5.5.0 "
				if !pipelining {
					cfg.Without, want = []string{"PIPELINING"}, "500 5.5.0 Pipelining not supported"
				}
				s := startSMTP(t, cfg)
				d := mailDialogue{converse(t, s.Addr(), nil, false)}
				d.ehlo()
				early := strings.Split(said, "|")
				for i, text := range early {
					d.write(text)
					line, err := d.text.ReadLine()
					require.NoError(t, err)
					require.Equal(t, i == len(early)-1, strings.HasPrefix(line, want), line)
				}
				d.hungUp()
				require.Empty(t, s.Mails())
			}
		})
	}
}

func TestSMTPWantsCommandsInOrder(t *testing.T) {
	t.Parallel()
	s := startSMTP(t, SMTPConfig{Mechanisms: []string{"ANONYMOUS"}, TLS: SMTPExplicit})
	d := mailDialogue{converse(t, s.Addr(), trusting(t, s.CA()), false)}
	d.say("MAIL FROM:<a@example.com>", 503)
	d.say("AUTH ANONYMOUS YQ==", 503)
	d.say("EHLO", 501)
	d.say("HELO", 501)
	d.say("HELO x", 250)
	d.say("MAIL FROM:<a@example.com> SIZE=1", 555)
	d.send("a@example.com", []string{"b@example.com"}, "x\r\n")
	d.ehlo()
	d.say("RCPT TO:<a@example.com>", 503)
	d.say("DATA", 503)
	d.say("DATA x", 501)
	d.say("MAIL FROM:<a@example.com>", 250)
	d.say("MAIL FROM:<a@example.com>", 503)
	d.say("DATA", 554)
	d.say("AUTH ANONYMOUS YQ==", 503)
	d.say("RSET", 250)
	d.say("AUTH ANONYMOUS YQ==", 235)
	d.say("AUTH ANONYMOUS YQ==", 503)
	d.say("NOOP\x00", 501)
	d.say("NOOP\rRSET", 501)
	d.say("VRFY a", 252)
	d.say("HELP", 214)
	d.say("", 500)
	d.say("STARTTLS x", 501)
	d.startTLS()
	d.say("MAIL FROM:<a@example.com>", 503)
	require.False(t, offered(d.ehlo(), "STARTTLS"))
	d.say("STARTTLS", 503)
	d.send("a@example.com", []string{"b@example.com"}, "x\r\n")
	require.Empty(t, s.Mails()[1].User, "TLS begins anew")
}

func TestSMTPEndsSessionsWhoseHandshakeFails(t *testing.T) {
	t.Parallel()
	d := mailDialogue{converse(t, startSMTP(t, SMTPConfig{TLS: SMTPExplicit}).Addr(), nil, false)}
	d.ehlo()
	d.say("STARTTLS", 220)
	d.write("EHLO client.example\r\n")
	got, err := io.ReadAll(d.text.R)
	require.NoError(t, err)
	require.NotContains(t, string(got), "250")
}

func TestSMTPRefusesAddressesByName(t *testing.T) {
	t.Parallel()
	s := startSMTP(t, SMTPConfig{Refuse: map[string]string{
		"a@example.com": "550 5.7.1 not you", "b@example.com": "450-4.2.1 full\n450 4.2.1 up", "": "550 5.7.1 nobody",
	}})
	d, _ := mailTo(t, s)
	require.Equal(t, "5.7.1 not you", d.say("MAIL FROM:<a@example.com>", 550))
	d.say("MAIL FROM:<>", 550)
	d.say("MAIL FROM:<c@example.com>", 250)
	require.Equal(t, "4.2.1 full\n4.2.1 up", d.say("RCPT TO:<b@example.com>", 450))
	d.say("RCPT TO:<a@example.com>", 550)
	d.say("DATA", 554)
}

func TestSMTPLetsAHookChangeReplies(t *testing.T) {
	t.Parallel()
	s := startSMTP(t, SMTPConfig{TLS: SMTPExplicit, Reply: func(command, reply string) string {
		switch {
		case command == "":
			return "220-two\n220 lines"
		case command == ".", command == "BDAT 1", command == "RCPT TO:<no@example.com>", command == "STARTTLS":
			return "451 later"
		case command == "MAIL FROM:<no@example.com>":
			return "553 no"
		case strings.HasPrefix(command, "BDAT 2"):
			return strings.Replace(reply, "250 2.0.0 Ok", "250 fine", 1)
		}
		return reply
	}})
	d := mailDialogue{converse(t, s.Addr(), nil, false)}
	d.ehlo()
	d.say("STARTTLS", 451)
	d.say("MAIL FROM:<no@example.com>", 553)
	d.envelope("a@example.com", "b@example.com")
	d.say("RCPT TO:<no@example.com>", 451)
	d.write("BDAT 2 LAST\r\nhi")
	fine := d.answer(250)
	require.Equal(t, "fine: queued as "+s.Mails()[0].ID, fine)
	require.Equal(t, []string{"b@example.com"}, s.Mails()[0].To)
	d.envelope("a@example.com", "b@example.com")
	d.say("DATA", 354)
	d.write("x\r\n.\r\n")
	d.answer(451)
	d.envelope("a@example.com", "b@example.com")
	d.write("BDAT 1\r\nx")
	d.answer(451)
	d.write("BDAT 2 LAST\r\nhi")
	d.answer(503)
	require.Len(t, s.Mails(), 1)
}

func TestSMTPLetsAHookSayNothingOrEndTheSession(t *testing.T) {
	t.Parallel()
	d, _ := mailTo(t, startSMTP(t, SMTPConfig{Reply: func(command, reply string) string {
		if changed, ok := map[string]string{"RSET": "", "NOOP": "421 enough"}[command]; ok {
			return changed
		}
		return reply
	}}))
	require.NoError(t, d.text.PrintfLine("RSET"))
	d.say("NOOP", 421)
	d.hungUp()
}

func TestSMTPRefusesConfigurationsThatMakeNoSense(t *testing.T) {
	t.Parallel()
	for want, cfg := range map[string]SMTPConfig{
		`"explicitly"`: {TLS: "explicitly"},
		`"TURN"`:       {Without: []string{"TURN"}},
		`"GUESS"`:      {Mechanisms: []string{"GUESS"}},
		"needs Users":  {Mechanisms: []string{"SCRAM-SHA-1"}},
		"RequireLogin": {RequireLogin: true},
		"not offered":  {RequireLogin: true, Users: map[string]string{}, Without: []string{"AUTH"}},
	} {
		_, err := StartSMTP(cfg)
		require.ErrorContains(t, err, want)
	}
}

func TestSMTPMailsAreInOrder(t *testing.T) {
	t.Parallel()
	s := startSMTP(t, SMTPConfig{})
	d, _ := mailTo(t, s)
	var group bytes.Buffer
	const n = 500
	for range n {
		group.WriteString("MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.com>\r\nBDAT 1 LAST\r\nx")
	}
	sent := make(chan error, 1)
	go func() { // ends with the connection, and sent waits for it
		_, err := io.Copy(d.conn, &group)
		sent <- err
	}()
	for i := range n {
		d.answer(250)
		d.answer(250)
		require.Contains(t, d.answer(250), s.Mails()[i].ID)
	}
	require.NoError(t, <-sent)
}
