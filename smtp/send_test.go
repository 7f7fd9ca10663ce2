package smtp_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/wneessen/go-mail"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/smtp"
)

// A counter is a Transport that counts how often what was sent is waited for.
type counter struct{ turns atomic.Int64 }

func (c *counter) DialNet(ctx context.Context, to hawser.Connection, network, addr string) (net.Conn, error) {
	conn, err := hawser.Direct{}.DialNet(ctx, to, network, addr)
	return &counted{Conn: conn, c: c}, err
}

type counted struct {
	net.Conn
	c     *counter
	wrote atomic.Bool
}

func (c *counted) Write(p []byte) (int, error) {
	c.wrote.Store(true)
	return c.Conn.Write(p)
}

func (c *counted) Read(p []byte) (int, error) {
	if c.wrote.Swap(false) {
		c.c.turns.Add(1)
	}
	return c.Conn.Read(p)
}

func TestRoundTrips(t *testing.T) {
	t.Parallel()
	everybody := to("a@example.com", "b@example.com", "c@example.com")
	all := everybody
	all.AllOrNone = true
	for _, row := range []struct {
		name    string
		without []string
		env     hawser.Envelope
		want    int64
	}{
		{"one with CHUNKING", nil, to("a@example.com"), 1},
		{"one with CHUNKING for three recipients", nil, everybody, 1},
		{"two with CHUNKING for all or none", nil, all, 2},
		{"two with PIPELINING", []string{"CHUNKING"}, everybody, 2},
		{"three with PIPELINING for all or none", []string{"CHUNKING"}, all, 3},
		{"four without both", []string{"CHUNKING", "PIPELINING"}, to("a@example.com"), 4},
		{"six without both for three recipients", []string{"CHUNKING", "PIPELINING"}, everybody, 6},
		{"three with CHUNKING alone", []string{"PIPELINING"}, to("a@example.com"), 3},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			c, s := startInProcess(t, testserver.SMTPConfig{Without: row.without})
			count := &counter{}
			session, err := smtp.Dialer{Transport: count}.Open(t.Context(), c)
			require.NoError(t, err)
			defer session.Close()
			for range 3 {
				before := count.turns.Load()
				_, err = session.Send(t.Context(), row.env, letter("x", 5000))
				require.NoError(t, err)
				assert.Equal(t, row.want, count.turns.Load()-before)
			}
			assert.Len(t, s.Mails(), 3)
		})
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, verb, reply string
		temporary         bool
		is                error
		want              string
	}{
		{"the sender", "MAIL", "550 5.7.1 not you", false, nil, "MAIL: 550 5.7.1 not you"},
		{"the sender for now", "MAIL", "451 4.7.1 greylisted", true, nil, "MAIL: 451 4.7.1 greylisted"},
		{"all recipients for now", "RCPT", "450 4.2.0 greylisted", true, nil, "nobody of the recipients is accepted: a@example.com: RCPT: 450 4.2.0 greylisted; b@example.com: RCPT"},
		{"the message", "BDAT", "554-5.7.1 spam\n554 5.7.1 at least it looks so", false, nil, "message: 554 5.7.1 spam at least it looks so"},
		{"the message for now", "BDAT", "451 4.3.0 queue file write error", true, nil, "message: 451 4.3.0 queue file write error"},
		{"the size", "BDAT", "552 5.3.4 too big", false, smtp.ErrTooLarge, "message: 552 5.3.4 too big"},
		{"a parameter", "MAIL", "555 5.5.4 unsupported option", false, errors.ErrUnsupported, "MAIL: 555"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			c, s := startInProcess(t, testserver.SMTPConfig{Reply: func(command, reply string) string {
				if strings.HasPrefix(command, row.verb) {
					return row.reply
				}
				return reply
			}})
			session := open(t, c)
			_, err := session.Send(t.Context(), to("a@example.com", "b@example.com"), letter("x", 100))
			require.ErrorContains(t, err, row.want)
			require.NotErrorIs(t, err, hawser.ErrMaybeSent)
			assert.Equal(t, row.temporary, hawser.Retryable(err))
			if row.is != nil {
				require.ErrorIs(t, err, row.is)
			}
			var reply *smtp.Error
			require.ErrorAs(t, err, &reply)
			assert.Equal(t, row.temporary, reply.Temporary())
			assert.Empty(t, s.Mails())
			assert.True(t, session.Reusable())
			require.NoError(t, session.Ping(t.Context()))
		})
	}
}

func TestNotifications(t *testing.T) {
	t.Parallel()
	env := to("a@example.com")
	env.Notify, env.Return, env.ID = []string{"SUCCESS", "DELAY"}, "HDRS", "run 4711+a=b"
	for _, row := range []struct {
		without    []string
		mail, rcpt string
	}{
		{nil, " RET=HDRS ENVID=run+204711+2Ba+3Db", " NOTIFY=SUCCESS,DELAY"},
		{[]string{"DSN"}, "", ""},
	} {
		c, s := startInProcess(t, testserver.SMTPConfig{Without: append(row.without, "SIZE", "8BITMIME")})
		_, err := open(t, c).Send(t.Context(), env, letter("x", 100))
		require.NoError(t, err)
		require.Len(t, s.Mails(), 1)
		assert.Equal(t, "MAIL FROM:<jobs@example.com>"+row.mail, s.Mails()[0].MailLine)
		assert.Equal(t, []string{"RCPT TO:<a@example.com>" + row.rcpt}, s.Mails()[0].RcptLines)
	}
}

func TestInternationalMail(t *testing.T) {
	t.Parallel()
	header := strings.NewReader("Subject: Gr\u00fc\u00dfe\r\n\r\nx\r\n")
	for _, row := range []struct {
		name    string
		without []string
		to      string
		message io.WriterTo
		params  string
		path    string
		want    string // in an error; "": none
	}{
		{"a domain is written as DNS knows it", []string{"SMTPUTF8"}, "a@b\u00fccher.example", letter("x", 10), "", "a@xn--bcher-kva.example", ""},
		{"a local part needs SMTPUTF8", nil, "gr\u00fc\u00dfe@b\u00fccher.example", letter("x", 10), " SMTPUTF8", "gr\u00fc\u00dfe@b\u00fccher.example", ""},
		{"and is refused without it", []string{"SMTPUTF8"}, "gr\u00fc\u00dfe@example.com", letter("x", 10), "", "", `the address "grüße@example.com" needs SMTPUTF8`},
		{"a header needs SMTPUTF8", nil, "a@example.com", header, " SMTPUTF8", "a@example.com", ""},
		{"and is refused without it, too", []string{"SMTPUTF8"}, "a@example.com", strings.NewReader("Subject: \u00fc\r\n\r\n"), "", "", "encode its fields (RFC 2047)"},
		{"a text needs 8BITMIME", nil, "a@example.com", strings.NewReader("A: b\r\n\r\n\u00fc"), " BODY=8BITMIME", "a@example.com", ""},
		{"and is refused without it, as well", []string{"8BITMIME"}, "a@example.com", strings.NewReader("A: b\r\n\r\n\u00fc"), "", "", "quoted-printable or base64"},
		{"also where it is long", []string{"8BITMIME"}, "a@example.com", strings.NewReader("A: b\r\n\r\n" + strings.Repeat("x\r\n", 1<<18) + "\u00fc"), "", "", "quoted-printable or base64"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			c, s := startInProcess(t, testserver.SMTPConfig{Without: row.without})
			session := open(t, c)
			_, err := session.Send(t.Context(), to(row.to), row.message)
			if row.want != "" {
				require.ErrorIs(t, err, errors.ErrUnsupported)
				require.ErrorContains(t, err, row.want)
				assert.Empty(t, s.Mails())
				_, err = session.Send(t.Context(), to("a@example.com"), letter("x", 10))
				require.NoError(t, err)
				return
			}
			require.NoError(t, err)
			require.Len(t, s.Mails(), 1)
			assert.Equal(t, []string{row.path}, s.Mails()[0].To)
			assert.Contains(t, s.Mails()[0].MailLine, row.params)
			assert.Equal(t, row.params == " SMTPUTF8", strings.Contains(s.Mails()[0].MailLine, "SMTPUTF8"))
		})
	}
}

// Any io.WriterTo of a message can be sent, that of go-mail among them.
func TestGoMail(t *testing.T) {
	t.Parallel()
	c, s := startInProcess(t, testserver.SMTPConfig{})
	m := mail.NewMsg()
	require.NoError(t, m.FromFormat("Jobs", "jobs@example.com"))
	require.NoError(t, m.To("a@example.com"))
	m.Subject("by go-mail")
	m.SetBodyString(mail.TypeTextPlain, ".\nGr\u00fc\u00dfe\n")
	m.AttachReadSeeker("data.bin", strings.NewReader(strings.Repeat("\x00\xff.", 100_000)))
	receipt, err := open(t, c).Send(t.Context(), to("a@example.com"), m)
	require.NoError(t, err)
	require.Len(t, s.Mails(), 1)
	assert.Equal(t, s.Mails()[0].ID, receipt.QueueID)
	var want strings.Builder
	_, err = m.WriteTo(&want)
	require.NoError(t, err)
	boundary := func(text string) string { // made up for each writing
		_, rest, _ := strings.Cut(text, "boundary=")
		at, _, _ := strings.Cut(rest, "\r\n")
		return strings.ReplaceAll(text, strings.Trim(at, `"`), "B")
	}
	assert.Equal(t, boundary(want.String()), boundary(string(s.Mails()[0].Data)))
}
