package testserver

import (
	"bufio"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSMTPParsesPaths(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ arg, addr, parameters string }{
		{"FROM:<a@example.com>", "a@example.com", ""},
		{"from:<a@example.com> SIZE=1", "a@example.com", " SIZE=1"},
		{"FROM:<>", "", ""},
		{"FROM:<Postmaster>", "Postmaster", ""},
		{`FROM:<"a b>\""@example.com> X`, `"a b>\""@example.com`, " X"},
		{"FROM:<a.b+c=d!e@[127.0.0.1]>", "a.b+c=d!e@[127.0.0.1]", ""},
		{"FROM:<a@[IPv6:::1]>", "a@[IPv6:::1]", ""},
		{"FROM:<ä@exämple.com>", "ä@exämple.com", ""},
	} {
		addr, parameters, ok := parseSMTPPath(row.arg, "FROM:")
		require.Equal(t, []any{row.addr, row.parameters, true}, []any{addr, parameters, ok}, row.arg)
	}
	for _, bad := range []string{
		"", "FROM:", "TO:<a@example.com>", "FROM: <a@example.com>", "FROM:a@example.com", "FROM:<a@example.com",
		"FROM:<a@example.com>SIZE=1", "FROM:<a>", "FROM:<@example.com>", "FROM:<a@>", "FROM:<a b@example.com>",
		"FROM:<<a@example.com>>", "FROM:<a@example.com >", "FROM:<a..b@example.com>", "FROM:<.a@example.com>",
		"FROM:<a@.example.com>", "FROM:<a@exa mple.com>", "FROM:<a@b@example.com>", "FROM:<a@example.com,b@example.com>",
		"FROM:<a\x01@example.com>", `FROM:<"a@example.com>`, `FROM:<"a"b@example.com>`, "FROM:<\"a\x01\"@example.com>",
		"FROM:<a@[127.0.0.1>", "FROM:<a@\xff>", "FROM:<" + strings.Repeat("a", 250) + "@b.cd>", `FROM:<"a\"@example.com>`,
	} {
		_, _, ok := parseSMTPPath(bad, "FROM:")
		require.False(t, ok, bad)
	}
}

func FuzzSMTPPath(f *testing.F) {
	f.Add(`TO:<"a b>\""@example.com> NOTIFY=NEVER`)
	f.Add("TO:<a@[IPv6:::1]>")
	f.Fuzz(func(t *testing.T, arg string) {
		addr, parameters, ok := parseSMTPPath(arg, "TO:")
		if !ok {
			return
		}
		require.Equal(t, arg[3:], "<"+addr+">"+parameters)
		require.NotContains(t, addr, "\n")
		again, _, ok := parseSMTPPath("TO:<"+addr+">", "TO:")
		require.True(t, ok)
		require.Equal(t, addr, again)
	})
}

func TestSMTPChecksParameters(t *testing.T) {
	t.Parallel()
	s := startSMTP(t, SMTPConfig{Mechanisms: []string{"PLAIN"}})
	d, _ := mailTo(t, s)
	for parameters, code := range map[string]int{
		"SIZE=0 BODY=7BIT RET=full ENVID=a+2Bb SMTPUTF8 AUTH=<>": 250,
		"body=8bitmime auth=a+3Db":                               250,
		"SIZE":                                                   501,
		"SIZE=":                                                  501,
		"SIZE=-1":                                                501,
		"SIZE=+1":                                                501,
		"SIZE=1 SIZE=1":                                          501,
		"BODY=BINARYMIME":                                        501,
		"SMTPUTF8=1":                                             501,
		"RET=NONE":                                               501,
		"ENVID=":                                                 501,
		"ENVID=a+2":                                              501,
		"ENVID=a+2b":                                             501,
		"ENVID=a=b":                                              501,
		"ENVID=ä":                                                501,
		"AUTH":                                                   501,
		"NOTIFY=NEVER":                                           555,
		"REQUIRETLS":                                             555,
		"ENVID=" + strings.Repeat("x", 101):                      501,
	} {
		d.say("MAIL FROM:<a@example.com> "+parameters, code)
		d.say("RSET", 250)
	}
}

func TestSMTPChecksParametersOfRecipients(t *testing.T) {
	t.Parallel()
	d, _ := mailTo(t, startSMTP(t, SMTPConfig{}))
	d.say("MAIL FROM:<a@example.com>", 250)
	for parameters, code := range map[string]int{
		"NOTIFY=NEVER":                   250,
		"notify=success,FAILURE,DELAY":   250,
		"ORCPT=rfc822;b+2Bc@example.com": 250,
		"ORCPT=utf-8;ä@example.com":      250,
		"NOTIFY=":                        501,
		"NOTIFY=NEVER,DELAY":             501,
		"NOTIFY=DELAY,DELAY":             501,
		"NOTIFY=SOON":                    501,
		"ORCPT=b@example.com":            501,
		"ORCPT=rfc822;":                  501,
		"ORCPT=rfc822;ä@example.com":     501,
		"NOTIFY=DELAY NOTIFY=DELAY":      501,
		"SIZE=1":                         555,
	} {
		d.say("RCPT TO:<b@example.com> "+parameters, code)
	}
}

func TestSMTPWantsOddAddressesAnnounced(t *testing.T) {
	t.Parallel()
	s := startSMTP(t, SMTPConfig{})
	d, _ := mailTo(t, s)
	d.say("MAIL FROM:<a@example.com>", 250)
	d.say("RCPT TO:<>", 501)
	d.say("RCPT TO:<ä@example.com>", 553)
	d.say("RSET", 250)
	d.say("MAIL FROM:<ä@example.com>", 553)
	d.say("MAIL FROM:<ä@example.com> SMTPUTF8", 250)
	d.say("RCPT TO:<ö@example.com> NOTIFY=DELAY", 250)
	d.write("BDAT 0 LAST\r\n")
	d.answer(250)
	require.Equal(t, "MAIL FROM:<ä@example.com> SMTPUTF8", s.Mails()[0].MailLine)
	require.Equal(t, []string{"RCPT TO:<ö@example.com> NOTIFY=DELAY"}, s.Mails()[0].RcptLines)
}

func FuzzSMTPContent(f *testing.F) {
	f.Add("a\r\n.b\r\n.\r\n..\r\n.\n\n.\r\r\n", uint8(0))
	f.Add("\r", uint8(5))
	f.Fuzz(func(t *testing.T, content string, fill uint8) {
		// A buffer of the least size shows what a long line does.
		content = strings.Repeat("x", int(fill)%32) + content + "\r\n"
		stuffed := strings.ReplaceAll(content, "\r\n.", "\r\n..")
		if content[0] == '.' {
			stuffed = "." + stuffed
		}
		r := bufio.NewReaderSize(strings.NewReader(stuffed+".\r\nrest"), 16)
		var got strings.Builder
		require.NoError(t, readDotted(r, &got))
		require.Equal(t, content, got.String())
		rest, err := r.ReadString(0)
		require.Error(t, err)
		require.Equal(t, "rest", rest)
	})
}
