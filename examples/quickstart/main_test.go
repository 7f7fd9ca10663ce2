package main

import (
	"bytes"
	"context"
	"flag"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestEmbedded(t *testing.T) {
	t.Parallel()
	for _, size := range []string{"0", "3"} {
		t.Run("a file of "+size+" MiB", func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			require.NoError(t, run(t.Context(), []string{"-size", size}, nil, &out))
			text := out.String()
			sums := regexp.MustCompile(`(?m)^   (?:sent      |received  |)([0-9a-f]{64})`).FindAllStringSubmatch(text, -1)
			require.Len(t, sums, 3, "sent, received, and as the server sees it")
			assert.Equal(t, sums[0][1], sums[1][1])
			assert.Equal(t, sums[0][1], sums[2][1])
			assertLines(
				t, text,
				`     "password": "\*\*\*"`,
				`probe .* 0 entries in the login directory`,
				`\[=*( *)\] .* MiB in .*, \d+ MiB/s`,
				`   \| files > OPENDIR \. #1`,
				`   \| files < STATUS EOF #3`,
				`   The same\.`,
				`   \| shell > USERAUTH_REQUEST jobs password \*\*\*`,
				`   \| shell < CHANNEL_REQUEST exit-status 0`,
				`   The server has the same\.`,
				`   trust .* FAILED`,
				`   presented  SHA256:`,
				`   Refused before the login`,
				`   unknown-authority: `,
				`   Refused; it waits as question [0-9a-f]{16}\.`,
				`trust .* TLS 1\.3`,
				`Testing "far", through the jump host "bastion" and a socks5h proxy behind it`,
				`login .* bastion: SSH-2\.0-`,
				`proxy .* jump host bastion`,
				`proxy .* socks5h 127\.0\.0\.1:`,
				`connect .* files\.inside\.example:`,
				`Testing "mail", by SMTP`,
				`login .* jobs by SCRAM-SHA-256; PIPELINING, CHUNKING`,
				`   \| mail > STARTTLS`,
				`   \| mail > AUTH SCRAM-SHA-256 \*\*\*`,
				`   \| mail > RCPT TO:<former@example\.com>`,
				`   \| mail < 550 5\.1\.1 no such user`,
				`   refused    former@example\.com: RCPT: 550 5\.1\.1 no such user`,
				`   queue id   4F9D1950001`,
				`   Taken for 2 of 3 recipients`,
				`   subject    Files of the week ✓`,
				`   size       \d{4} bytes, multipart/mixed`,
				`   from       jobs@example\.com, logged in as jobs`,
				`   to         jo@example\.com, archive@example\.com`,
			)
			assert.NotContains(t, text, " READ ", "of a transfer there is no wire log")
			assert.NotContains(t, text, "multipart/alternative", "of a mail there is no wire log")
		})
	}
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, on, after string
		args            []string
	}{
		// The first line of the bar comes while the file is under way.
		{"during an upload", "25%", "100%", nil},
		{"during the login to send a mail", "mail > AUTH", "mail > MAIL", []string{"-size", "0"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			out := &trigger{on: row.on, do: cancel}
			assert.ErrorIs(t, run(ctx, row.args, nil, out), context.Canceled)
			assertLines(t, out.text.String(), row.on)
			assert.NotContains(t, out.text.String(), row.after)
		})
	}
}

func TestMailThatIsNotWhatWasSentIsReported(t *testing.T) {
	t.Parallel()
	const id = "4F9D1950001"
	good := testserver.Mail{ID: id, Data: []byte("Subject: x\r\n\r\n")}
	leak := testserver.Mail{ID: id, Data: []byte("Subject: x\r\nBcc: archive@example.com\r\n\r\n")}
	for _, row := range []struct {
		name  string
		mails []testserver.Mail
		want  string
	}{
		{"none", nil, "the server has 0 mails"},
		{"one too many", []testserver.Mail{good, good}, "the server has 2 mails"},
		{"another", []testserver.Mail{{ID: "1", Data: good.Data}}, "want that of queue id " + id},
		{"one that tells of a secret recipient", []testserver.Mail{leak}, "the header names who is in Bcc"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := &story{screen: newScreen(io.Discard)}
			assert.ErrorContains(t, s.showMail(hawser.Receipt{QueueID: id}, row.mails), row.want)
		})
	}
}

func TestFlags(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		args []string
		want string
	}{
		{"-use alone", []string{"-use", "bank"}, "-connections and -use go together"},
		{"-connections alone", []string{"-connections", "x.json"}, "-connections and -use go together"},
		{"a negative size", []string{"-size", "-1"}, "-size -1: want 0 to"},
		{"an argument", []string{"bank"}, `unexpected argument "bank"`},
		{"an unknown flag", []string{"-x"}, "not defined: -x"},
	} {
		t.Run(row.name+" is refused", func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			assert.ErrorContains(t, run(t.Context(), row.args, nil, &out), row.want)
			assert.Empty(t, out.String())
		})
	}
	t.Run("-h shows them all", func(t *testing.T) {
		t.Parallel()
		var out bytes.Buffer
		assert.ErrorIs(t, run(t.Context(), []string{"-h"}, nil, &out), flag.ErrHelp)
		assert.Contains(t, out.String(), "-known-hosts file")
	})
}

func TestBarOnATerminal(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	s := screen{out: &lockedWriter{out: &out}, terminal: true}
	b := s.newBar(4 << 20)
	b.progress("x", 1<<20, -1)
	b.progress("x", 4<<20, -1)
	b.progress("x", 2<<20, -1) // told late
	b.end()
	text := out.String()
	assert.True(t, strings.HasPrefix(text, "\r   [========                        ]  25%  1 MiB in "), text)
	assert.Contains(t, text, "] 100%  4 MiB in ")
	assert.Equal(t, 1, strings.Count(text, "\n"))
	assert.True(t, strings.HasSuffix(text, "\n"))
}

func TestLines(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	s := newScreen(&out)
	w := s.lines("> ")
	for _, piece := range []string{"o", "ne\ntw", "o\n\nthr", "ee"} {
		_, err := io.WriteString(w, piece)
		require.NoError(t, err)
	}
	w.end()
	w.end()
	assert.Equal(t, "> one\n> two\n> \n> three\n", out.String())
}

// assertLines asserts that text has a match of each pattern, in that order.
func assertLines(t *testing.T, text string, patterns ...string) {
	t.Helper()
	rest := text
	for _, pattern := range patterns {
		at := regexp.MustCompile(pattern).FindStringIndex(rest)
		if at == nil {
			assert.Failf(t, "missing, or out of order", "%s\nin\n%s", pattern, text)
			return
		}
		rest = rest[at[1]:]
	}
}

// A trigger calls do, if it has one, when it is written something with on in it.
type trigger struct {
	on   string
	do   func()
	text bytes.Buffer
}

func (w *trigger) Write(p []byte) (int, error) {
	if w.do != nil && strings.Contains(string(p), w.on) {
		w.do()
	}
	return w.text.Write(p)
}
