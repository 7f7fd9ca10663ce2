package testserver

import (
	"net"
	"net/smtp"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/emersion/go-sasl"
	emersion "github.com/emersion/go-smtp"
	"github.com/stretchr/testify/require"
)

// sample is a message with what transport must not change.
const sample = "From: a@example.com\r\nSubject: x\r\n\r\n.\r\n..two\r\nhello \r\n\r\n.\r\nend\r\n"

func TestSMTPServesNetSMTP(t *testing.T) {
	t.Parallel()
	s := startSMTP(t, SMTPConfig{TLS: SMTPExplicit, Users: map[string]string{"ann": "secret"}, RequireLogin: true})
	c, err := smtp.Dial(s.Addr())
	require.NoError(t, err)
	config := trusting(t, s.CA())
	require.NoError(t, c.StartTLS(config))
	require.NoError(t, c.Auth(smtp.PlainAuth("", "ann", "secret", "127.0.0.1")))
	require.NoError(t, c.Mail("a@example.com"))
	require.NoError(t, c.Rcpt("b@example.com"))
	w, err := c.Data()
	require.NoError(t, err)
	_, err = w.Write([]byte(sample))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.NoError(t, c.Quit())
	require.Equal(t, sample, string(s.Mails()[0].Data))
	require.Equal(t, "MAIL FROM:<a@example.com> BODY=8BITMIME SMTPUTF8", s.Mails()[0].MailLine)
	require.Equal(t, "ann", s.Mails()[0].User)
}

func TestSMTPServesGoSMTP(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"", SMTPExplicit, SMTPImplicit} {
		s := startSMTP(t, SMTPConfig{TLS: mode, Users: map[string]string{"ann": "secret"}})
		var c *emersion.Client
		var err error
		switch mode {
		case SMTPExplicit:
			c, err = emersion.DialStartTLS(s.Addr(), trusting(t, s.CA()))
		case SMTPImplicit:
			c, err = emersion.DialTLS(s.Addr(), trusting(t, s.CA()))
		default:
			c, err = emersion.Dial(s.Addr())
		}
		require.NoError(t, err)
		require.NoError(t, c.Auth(sasl.NewPlainClient("", "ann", "secret")))
		require.NoError(t, c.Mail("a@example.com", &emersion.MailOptions{
			Size: int64(len(sample)), UTF8: true, Return: emersion.DSNReturnHeaders, EnvelopeID: "id + 1",
		}))
		require.NoError(t, c.Rcpt("b@example.com", &emersion.RcptOptions{
			Notify: []emersion.DSNNotify{emersion.DSNNotifyNever}, OriginalRecipient: "c@example.com",
			OriginalRecipientType: emersion.DSNAddressTypeRFC822,
		}))
		w, err := c.Data()
		require.NoError(t, err)
		_, err = w.Write([]byte(sample))
		require.NoError(t, err)
		response, err := w.CloseWithResponse()
		require.NoError(t, err)
		require.Contains(t, response.StatusText, "queued as "+s.Mails()[0].ID)
		require.NoError(t, c.Quit())
		require.Equal(t, sample, string(s.Mails()[0].Data))
		require.Equal(t, []string{
			"RCPT TO:<b@example.com> NOTIFY=NEVER ORCPT=RFC822;c@example.com",
		}, s.Mails()[0].RcptLines)
		require.Contains(t, s.Mails()[0].MailLine, " RET=HDRS ENVID=id+20+2B+201")
	}
}

func TestSMTPServesCurl(t *testing.T) {
	t.Parallel()
	for scheme, mode := range map[string]string{"smtp": SMTPExplicit, "smtps": SMTPImplicit} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			s := startSMTP(t, SMTPConfig{
				TLS: mode, Users: map[string]string{"ann": "secret"}, RequireLogin: true,
				Refuse: map[string]string{"no@example.com": "550 5.1.1 no such user"},
			})
			file := filepath.Join(t.TempDir(), "message")
			require.NoError(t, os.WriteFile(file, []byte(sample), 0o600))
			_, port, err := net.SplitHostPort(s.Addr())
			require.NoError(t, err)
			_, status := run(t, "curl", "-sS", "--ssl-reqd", "--cacert", s.CA(), "--user", "ann:secret",
				"--mail-from", "a@example.com", "--mail-rcpt", "b@example.com", "--mail-rcpt", "no@example.com",
				"--mail-rcpt-allowfails", "--upload-file", file, scheme+"://localhost:"+port+"/client.example")
			require.Zero(t, status)
			require.Equal(t, []string{"b@example.com"}, s.Mails()[0].To)
			require.Equal(t, sample, string(s.Mails()[0].Data))
			require.True(t, strings.HasPrefix(s.Mails()[0].MailLine, "MAIL FROM:<a@example.com>"))
		})
	}
}
