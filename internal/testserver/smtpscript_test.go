package testserver

import (
	"crypto/tls"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// playMail starts a script whose complaints the test can read.
func playMail(t *testing.T, s SMTPScript) (*ScriptedSMTP, *complaints) {
	t.Helper()
	c := &complaints{TB: t}
	f := s.Start(c)
	return f, c
}

// ofMail closes the script and returns its complaints.
func (c *complaints) ofMail(t *testing.T, f *ScriptedSMTP) string {
	t.Helper()
	require.NoError(t, f.Close())
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(c.list, "\n")
}

// letters is a script that takes one message by DATA and one by BDAT.
func letters() SMTPSteps {
	return SMTPSteps{
		{Reply: "220-hello\n220 there"},
		{Want: "EHLO *", Reply: "250-there\n250-PIPELINING\n250 CHUNKING"},
		{Want: "MAIL FROM:<a@example.com>", Reply: "250 ok"},
		{Want: "/^RCPT TO:<.*>$/", Reply: "250 ok"},
		{Want: "DATA", Reply: "354 go"},
		{Body: true, Reply: "250 taken"},
		{Want: "BDAT *", Body: true, Reply: "250 more"},
		{Want: "BDAT *", Body: true, Reply: "250 all", Raw: "odd\n"},
	}
}

const (
	lettersEnvelope = "EHLO x\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.com>\r\nDATA\r\n"
	lettersSaid     = lettersEnvelope + "hi\r\n..dot\r\n.\r\nBDAT 6\r\n.\r\n.\r\nBDAT 0 LAST\r\n"
	lettersHeard    = "220-hello\r\n220 there\r\n250-there\r\n250-PIPELINING\r\n250 CHUNKING\r\n250 ok\r\n250 ok\r\n" +
		"354 go\r\n250 taken\r\n250 more\r\n250 all\r\nodd\n"
)

func lettersBodies() []Body {
	return []Body{{"hi\r\n.dot\r\n", true}, {".\r\n.\r\n", true}, {"", true}}
}

func TestSMTPScriptPlaysItsSteps(t *testing.T) {
	t.Parallel()
	for name, split := range map[string]int{"at once": 0, "byte by byte": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, c := playMail(t, SMTPScript{Steps: letters(), Split: split})
			conn := connect(t, f.Addr())
			_, err := io.WriteString(conn, lettersSaid)
			require.NoError(t, err)
			require.NoError(t, conn.(*net.TCPConn).CloseWrite())
			got, err := io.ReadAll(conn)
			require.NoError(t, err)
			require.Equal(t, lettersHeard, string(got))
			require.Equal(t, int64(len(lettersHeard)), letters().ReplyBytes())
			require.Equal(t, int64(len(lettersHeard)), f.Passed(SMTPReplies))
			require.Equal(t, int64(len(lettersHeard)), f.Passed(SMTPRepliesWire))
			require.Equal(t, int64(len(lettersSaid)), f.Passed(SMTPReceived))
			require.Equal(t, []string{
				"EHLO x", "MAIL FROM:<a@example.com>", "RCPT TO:<b@example.com>", "DATA", "BDAT 6", "BDAT 0 LAST",
			}, f.Commands())
			require.Equal(t, lettersBodies(), f.Bodies())
			require.Empty(t, c.ofMail(t, f))
			require.False(t, f.Struck())
		})
	}
}

func TestSMTPScriptSpeaksTLS(t *testing.T) {
	t.Parallel()
	explicit := append(SMTPSteps{{Reply: "220 hello"}, {Want: "STARTTLS", Reply: "220 go", TLS: true}}, letters()[1:]...)
	for name, script := range map[string]SMTPScript{
		"explicit 1.3": {Steps: explicit},
		"explicit 1.2": {Steps: explicit, MaxTLS: tls.VersionTLS12},
		"implicit":     {Steps: letters(), Implicit: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, c := playMail(t, script)
			config := &tls.Config{RootCAs: f.Identity().Pool(), ServerName: "localhost"}
			d := mailDialogue{converse(t, f.Addr(), config, script.Implicit)}
			if !script.Implicit {
				d.startTLS()
			}
			d.write(lettersSaid)
			for _, code := range []int{250, 250, 250, 354, 250, 250, 250} {
				d.answer(code)
			}
			if script.MaxTLS != 0 {
				require.Equal(t, script.MaxTLS, d.conn.(*tls.Conn).ConnectionState().Version)
			}
			require.NoError(t, d.text.Close())
			require.Empty(t, c.ofMail(t, f))
			require.Equal(t, lettersBodies(), f.Bodies())
			require.Greater(t, f.Passed(SMTPRepliesWire), f.Passed(SMTPReplies))
		})
	}
}

func TestSMTPScriptComplainsAboutClientsThatStray(t *testing.T) {
	t.Parallel()
	upToDATA := letters()[:6]
	for _, row := range []struct {
		name, says, want string
		steps            SMTPSteps
	}{
		{"and say something else", "HELO x\r\n", `smtp script, connection 1, step 2 ("EHLO *"): the client strayed: it said "HELO x"`, letters()},
		{"and leave", "EHLO x\r\n", `step 3 ("MAIL FROM:<a@example.com>"): the client strayed: it left: EOF`, letters()},
		{"and leave in content with more to come", lettersEnvelope + "hi\r\n", `step 6 (""): the client strayed: it left: EOF`, letters()},
		{"and end a line without CR", "EHLO x\n", `not a line: "EHLO x\n"`, letters()},
		{"and announce no chunk", strings.Replace(lettersSaid, "BDAT 6", "BDAT x", 1), `step 7 ("BDAT *"): the client strayed: it said "BDAT x"`, letters()},
		{"and say Telnet", "\xff\xf4\xff\xf2EHLO x\r\n", `it said "\xff\xf4\xff\xf2EHLO x"`, letters()},
		{"and say more after the end", lettersSaid + "NOOP\r\n", `after the last step: the client strayed: it said "NOOP"`, letters()},
		{"and go on before TLS", "STARTTLS\r\nEHLO x\r\n", `it went on before it was told to begin TLS`, SMTPSteps{{Want: "STARTTLS", Reply: "220 go", TLS: true}}},
		{"but not those who say QUIT", lettersSaid + "QUIT\r\n", "", letters()},
		{"but not those who leave at the end", lettersSaid, "", letters()},
		{"but not those who leave in the last content", lettersEnvelope + "hi\r\n", "", upToDATA},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			f, c := playMail(t, SMTPScript{Steps: row.steps})
			conn := connect(t, f.Addr())
			_, err := io.WriteString(conn, row.says)
			require.NoError(t, err)
			require.NoError(t, conn.(*net.TCPConn).CloseWrite())
			_, _ = io.ReadAll(conn)
			if got := c.ofMail(t, f); row.want == "" {
				require.Empty(t, got)
			} else {
				require.Contains(t, got, row.want)
			}
		})
	}
	t.Run("and stay in the last content", func(t *testing.T) {
		t.Parallel()
		f, c := playMail(t, SMTPScript{Steps: upToDATA})
		d := mailDialogue{converse(t, f.Addr(), nil, false)}
		d.write(lettersEnvelope + "hi\r\n")
		for _, code := range []int{250, 250, 250, 354} {
			d.answer(code)
		}
		require.Contains(t, c.ofMail(t, f), "it never said that, and stayed")
	})
}

func TestSMTPScriptTellsContentThatDidNotComeToItsEnd(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]string{
		"DATA\r\nhi\r\n..do": "hi\r\n.do", "DATA\r\n": "", "DATA\r\nhi\r\n.\r": "hi\r\n\r", "BDAT 5 LAST\r\nhi": "hi",
	} {
		steps := SMTPSteps{{Want: "DATA"}, {Body: true, Reply: "250 ok"}}
		if strings.HasPrefix(said, "BDAT") {
			steps = SMTPSteps{{Want: "BDAT *", Body: true, Reply: "250 ok"}}
		}
		f, c := playMail(t, SMTPScript{Steps: steps})
		conn := connect(t, f.Addr())
		_, err := io.WriteString(conn, said)
		require.NoError(t, err)
		require.NoError(t, conn.(*net.TCPConn).CloseWrite())
		got, err := io.ReadAll(conn)
		require.NoError(t, err)
		require.Empty(t, got)
		require.Equal(t, []Body{{want, false}}, f.Bodies())
		require.Empty(t, c.ofMail(t, f))
	}
}

func TestSMTPScriptWaitsForTheLastContent(t *testing.T) {
	t.Parallel()
	f, c := playMail(t, SMTPScript{Steps: SMTPSteps{{Reply: "220 hello"}, {Body: true, Reply: "250 ok"}}})
	d := mailDialogue{converse(t, f.Addr(), nil, false)}
	closed := make(chan error, 1)
	go func() { closed <- f.Close() }() // ends with the script, and the test waits for it
	requireSilence(t, d.conn)
	d.write("hi\r\n.\r\n")
	d.answer(250)
	require.NoError(t, <-closed)
	require.Empty(t, c.ofMail(t, f))
	require.Equal(t, []Body{{"hi\r\n", true}}, f.Bodies())
}

func TestSMTPScriptKeepsLongContent(t *testing.T) {
	t.Parallel()
	f, c := playMail(t, SMTPScript{Steps: SMTPSteps{{Body: true, Reply: "250 ok"}}})
	conn := connect(t, f.Addr())
	text := strings.Repeat(strings.Repeat("x", 70)+"\r\n", 30_000) + strings.Repeat("y", 1<<20) + "\r\n"
	_, err := io.WriteString(conn, text+".\r\n")
	require.NoError(t, err)
	require.NoError(t, conn.(*net.TCPConn).CloseWrite())
	_, err = io.ReadAll(conn)
	require.NoError(t, err)
	require.True(t, text == f.Bodies()[0].Content)
	require.Empty(t, c.ofMail(t, f))
}

func TestSMTPScriptPlaysLaterConnectionsWhatItIsTold(t *testing.T) {
	t.Parallel()
	f, c := playMail(t, SMTPScript{
		Steps: SMTPSteps{{Reply: "421 one", Close: true}},
		Later: []SMTPSteps{{{Reply: "421 two", Close: true}}, {{Reply: "220 three", Close: true}}},
		Fault: SMTPFault{Fault: Cut, After: 4},
	})
	for _, want := range []string{"421 ", "421 two\r\n", "220 three\r\n", "220 three\r\n"} {
		got, err := io.ReadAll(connect(t, f.Addr()))
		require.NoError(t, err)
		require.Equal(t, want, string(got))
	}
	require.Empty(t, c.ofMail(t, f))
}

func TestSMTPScriptStallsWhereItIsTold(t *testing.T) {
	t.Parallel()
	f, c := playMail(t, SMTPScript{Steps: SMTPSteps{
		{Reply: "220 hello"}, {Want: "EHLO *", Reply: "250-half", Stall: true}, {Want: "never", Reply: "250 never"},
	}})
	conn := connect(t, f.Addr())
	_, err := io.WriteString(conn, "EHLO x\r\nand more\r\n")
	require.NoError(t, err)
	const want = "220 hello\r\n250-half\r\n"
	got := make([]byte, len(want))
	_, err = io.ReadFull(conn, got)
	require.NoError(t, err)
	require.Equal(t, want, string(got))
	requireSilence(t, conn)
	begin := time.Now()
	require.Empty(t, c.ofMail(t, f))
	require.Less(t, time.Since(begin), settleWithin, "Close need not wait for anything")
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	_, err = io.ReadAll(conn)
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
}
