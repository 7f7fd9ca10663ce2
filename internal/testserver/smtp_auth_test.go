package testserver

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"net"
	netsmtp "net/smtp"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	emersion "github.com/emersion/go-smtp"
	"github.com/stretchr/testify/require"
	gomail "github.com/wneessen/go-mail/smtp"

	"github.com/hawser/hawser/internal/testcert"
)

// annOnly knows one user.
func annOnly() SMTPConfig {
	return SMTPConfig{
		Users: map[string]string{"ann": "sec ret"}, Tokens: map[string]string{"ann": "token"}, RequireLogin: true,
		Mechanisms: []string{
			"PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256", "XOAUTH2", "OAUTHBEARER", "ANONYMOUS",
		},
	}
}

// loginBy are clients of others that log in, to 127.0.0.1.
func loginBy() map[string]func(c net.Conn, user, secret string) error {
	mail := func(auth func(user, secret string) gomail.Auth) func(c net.Conn, user, secret string) error {
		return func(c net.Conn, user, secret string) error {
			client, err := gomail.NewClient(c, "127.0.0.1")
			if err != nil {
				return err
			}
			return client.Auth(auth(user, secret))
		}
	}
	emersion := func(auth func(user, secret string) sasl.Client) func(c net.Conn, user, secret string) error {
		return func(c net.Conn, user, secret string) error {
			return emersion.NewClient(c).Auth(auth(user, secret))
		}
	}
	return map[string]func(c net.Conn, user, secret string) error{
		"PLAIN": mail(func(u, s string) gomail.Auth { return gomail.PlainAuth("", u, s, "127.0.0.1", true) }),
		"PLAIN of go-smtp": emersion(func(u, s string) sasl.Client {
			return sasl.NewPlainClient("", u, s)
		}),
		"LOGIN": mail(func(u, s string) gomail.Auth { return gomail.LoginAuth(u, s, "127.0.0.1", true) }),
		"LOGIN of go-smtp": emersion(func(u, s string) sasl.Client {
			return sasl.NewLoginClient(u, s)
		}),
		"CRAM-MD5": mail(gomail.CRAMMD5Auth),
		"CRAM-MD5 of net/smtp": func(c net.Conn, user, secret string) error {
			client, err := netsmtp.NewClient(c, "127.0.0.1")
			if err != nil {
				return err
			}
			return client.Auth(netsmtp.CRAMMD5Auth(user, secret))
		},
		"SCRAM-SHA-1":   mail(gomail.ScramSHA1Auth),
		"SCRAM-SHA-256": mail(gomail.ScramSHA256Auth),
		"XOAUTH2":       mail(gomail.XOAuth2Auth),
		"OAUTHBEARER": emersion(func(u, s string) sasl.Client {
			return sasl.NewOAuthBearerClient(&sasl.OAuthBearerOptions{Username: u, Token: s, Host: "127.0.0.1", Port: 25})
		}),
	}
}

func TestSMTPLogsClientsIn(t *testing.T) {
	t.Parallel()
	s := startSMTP(t, annOnly())
	for name, login := range loginBy() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			right, refusal := "sec ret", "535"
			if strings.Contains(name, "OAUTH") {
				right = "token"
			}
			if name == "OAUTHBEARER" {
				refusal = "invalid_token" // This client does not wait for the 535.
			}
			try := func(user, secret string) error {
				c := connect(t, s.Addr())
				require.NoError(t, c.SetDeadline(time.Now().Add(20*time.Second)))
				return login(c, user, secret)
			}
			require.NoError(t, try("ann", right))
			require.ErrorContains(t, try("ann", right+"x"), refusal)
			require.ErrorContains(t, try("ben", right), refusal)
			require.Error(t, try("ben", ""))
		})
	}
}

func TestSMTPWantsALogin(t *testing.T) {
	t.Parallel()
	s := startSMTP(t, annOnly())
	d, offers := mailTo(t, s)
	require.Contains(t, offers, "AUTH PLAIN LOGIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256 XOAUTH2 OAUTHBEARER ANONYMOUS")
	require.True(t, strings.HasPrefix(d.say("MAIL FROM:<a@example.com>", 530), "5.7.0 "))
	d.say("AUTH PLAIN "+base64.StdEncoding.EncodeToString([]byte("\x00ann\x00sec ret")), 235)
	d.send("a@example.com", []string{"b@example.com"}, "x\r\n")
	require.Equal(t, "ann", s.Mails()[0].User)
	require.Contains(t, s.Commands(), "AUTH PLAIN AGFubgBzZWMgcmV0")
}

func TestSMTPOffersWhatItCanCheck(t *testing.T) {
	t.Parallel()
	users, tokens := map[string]string{"ann": "x"}, map[string]string{"ann": "x"}
	for want, cfg := range map[string]SMTPConfig{
		"AUTH PLAIN LOGIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256":                     {Users: users},
		"AUTH XOAUTH2 OAUTHBEARER":                                                {Tokens: tokens},
		"AUTH PLAIN LOGIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256 XOAUTH2 OAUTHBEARER": {Users: users, Tokens: tokens},
		"AUTH LOGIN": {Mechanisms: []string{"LOGIN"}},
	} {
		_, offers := mailTo(t, startSMTP(t, cfg))
		require.Contains(t, offers, want)
	}
	_, offers := mailTo(t, startSMTP(t, SMTPConfig{}))
	require.False(t, offered(offers, "AUTH"))
}

func TestSMTPLetsAnybodyInWhoNeedNotLogIn(t *testing.T) {
	t.Parallel()
	mechanisms := []string{"PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2", "OAUTHBEARER"}
	s := startSMTP(t, SMTPConfig{Mechanisms: mechanisms})
	for _, name := range mechanisms {
		require.NoError(t, loginBy()[name](connect(t, s.Addr()), "anybody", "anything"), name)
	}
}

func TestSMTPSaysTheWordsOfEachExchange(t *testing.T) {
	t.Parallel()
	encode := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	const oauth = "n,a=ann,\x01host=x\x01port=1\x01auth=Bearer "
	s := startSMTP(t, annOnly())
	for name, row := range map[string]struct {
		says []string // a line, and the reply to it
		user string
	}{
		"PLAIN in two steps":           {[]string{"AUTH PLAIN", "334 ", encode("\x00ann\x00sec ret"), "235 2.7.0 welcome"}, "ann"},
		"PLAIN for oneself":            {[]string{"auth plain " + encode("ann\x00ann\x00sec ret"), "235 2.7.0 welcome"}, "ann"},
		"PLAIN for another":            {[]string{"AUTH PLAIN " + encode("ben\x00ann\x00sec ret"), "535 5.7.8 wrong user or password"}, ""},
		"PLAIN of two fields":          {[]string{"AUTH PLAIN " + encode("ann\x00sec ret"), "535 5.7.8 wrong user or password"}, ""},
		"PLAIN with nothing":           {[]string{"AUTH PLAIN =", "535 5.7.8 wrong user or password"}, ""},
		"PLAIN that is no base64":      {[]string{"AUTH PLAIN !", "501 5.5.2 that is not base64"}, ""},
		"PLAIN that is given up":       {[]string{"AUTH PLAIN", "334 ", "*", "501 5.7.0 so be it"}, ""},
		"LOGIN":                        {[]string{"AUTH LOGIN", "334 " + encode("Username:"), encode("ann"), "334 " + encode("Password:"), encode("sec ret"), "235 2.7.0 welcome"}, "ann"},
		"LOGIN with the user at once":  {[]string{"AUTH LOGIN " + encode("ann"), "334 " + encode("Password:"), encode("sec ret"), "235 2.7.0 welcome"}, "ann"},
		"CRAM-MD5 that speaks first":   {[]string{"AUTH CRAM-MD5 " + encode("ann x"), "501 5.7.0 the mechanism wants no initial response"}, ""},
		"SCRAM that wants binding":     {[]string{"AUTH SCRAM-SHA-256 " + encode("p=tls-unique,,n=ann,r=x"), "535 5.7.8 wrong user or password"}, ""},
		"XOAUTH2":                      {[]string{"AUTH XOAUTH2 " + encode("user=ann\x01auth=Bearer token\x01\x01"), "235 2.7.0 welcome"}, "ann"},
		"XOAUTH2 that is refused":      {[]string{"AUTH XOAUTH2 " + encode("user=ann\x01auth=Bearer no\x01\x01"), "334 " + encode(`{"status":"401","schemes":"bearer","scope":"mail"}`), "", "535 5.7.8 wrong user or password"}, ""},
		"XOAUTH2 without its end":      {[]string{"AUTH XOAUTH2 " + encode("user=ann\x01auth=Bearer token"), "334 " + encode(`{"status":"401","schemes":"bearer","scope":"mail"}`), "", "535 5.7.8 wrong user or password"}, ""},
		"OAUTHBEARER":                  {[]string{"AUTH OAUTHBEARER " + encode(oauth+"token\x01\x01"), "235 2.7.0 welcome"}, "ann"},
		"OAUTHBEARER without a user":   {[]string{"AUTH OAUTHBEARER " + encode("n,,\x01auth=Bearer token\x01\x01"), "235 2.7.0 welcome"}, "ann"},
		"OAUTHBEARER that is refused":  {[]string{"AUTH OAUTHBEARER " + encode(oauth+"no\x01\x01"), "334 " + encode(`{"status":"invalid_token","schemes":"bearer","scope":"mail"}`), "AQ==", "535 5.7.8 wrong user or password"}, ""},
		"OAUTHBEARER without an end":   {[]string{"AUTH OAUTHBEARER " + encode(oauth+"token\x01"), "334 " + encode(`{"status":"invalid_token","schemes":"bearer","scope":"mail"}`), "AQ==", "535 5.7.8 wrong user or password"}, ""},
		"OAUTHBEARER of XOAUTH2":       {[]string{"AUTH OAUTHBEARER " + encode("user=ann\x01auth=Bearer token\x01\x01"), "334 " + encode(`{"status":"invalid_token","schemes":"bearer","scope":"mail"}`), "AQ==", "535 5.7.8 wrong user or password"}, ""},
		"ANONYMOUS":                    {[]string{"AUTH ANONYMOUS", "334 ", encode("me@example.com"), "235 2.7.0 welcome"}, "anonymous"},
		"EXTERNAL that is not offered": {[]string{"AUTH EXTERNAL =", "504 5.5.4 that mechanism is not offered"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, _ := mailTo(t, s)
			for i := 0; i < len(row.says); i += 2 {
				require.NoError(t, d.text.PrintfLine("%s", row.says[i]))
				line, err := d.text.ReadLine()
				require.NoError(t, err)
				require.Equal(t, row.says[i+1], line)
			}
			if row.user == "" {
				d.say("MAIL FROM:<a@example.com>", 530)
				return
			}
			d.say("MAIL FROM:<a@example.com>", 250)
			d.say("RCPT TO:<b@example.com>", 250)
			d.write("BDAT 0 LAST\r\n")
			id := strings.TrimPrefix(d.answer(250), "2.0.0 Ok: queued as ")
			for _, m := range s.Mails() {
				if m.ID == id {
					require.Equal(t, row.user, m.User)
				}
			}
		})
	}
}

func TestSMTPLetsAHookRefuseALogin(t *testing.T) {
	t.Parallel()
	cfg := annOnly()
	cfg.Reply = func(command, reply string) string {
		switch {
		case strings.HasPrefix(command, "AUTH PLAIN") && strings.HasPrefix(reply, "235"):
			return "454 4.7.0 later"
		case strings.HasPrefix(command, "AUTH LOGIN") && strings.HasPrefix(reply, "334"):
			return "421 4.7.0 go"
		}
		return reply
	}
	d, _ := mailTo(t, startSMTP(t, cfg))
	d.say("AUTH PLAIN AGFubgBzZWMgcmV0", 454)
	d.say("MAIL FROM:<a@example.com>", 530)
	d.say("AUTH LOGIN", 421)
	d.hungUp()
}

func TestSMTPTakesAClientCertificateForAPassword(t *testing.T) {
	t.Parallel()
	root := testcert.Root(t)
	client := testcert.Server(t, root, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} })
	s := startSMTP(t, SMTPConfig{
		TLS: SMTPExplicit, Mechanisms: []string{"EXTERNAL"}, RequireLogin: true, Users: map[string]string{},
		TLSConfig: func(c *tls.Config) {
			c.ClientCAs, c.ClientAuth = testcert.Pool(root), tls.VerifyClientCertIfGiven
		},
	})
	for _, row := range []struct {
		shows bool
		says  string
		code  int
		user  string
	}{
		{true, "AUTH EXTERNAL =", 235, client.Cert.Subject.CommonName},
		{true, "AUTH EXTERNAL YW5u", 235, "ann"},
		{false, "AUTH EXTERNAL YW5u", 535, ""},
	} {
		config := trusting(t, s.CA())
		if row.shows {
			config.Certificates = []tls.Certificate{client.TLS()}
		}
		d := mailDialogue{converse(t, s.Addr(), config, false)}
		d.ehlo()
		d.say("AUTH EXTERNAL YW5u", 535)
		d.startTLS()
		d.ehlo()
		d.say(row.says, row.code)
		if row.user == "" {
			d.say("MAIL FROM:<a@example.com>", 530)
			continue
		}
		d.send("a@example.com", []string{"b@example.com"}, "x\r\n")
		mails := s.Mails()
		require.Equal(t, row.user, mails[len(mails)-1].User)
	}
}

func FuzzSMTPBearer(f *testing.F) {
	f.Add("a,b=c", "token", "n,a=ann,\x01auth=Bearer token\x01\x01")
	f.Fuzz(func(t *testing.T, user, token, text string) {
		if _, got, ok := parseOAuthBearer(text); ok {
			require.Contains(t, text, "\x01auth=Bearer "+got+"\x01")
			require.NotEmpty(t, got)
		}
		if strings.Contains(user+token, "\x01") || token == "" {
			return
		}
		name := ""
		if user != "" {
			name = "a=" + strings.NewReplacer(",", "=2C", "=", "=3D").Replace(user)
		}
		gotUser, gotToken, ok := parseOAuthBearer("n," + name + ",\x01port=25\x01auth=Bearer " + token + "\x01\x01")
		require.Equal(t, []any{user, token, true}, []any{gotUser, gotToken, ok})
	})
}
