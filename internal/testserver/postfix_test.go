package testserver

import (
	"crypto/tls"
	"encoding/base64"
	"errors"
	"io"
	"net/smtp"
	"net/textproto"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/xdg-go/scram"
)

// startTLS changes to TLS and says EHLO again.
func (d *dialogue) startTLS(s *SMTPServer) string {
	d.t.Helper()
	d.say("STARTTLS", 220)
	conn := tls.Client(d.conn, trusting(d.t, s.CA))
	require.NoError(d.t, conn.Handshake())
	d.conn = conn
	d.text = textproto.NewConn(conn)
	return d.say("EHLO client.example", 250)
}

func TestPostfixSpeaksTLS(t *testing.T) {
	t.Parallel()
	t.Run("none", func(t *testing.T) {
		t.Parallel()
		s := Postfix(t, SMTPServerConfig{})
		d := converse(t, s.Addr(), nil, false)
		require.NotContains(t, d.say("EHLO client.example", 250), "STARTTLS")
		require.Nil(t, s.Identity)
	})
	t.Run("explicit", func(t *testing.T) {
		t.Parallel()
		s := Postfix(t, SMTPServerConfig{TLS: SMTPExplicit})
		d := greet(t, s)
		d.say("MAIL FROM:<>", 250)
		d.say("RSET", 250)
		require.NotContains(t, d.startTLS(s), "STARTTLS")
		d.post("b@" + s.Domain)
		require.Contains(t, string(s.Await(t, 1)[0].Data), "with ESMTPS id")
	})
	t.Run("explicit, required", func(t *testing.T) {
		t.Parallel()
		s := Postfix(t, SMTPServerConfig{TLS: SMTPExplicit, Require: true, Login: true})
		d := converse(t, s.Addr(), nil, false)
		require.NotContains(t, d.say("EHLO client.example", 250), "AUTH")
		d.say("MAIL FROM:<>", 530)
		d.say("AUTH PLAIN AGEAYg==", 530)
		require.Contains(t, d.startTLS(s), "AUTH")
		d.say("MAIL FROM:<>", 250)
	})
	t.Run("implicit", func(t *testing.T) {
		t.Parallel()
		id, err := NewIdentity()
		require.NoError(t, err)
		s := Postfix(t, SMTPServerConfig{TLS: SMTPImplicit, Identity: id})
		require.Same(t, id, s.Identity)
		d := converse(t, s.Addr(), trusting(t, s.CA), true)
		require.NotContains(t, d.say("EHLO client.example", 250), "STARTTLS")
		d.post("b@" + s.Domain)
		s.Await(t, 1)
	})
}

// mechanism is a client of SASL.
type mechanism struct {
	name  string
	first []byte
	next  func(challenge []byte) ([]byte, error)
}

func (m mechanism) Start(*smtp.ServerInfo) (string, []byte, error) { return m.name, m.first, nil }

func (m mechanism) Next(challenge []byte, more bool) ([]byte, error) {
	if !more {
		return nil, nil
	}
	return m.next(challenge)
}

func loginOf(user, password string) smtp.Auth {
	answers := map[string]string{"Username:": user, "Password:": password}
	return mechanism{name: "LOGIN", next: func(challenge []byte) ([]byte, error) {
		answer, ok := answers[string(challenge)]
		if !ok {
			return nil, errors.New("asked " + string(challenge))
		}
		return []byte(answer), nil
	}}
}

func scramOf(t *testing.T, name string, hash scram.HashGeneratorFcn, user, password string) smtp.Auth {
	t.Helper()
	client, err := hash.NewClient(user, password, "")
	require.NoError(t, err)
	talk := client.NewConversation()
	first, err := talk.Step("")
	require.NoError(t, err)
	return mechanism{name: name, first: []byte(first), next: func(challenge []byte) ([]byte, error) {
		answer, err := talk.Step(string(challenge))
		return []byte(answer), err
	}}
}

func TestPostfixLogsIn(t *testing.T) {
	t.Parallel()
	s := Postfix(t, SMTPServerConfig{Login: true})
	for name, auth := range map[string]func(t *testing.T, password string) smtp.Auth{
		"PLAIN":    func(_ *testing.T, password string) smtp.Auth { return smtp.PlainAuth("", s.User, password, s.Host) },
		"LOGIN":    func(_ *testing.T, password string) smtp.Auth { return loginOf(s.User, password) },
		"CRAM-MD5": func(_ *testing.T, password string) smtp.Auth { return smtp.CRAMMD5Auth(s.User, password) },
		"SCRAM-SHA-1": func(t *testing.T, password string) smtp.Auth {
			return scramOf(t, "SCRAM-SHA-1", scram.SHA1, s.User, password)
		},
		"SCRAM-SHA-256": func(t *testing.T, password string) smtp.Auth {
			return scramOf(t, "SCRAM-SHA-256", scram.SHA256, s.User, password)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			to := strings.ToLower(name) + "@" + s.Domain
			send := func(auth smtp.Auth) error {
				return smtp.SendMail(s.Addr(), auth, "a@outside.example", []string{to}, []byte(letter))
			}
			require.ErrorContains(t, send(auth(t, "guess")), "535 ")
			require.NoError(t, send(auth(t, s.Password)))
		})
	}
}

func TestPostfixWantsALogin(t *testing.T) {
	t.Parallel()
	s := Postfix(t, SMTPServerConfig{Login: true, Mechanisms: []string{"PLAIN", "SCRAM-SHA-256"}})
	d := converse(t, s.Addr(), nil, false)
	var offered string
	for _, line := range strings.Split(d.say("EHLO client.example", 250), "\n") {
		if rest, ok := strings.CutPrefix(line, "AUTH "); ok {
			offered = rest
		}
	}
	require.ElementsMatch(t, []string{"PLAIN", "SCRAM-SHA-256"}, strings.Fields(offered))
	d.say("MAIL FROM:<a@outside.example>", 250)
	d.say("RCPT TO:<b@"+s.Domain+">", 554)
	d.say("RSET", 250)
	secret := "\x00" + s.User + "\x00" + s.Password
	d.say("AUTH PLAIN "+base64.StdEncoding.EncodeToString([]byte(secret)), 235)
	d.say("MAIL FROM:<a@outside.example>", 250)
	d.say("RCPT TO:<b@outside.example>", 554)
	d.say("RCPT TO:<"+s.Refused+">", 550)
	d.say("RCPT TO:<b@"+s.Domain+">", 250)
}

func TestPostfixLeavesOutKeywords(t *testing.T) {
	t.Parallel()
	keywords := []string{"PIPELINING", "SIZE 10240000", "8BITMIME", "DSN", "SMTPUTF8", "CHUNKING", "ENHANCEDSTATUSCODES"}
	all := Postfix(t, SMTPServerConfig{})
	require.Subset(t, strings.Split(converse(t, all.Addr(), nil, false).say("EHLO client.example", 250), "\n"), keywords)
	few := Postfix(t, SMTPServerConfig{Without: []string{"PIPELINING", "CHUNKING", "SIZE"}})
	offered := converse(t, few.Addr(), nil, false).say("EHLO client.example", 250)
	for _, keyword := range []string{"PIPELINING", "CHUNKING", "SIZE"} {
		require.NotContains(t, offered, keyword)
	}
	require.Contains(t, offered, "DSN")
}

func TestPostfixHandsOnChunksAndUTF8(t *testing.T) {
	t.Parallel()
	s := Postfix(t, SMTPServerConfig{})
	d := greet(t, s)
	message := "Subject: grüße\r\n\r\n.\r\nü\r\n"
	_, err := io.WriteString(d.conn, "MAIL FROM:<ä@outside.example> SMTPUTF8\r\nRCPT TO:<ö@"+s.Domain+">\r\n"+
		"BDAT 11\r\n"+message[:11]+"BDAT 16 LAST\r\n"+message[11:])
	require.NoError(t, err)
	for range 4 {
		d.answer(250)
	}
	got := s.Await(t, 1)[0]
	require.Equal(t, "ä@outside.example", got.From)
	require.Equal(t, []string{"ö@" + s.Domain}, got.To)
	require.True(t, strings.HasSuffix(string(got.Data), "\r\n"+message), "%q", got.Data)
}
