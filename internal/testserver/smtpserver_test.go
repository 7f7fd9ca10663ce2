package testserver

import (
	"fmt"
	"net/smtp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// startsSMTP starts a real server.
type startsSMTP func(testing.TB, SMTPServerConfig) *SMTPServer

// eachSMTP runs test against both servers.
func eachSMTP(t *testing.T, test func(t *testing.T, start startsSMTP)) {
	for name, start := range map[string]startsSMTP{"postfix": Postfix, "opensmtpd": OpenSMTPD} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, start)
		})
	}
}

// letter has what the servers would add, so that they leave it as it is, and a line that begins with a dot.
const letter = "Date: Mon, 02 Jan 2006 15:04:05 +0000\r\nMessage-ID: <1@outside.example>\r\nSubject: hi\r\n\r\n.hello\r\n..\r\n"

// submit sends letter.
func submit(t *testing.T, s *SMTPServer, to ...string) {
	t.Helper()
	require.NoError(t, smtp.SendMail(s.Addr(), nil, "a@outside.example", to, []byte(letter)))
}

// greet begins a session.
func greet(t *testing.T, s *SMTPServer) *dialogue {
	t.Helper()
	d := converse(t, s.Addr(), nil, false)
	d.say("EHLO client.example", 250)
	return d
}

// post sends letter in a session, and returns the last reply.
func (d *dialogue) post(to ...string) string {
	d.t.Helper()
	d.say("MAIL FROM:<a@outside.example>", 250)
	for _, address := range to {
		d.say("RCPT TO:<"+address+">", 250)
	}
	d.say("DATA", 354)
	return d.say(strings.ReplaceAll(letter, "\r\n.", "\r\n..")+".", 250)
}

func TestRealSMTPHandsOnWhatItTook(t *testing.T) {
	t.Parallel()
	eachSMTP(t, func(t *testing.T, start startsSMTP) {
		s := start(t, SMTPServerConfig{})
		d := greet(t, s)
		replies := []string{d.post("b@"+s.Domain, "c@"+s.Domain), d.post("d@" + s.Domain)}
		require.NotEqual(t, replies[0], replies[1])
		s.Await(t, 3)
		list := s.Settled(t)
		to := map[string]string{}
		for _, got := range list {
			require.Equal(t, "a@outside.example", got.From)
			require.True(t, strings.HasSuffix(string(got.Data), "\r\n"+letter), "%q", got.Data)
			require.NotEmpty(t, got.ID)
			for _, address := range got.To {
				require.NotContains(t, to, address)
				to[address] = got.ID
			}
		}
		require.Len(t, to, 3)
		for address, reply := range map[string]string{"b@": replies[0], "c@": replies[0], "d@": replies[1]} {
			require.Contains(t, strings.Fields(reply), to[address+s.Domain])
		}
	})
}

func TestRealSMTPRefusesRecipients(t *testing.T) {
	t.Parallel()
	eachSMTP(t, func(t *testing.T, start startsSMTP) {
		s := start(t, SMTPServerConfig{})
		d := greet(t, s)
		d.say("MAIL FROM:<>", 250)
		d.say("RCPT TO:<"+s.Refused+">", 550)
		elsewhere := map[string]int{"postfix": 554, "opensmtpd": 550}[strings.Split(t.Name(), "/")[1]]
		for _, address := range []string{"b@outside.example", "b@sub." + s.Domain} {
			d.say("RCPT TO:<"+address+">", elsewhere)
		}
		for _, local := range []string{"b", "O'Brien", "b+tag", "a!b", "a%outside.example", "refused.too"} {
			d.say("RCPT TO:<"+local+"@"+s.Domain+">", 250)
		}
		d.say("RSET", 250)
		require.Empty(t, s.Settled(t))
	})
}

func TestRealSMTPHoldsAMessageThatIsBeingSent(t *testing.T) {
	t.Parallel()
	eachSMTP(t, func(t *testing.T, start startsSMTP) {
		s := start(t, SMTPServerConfig{})
		require.Empty(t, s.queued(t))
		d := greet(t, s)
		d.say("MAIL FROM:<a@outside.example>", 250)
		d.say("RCPT TO:<b@"+s.Domain+">", 250)
		d.say("DATA", 354)
		require.NoError(t, d.text.PrintfLine("Subject: half"))
		require.NotEmpty(t, s.queued(t))
		require.NoError(t, d.conn.Close())
		require.Empty(t, s.Settled(t))
	})
}

func TestRealSMTPDoublesAndHalvesNothing(t *testing.T) {
	t.Parallel()
	eachSMTP(t, func(t *testing.T, start startsSMTP) {
		const sessions, each = 4, 40
		s := start(t, SMTPServerConfig{})
		t.Run("sending", func(t *testing.T) {
			for i := range sessions {
				t.Run(fmt.Sprint(i), func(t *testing.T) {
					t.Parallel()
					d := greet(t, s)
					for j := range each {
						d.post(fmt.Sprintf("%d-%d@%s", i, j, s.Domain))
					}
				})
			}
		})
		got := map[string]bool{}
		for _, d := range s.Settled(t) {
			require.Len(t, d.To, 1)
			require.False(t, got[d.To[0]])
			got[d.To[0]] = true
		}
		require.Len(t, got, sessions*each)
	})
}

func TestRealSMTPServersDoNotMeet(t *testing.T) {
	t.Parallel()
	eachSMTP(t, func(t *testing.T, start startsSMTP) {
		one, two := start(t, SMTPServerConfig{}), start(t, SMTPServerConfig{})
		submit(t, one, "one@"+one.Domain)
		submit(t, two, "two@"+two.Domain)
		require.Equal(t, []string{"one@" + one.Domain}, one.Await(t, 1)[0].To)
		require.Equal(t, []string{"two@" + two.Domain}, two.Await(t, 1)[0].To)
		require.Len(t, one.Settled(t), 1)
		require.Len(t, two.Settled(t), 1)
	})
}

func TestRealSMTPLimitsTheSize(t *testing.T) {
	t.Parallel()
	eachSMTP(t, func(t *testing.T, start startsSMTP) {
		s := start(t, SMTPServerConfig{MaxSize: 20_000})
		d := converse(t, s.Addr(), nil, false)
		require.Contains(t, d.say("EHLO client.example", 250), "SIZE 20000\n")
		d.say("MAIL FROM:<a@outside.example> SIZE=20000", 250)
		d.say("RCPT TO:<b@"+s.Domain+">", 250)
		d.say("DATA", 354)
		d.say(strings.Repeat(strings.Repeat("x", 78)+"\r\n", 251)+".", 55)
		require.Empty(t, s.Settled(t))
	})
}

func TestRealSMTPHandsOnWishesForNotifications(t *testing.T) {
	t.Parallel()
	eachSMTP(t, func(t *testing.T, start startsSMTP) {
		s := start(t, SMTPServerConfig{})
		d := greet(t, s)
		d.say("MAIL FROM:<a@outside.example> RET=HDRS ENVID=QQ+3D1", 250)
		d.say("RCPT TO:<b@"+s.Domain+"> NOTIFY=SUCCESS,FAILURE", 250)
		d.say("DATA", 354)
		d.say(letter+".", 250)
		got := s.Await(t, 1)[0]
		require.Subset(t, strings.Fields(got.MailLine), []string{"RET=HDRS", "ENVID=QQ+3D1"})
		require.Len(t, got.RcptLines, 1)
		require.Contains(t, strings.Fields(got.RcptLines[0]), "NOTIFY=SUCCESS,FAILURE")
	})
}

func TestRealSMTPLeavesOutDSN(t *testing.T) {
	t.Parallel()
	eachSMTP(t, func(t *testing.T, start startsSMTP) {
		for offered, without := range map[bool][]string{true: nil, false: {"DSN"}} {
			s := start(t, SMTPServerConfig{Without: without})
			d := converse(t, s.Addr(), nil, false)
			require.Equal(t, offered, strings.Contains(d.say("EHLO client.example", 250), "DSN"))
		}
	})
}

func TestRealSMTPLetsLinesWin(t *testing.T) {
	t.Parallel()
	lines := map[string]string{
		"postfix":   "message_size_limit = 30000",
		"opensmtpd": "smtp max-message-size 30000",
	}
	eachSMTP(t, func(t *testing.T, start startsSMTP) {
		line := lines[strings.Split(t.Name(), "/")[1]]
		s := start(t, SMTPServerConfig{MaxSize: 20_000, Lines: []string{line}})
		d := converse(t, s.Addr(), nil, false)
		require.Contains(t, d.say("EHLO client.example", 250), "SIZE 30000")
	})
}

func TestQueueID(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ message, want string }{
		"postfix":             {"Received: from h (h [127.0.0.1])\r\n\tby p (Postfix) with ESMTP id 4C1;\r\n\tSat\r\n\r\n", "4C1"},
		"opensmtpd":           {"Received: from h\r\n\tby o (OpenSMTPD) with ESMTP id 4c1 \r\n\tfor <a@b>;\r\n", "4c1"},
		"a client called id":  {"Received: from id (h)\r\n\tby p (Postfix) with SMTP id 4C1\r\n", "4C1"},
		"an id of the next":   {"Received: from h; Sat\r\nReceived: by q id 4C1; Sat\r\n", ""},
		"no word after it":    {"Received: by p id\r\n\r\n4C1\r\n", ""},
		"another field first": {"Subject: by p id 4C1\r\n", ""},
		"nothing":             {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, row.want, queueID([]byte(row.message)))
		})
	}
}

func FuzzQueueID(f *testing.F) {
	f.Add("Received: from h (h [127.0.0.1])\r\n\tby p (Postfix) with ESMTP id 4C1;\r\n\tSat\r\n\r\nbody")
	f.Add("received: id\n id id;")
	f.Fuzz(func(t *testing.T, message string) {
		id := queueID([]byte(message))
		require.Contains(t, message, id)
		require.LessOrEqual(t, len(strings.Fields(id)), 1)
	})
}
