package opening_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/opening"
)

func TestWithHint(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("outer: %w", opening.WithHint(fmt.Errorf("inner: %w", io.EOF), "do this"))
	require.EqualError(t, err, "outer: inner: EOF")
	require.ErrorIs(t, err, io.EOF)
	require.Equal(t, "do this", hawser.Hint(err))
	require.NoError(t, opening.WithHint(nil, "do this"))
	require.Equal(t, io.EOF, opening.WithHint(io.EOF, ""))
}

func TestStranger(t *testing.T) {
	t.Parallel()
	const web = `a web server answers ("HTTP/1.1 400 Bad Request"): set port to that of the server that is meant`
	const shell = `an SSH server answers ("SSH-2.0-x"): set protocol to sftp or ssh, or port to that of the server that is meant`
	for _, row := range []struct {
		want opening.Language
		said string
		hint string
	}{
		{opening.Lines, "SSH-2.0-x\r\n", shell},
		{opening.TLS, "SSH-2.0-x\r\n", shell},
		{opening.SSH, "SSH-2.0-x\r\n", ""},
		{opening.Lines, "HTTP/1.1 400 Bad Request\r\nServer: x", web},
		{opening.SSH, "HTTP/1.1 400 Bad Request\r\n", web},
		{opening.TLS, "<html>", `a web server answers ("<html>"): set port to that of the server that is meant`},
		{opening.Lines, "+OK hello", `a server of mailboxes answers ("+OK hello"): set port to that of the server that is meant; mail is sent through 587 or 465`},
		{opening.Lines, "* OK IMAP4", `a server of mailboxes answers ("* OK IMAP4"): set port to that of the server that is meant; mail is sent through 587 or 465`},
		{opening.Lines, "\x15\x03\x03\x00\x02\x02\x32", "the server speaks TLS from the first byte: set tls.mode to implicit"},
		{opening.SSH, "\x15\x03\x01\x00\x02\x02\x32", "a server of TLS answers: set port to that of SSH"},
		{opening.SSH, "220 hello\r\n", `a server of FTP or mail answers ("220 hello"): set protocol to ftp or smtp, or port to that of SSH`},
		{opening.TLS, "220 hello\r\n", `the server begins in the clear ("220 hello"): set tls.mode to explicit, or port to that of implicit TLS`},
		{opening.TLS, "\x1b[2J" + strings.Repeat("x", 500), `the server begins in the clear ("\x1b[2J` + strings.Repeat("x", 56) + `"): set tls.mode to explicit, or port to that of implicit TLS`},
		{opening.Lines, "whatever", ""},
		{opening.SSH, "whatever", ""},
		{opening.Lines, "", ""},
		{opening.SSH, "", ""},
		{opening.TLS, "", "the server begins in the clear: set tls.mode to explicit, or port to that of implicit TLS"},
	} {
		assert.Equal(t, row.hint, opening.Stranger(row.want, []byte(row.said)), "%d %q", row.want, row.said)
	}
}

// A server that took the connection is not one that cannot be reached.
func TestFailTellsWhatToDoAboutSilence(t *testing.T) {
	t.Parallel()
	mute := os.ErrDeadlineExceeded
	gone := fmt.Errorf("%w: %w", hawser.ErrLost, io.EOF)
	mail := func(mode hawser.TLSMode) hawser.Connection {
		return hawser.Connection{Name: "post", Protocol: hawser.SMTP, Host: "h", TLS: hawser.TLSOptions{Mode: mode}}
	}
	for _, row := range []struct {
		name  string
		c     hawser.Connection
		phase hawser.Phase
		err   error
		want  string // how the hint begins
	}{
		{"a mute greeting", mail(""), hawser.PhaseConnect, mute, "the server takes the connection and says nothing: it may expect TLS"},
		{"the caller's time", mail(""), hawser.PhaseConnect, context.DeadlineExceeded, "the server takes the connection and says nothing: it may expect TLS"},
		{"an end in place of a greeting", mail(""), hawser.PhaseConnect, gone, "the server hangs up at once"},
		{"a mute SSH", box(), hawser.PhaseTrust, mute, "the server takes the connection and does not speak SSH: check port"},
		{"an end in place of SSH", box(), hawser.PhaseTrust, gone, "the server hangs up before the login: it may have too many sessions (OpenSSH: MaxStartups)"},
		{"a mute handshake", mail(hawser.TLSImplicit), hawser.PhaseTrust, mute, "the server takes the connection and shakes no hands: set tls.mode to explicit"},
		{"a mute handshake that was agreed to", mail(""), hawser.PhaseTrust, mute, "the server agreed to TLS and shakes no hands"},
		{"a mute login", box(), hawser.PhaseLogin, mute, "the server does not answer the login in time"},
		{"an end of the login", box(), hawser.PhaseLogin, gone, "the server hangs up during the login"},
		{"a refusal", box(), hawser.PhaseLogin, hawser.ErrAuth, "check auth.user and auth.password"},
		{"what the error knows better", mail(""), hawser.PhaseConnect, opening.WithHint(gone, "do this"), "do this"},
		{"a caller that gave up", mail(""), hawser.PhaseConnect, context.Canceled, ""},
		{"nonsense", mail(""), hawser.PhaseTrust, errors.New("x"), ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			o := opening.Start(t.Context(), row.c)
			defer o.Close()
			o.Enter(hawser.PhaseConnect)
			o.Done("192.0.2.1:25")
			o.Enter(row.phase)
			err := o.Fail(row.err)
			require.ErrorIs(t, err, row.err)
			hint := hawser.Hint(err)
			require.True(t, strings.HasPrefix(hint, row.want) && (hint == "") == (row.want == ""), "%q", hint)
		})
	}
	t.Run("one that was never reached", func(t *testing.T) {
		t.Parallel()
		o := opening.Start(t.Context(), mail(""))
		defer o.Close()
		o.Enter(hawser.PhaseConnect)
		require.Equal(t, "check host and port, and the firewalls between: nothing answers there at all", hawser.Hint(o.Fail(mute)))
	})
}
