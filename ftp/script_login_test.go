package ftp_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/ftp"
	"github.com/hawser/hawser/internal/testserver"
)

// afterLogin are the steps of loginSteps that come after PASS.
func afterLogin() testserver.Steps { return loginSteps()[3:] }

// Every way in which servers let somebody in.
func TestRepliesThatLetIn(t *testing.T) {
	t.Parallel()
	user, pass := loginSteps()[1], loginSteps()[2]
	hello := testserver.Step{Reply: "220 hello"}
	wants := func(step testserver.Step, reply string) testserver.Step { step.Reply = reply; return step }
	account := testserver.Step{Want: "ACCT " + scriptAccount, Reply: "230 in"}
	for name, steps := range map[string]testserver.Steps{
		"120, and then 220":              {{Reply: "120 wait\n220 hello"}, user, pass},
		"120 of several lines, twice":    {{Reply: "120-wait\n120 a bit"}, {Reply: "120 more"}, {Reply: "220 hello"}, user, pass},
		"230 to USER":                    {hello, wants(user, "230 in")},
		"232 to USER":                    {hello, wants(user, "232 in by the certificate")},
		"202 to PASS":                    {hello, user, wants(pass, "202 not needed")},
		"332 to PASS":                    {hello, user, wants(pass, "332 account"), account},
		"332 to USER":                    {hello, wants(user, "332 account"), account},
		"a greeting of lines":            {{Reply: "220-hello\n220-to\n220 all"}, user, pass},
		"lines without the code":         {{Reply: "220-hello\n to\nall\n220 of you"}, user, pass},
		"lines with other codes":         {{Reply: "220-hello\n421 is not the end\n220-nor is\n 220 this\n220 of you"}, user, pass},
		"an empty line":                  {{Reply: "220-hello\n\n220 of you"}, user, pass},
		"a last line of the code alone":  {{Reply: "220-hello\n220"}, user, pass},
		"a reply of the code alone":      {{Reply: "220"}, user, pass},
		"a reply of the code and spaces": {{Reply: "220  "}, user, pass},
		"lines that end with LF alone":   {{Raw: "220-hello\n220 there\n"}, user, pass},
		"a long line":                    {{Reply: "220 " + strings.Repeat("x", 8000)}, user, pass},
		"many lines":                     {{Reply: "220-" + strings.Repeat("x\n", 5000) + "220 end"}, user, pass},
		"lines after the login":          {hello, user, wants(pass, "230-welcome\n530 is only a text\n230 in")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := testserver.FTPScript{Steps: slices.Concat(steps, afterLogin(), probeSteps())}.Start(t)
			c := scripted(t, f.Addr(), "")
			c.FTP.Account = hawser.NewSecret(scriptAccount)
			s := open(t, c)
			assertInStep(t, name, s)
			require.True(t, s.Reusable())
		})
	}
}

// refused opens a session that does not come about.
func refused(t *testing.T, c hawser.Connection, f *testserver.ScriptedFTP) (*hawser.Error, *overheard) {
	t.Helper()
	log := &overheard{}
	_, err := ftp.Dialer{}.Open(log.in(t.Context()), c)
	require.Error(t, err)
	var e *hawser.Error
	require.ErrorAs(t, err, &e)
	assertNoSecret(t, "error", err.Error())
	assertNoSecret(t, "wire log", log.String())
	require.NoError(t, f.Close())
	return e, log
}

// Every way in which they do not.
func TestRepliesThatKeepOut(t *testing.T) {
	t.Parallel()
	login := loginSteps()
	till := func(n int, reply string) testserver.Steps {
		steps := slices.Clone(login[:n+1])
		steps[n].Reply = reply
		return steps
	}
	long := "220 " + strings.Repeat("x", 9000)
	for _, row := range []struct {
		name   string
		steps  testserver.Steps
		phase  hawser.Phase
		is     error // nil: any
		text   string
		repeat bool // by hawser.Retryable
	}{
		{"421 as a greeting", testserver.Steps{{Reply: "421 too many users", Close: true}}, hawser.PhaseConnect, hawser.ErrLost, "too many users", true},
		{"421 of several lines", testserver.Steps{{Reply: "421-too many\n421 users", Close: true}}, hawser.PhaseConnect, hawser.ErrLost, "users", true},
		{"421 after 120", testserver.Steps{{Reply: "120 wait\n421 no", Close: true}}, hawser.PhaseConnect, hawser.ErrLost, "421 no", true},
		{"554 as a greeting", testserver.Steps{{Reply: "554 go away"}}, hawser.PhaseConnect, nil, "554 go away", false},
		{"331 as a greeting", testserver.Steps{{Reply: "331 what"}}, hawser.PhaseConnect, nil, "331 what", false},
		{"a greeting of another protocol", testserver.Steps{{Reply: "SSH-2.0-OpenSSH_9.2"}}, hawser.PhaseConnect, hawser.ErrLost, "SSH-2.0", false},
		{"a line without end", testserver.Steps{{Reply: long}}, hawser.PhaseConnect, hawser.ErrLost, "line of more than", false},
		{"a code below 100", testserver.Steps{{Reply: "020 hello"}}, hawser.PhaseConnect, hawser.ErrLost, "malformed", false},
		{"a code above 599", testserver.Steps{{Reply: "620 hello"}}, hawser.PhaseConnect, hawser.ErrLost, "malformed", false},
		{"a code of four digits", testserver.Steps{{Reply: "2200 hello"}}, hawser.PhaseConnect, hawser.ErrLost, "malformed", false},
		{"an empty line", testserver.Steps{{Raw: "\r\n220 hello\r\n"}}, hawser.PhaseConnect, hawser.ErrLost, "malformed", false},
		{"530 to USER", till(1, "530 no"), hawser.PhaseLogin, hawser.ErrAuth, "auth.user", false},
		{"530 to PASS", till(2, "530 no"), hawser.PhaseLogin, hawser.ErrAuth, "auth.password", false},
		{"550 to USER, as of servers that want TLS", till(1, "550 SSL required"), hawser.PhaseLogin, hawser.ErrAuth, "set tls.mode to explicit", false},
		{"331 to PASS", till(2, "331 again"), hawser.PhaseLogin, hawser.ErrAuth, "331 again", false},
		{"421 to PASS", till(2, "421 locked"), hawser.PhaseLogin, hawser.ErrLost, "421 locked", false},
		{"332 without an account", till(2, "332 account"), hawser.PhaseLogin, hawser.ErrAuth, "set ftp.account", false},
		{"an echo of the password", till(2, "530 no "+scriptPassword+" here"), hawser.PhaseLogin, hawser.ErrAuth, "no *** here", false},
		{"an echo in several lines", till(2, "530-no\n "+scriptPassword+"\n530 or "+scriptPassword), hawser.PhaseLogin, hawser.ErrAuth, "or ***", false},
		{"an echo in what is no reply", till(2, scriptPassword+" is wrong"), hawser.PhaseLogin, hawser.ErrLost, "***", false},
		{"an echo in a reply that hangs up", till(2, "421 "+scriptPassword+" is wrong"), hawser.PhaseLogin, hawser.ErrLost, "*** is wrong", false},
		{"TYPE I refused", till(4, "504 no"), hawser.PhaseLogin, nil, "TYPE: 504 no", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			f := testserver.FTPScript{Steps: row.steps}.Start(t)
			e, _ := refused(t, scripted(t, f.Addr(), ""), f)
			assert.Equal(t, row.phase, e.Phase)
			if row.is != nil {
				require.ErrorIs(t, e, row.is)
			}
			require.ErrorContains(t, e, row.text)
			assert.Equal(t, row.repeat, hawser.Retryable(e), "%v", e)
		})
	}
}

func TestAccountIsNotShown(t *testing.T) {
	t.Parallel()
	steps := slices.Clone(loginSteps()[:3])
	steps[2].Reply = "332 account"
	f := testserver.FTPScript{Steps: append(steps, testserver.Step{Want: "ACCT " + scriptAccount, Reply: "530 no " + scriptAccount})}.Start(t)
	c := scripted(t, f.Addr(), "")
	c.FTP.Account = hawser.NewSecret(scriptAccount)
	e, log := refused(t, c, f)
	require.ErrorIs(t, e, hawser.ErrAuth)
	assert.Contains(t, log.String(), "ACCT ***")
	assert.Contains(t, log.String(), "530 no ***")
}

// A password that could end the command is refused before it is sent.
func TestLoginIsOneLine(t *testing.T) {
	t.Parallel()
	for _, evil := range []string{"x\r\nDELE file", "x\nDELE file", "x\x00"} {
		for _, field := range []string{"user", "password"} {
			f := testserver.FTPScript{Steps: loginSteps()}.Start(lenient{t})
			c := scripted(t, f.Addr(), "")
			if field == "user" {
				c.Auth.User = evil
			} else {
				c.Auth.Password = hawser.NewSecret(evil)
			}
			_, err := ftp.Dialer{}.Open(t.Context(), c)
			require.ErrorIs(t, err, hawser.ErrInvalid)
			_ = f.Close()
			for _, line := range f.Commands() {
				assert.NotContains(t, line, "DELE")
				assert.NotContains(t, line, "x", field)
			}
		}
	}
}

// PBSZ says nothing that TLS needs, and not every server knows it.
func TestPBSZIsNotMissed(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	steps := secureSteps(hawser.TLSExplicit)
	at := slices.IndexFunc(steps, func(s testserver.Step) bool { return s.Want == "PBSZ 0" })
	steps[at].Reply = "500 what"
	f := testserver.FTPScript{Steps: append(steps, downloadExchange(hawser.Passive).steps...), Identity: b.id}.Start(t)
	assert.Equal(t, scriptContent, string(download(t, open(t, scripted(t, f.Addr(), b.ca)), "file")))
}

func TestTLSThatIsRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, reply := range []string{"500 what", "502 no", "504 no", "534 no", "431 not now", "331 password", "421 no"} {
		t.Run(reply, func(t *testing.T) {
			t.Parallel()
			f := testserver.FTPScript{Steps: testserver.Steps{{Reply: "220 hello"}, {Want: "AUTH TLS", Reply: reply}}}.Start(t)
			e, _ := refused(t, scripted(t, f.Addr(), b.ca), f)
			assert.Equal(t, hawser.PhaseTrust, e.Phase)
			require.ErrorContains(t, e, reply)
			assert.Equal(t, []string{"AUTH TLS"}, f.Commands(), "nothing is said in the clear instead")
		})
	}
	t.Run("more behind the consent", func(t *testing.T) {
		t.Parallel()
		f := testserver.FTPScript{Steps: testserver.Steps{{Reply: "220 hello"}, {Want: "AUTH TLS", Raw: "234 go\r\n230 you are in\r\n"}}}.Start(t)
		e, _ := refused(t, scripted(t, f.Addr(), b.ca), f)
		require.ErrorIs(t, e, hawser.ErrUntrusted)
		assert.False(t, hawser.Retryable(e))
		assert.Equal(t, []string{"AUTH TLS"}, f.Commands())
	})
	for _, row := range []struct {
		name, want, reply string
		is                error
	}{
		{"PROT P", "PROT P", "536 no", nil},
		{"PROT P by 534", "PROT P", "534 no", nil},
		{"PROT P by 421", "PROT P", "421 no", hawser.ErrLost},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			steps := secureSteps(hawser.TLSExplicit)
			at := slices.IndexFunc(steps, func(s testserver.Step) bool { return s.Want == row.want })
			steps = steps[:at+1]
			steps[at].Reply = row.reply
			f := testserver.FTPScript{Steps: steps, Identity: b.id}.Start(t)
			e, _ := refused(t, scripted(t, f.Addr(), b.ca), f)
			require.ErrorContains(t, e, row.reply)
			if row.is != nil {
				require.ErrorIs(t, e, row.is)
			}
			assert.NotContains(t, f.Commands(), "PROT C")
		})
	}
}
