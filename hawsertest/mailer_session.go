package hawsertest

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func sendingRules() []rule[*mails] {
	return []rule[*mails]{
		{"an ended context sends nothing", "a job that was stopped must not leave traces", sendEnded},
		{"a context that ends during a message sends nothing", "half a message must not look like a whole one; the error is the context's own", sendCancelled},
		{"a context that ends last sends nothing", "also where the message is written by then and its end is not", sendCancelledLast},
		{"a session is not Reusable during a message", "a pool must not hand out a session on which a message is written", sendingNotReusable},
		{"the wire log holds no message", "it tells both directions, and is kept longer and read by more than mail is", wireLogOfMail},
	}
}

func sendEnded(m *mails) {
	l := m.sized(1000)
	_, err := m.fails(ended(m.ctx), prompt, m.to(m.To...), l)
	assert.ErrorIs(m, err, context.Canceled, "Send with an ended context")
	unwritten(m, l)
	m.goesOn()
	m.absent(l)
}

// cancelled sends a message that cancels its context after n bytes and writes
// the others nevertheless, if its Writer takes them.
func (m *mails) cancelled(size, n int) *letter {
	m.Helper()
	ctx, cancel := context.WithCancel(m.ctx)
	m.Cleanup(cancel)
	l := m.sized(size)
	l.pieces = func(w io.Writer, text string) error {
		_, first := io.WriteString(w, text[:n])
		cancel()
		return errors.Join(first, inPieces(16<<10)(w, text[n:]))
	}
	_, err := m.fails(ctx, prompt, m.to(m.To...), l)
	assert.ErrorIs(m, err, context.Canceled, "Send whose context ends after %d of %d bytes", n, size)
	m.goesOn()
	return l
}

func sendCancelled(m *mails) {
	m.absent(m.cancelled(2<<20, 200), m.cancelled(2<<20, 100<<10), m.cancelled(2<<20, 1<<20))
}

func sendCancelledLast(m *mails) {
	m.absent(m.cancelled(1000, 1000), m.cancelled(100<<10, 100<<10), m.cancelled(1<<20, 1<<20))
}

func sendingNotReusable(m *mails) {
	if _, ok := ability[hawser.Leasable](m.mailer); !ok {
		m.Skip("skipped: not hawser.Leasable")
	}
	assert.True(m, reusable(m.mailer), "Reusable before a message")
	during := true
	l := m.sized(1000)
	l.pieces = func(w io.Writer, text string) error {
		during = reusable(m.mailer)
		_, err := io.WriteString(w, text)
		return err
	}
	m.delivers(l)
	assert.False(m, during, "Reusable during a message")
	assert.True(m, reusable(m.mailer), "Reusable after a message")
}

func wireLogOfMail(m *mails) {
	w := &wire{}
	l := m.sized(1000)
	_, err := m.send(hawser.WithTrace(m.ctx, w.trace()), patience, m.to(m.To[0]), l)
	require.NoError(m, err, "Send")
	m.arrives(l, m.To[0])
	assert.NotEmpty(m, w.sent, "messages that Trace.Sent was told")
	assert.NotEmpty(m, w.received, "messages that Trace.Received was told")
	text := w.text()
	for _, part := range []string{l.marker, "a message of hawsertest", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"} {
		assert.NotContains(m, text, part, "the wire log holds what the message does")
	}
	for _, message := range append(w.sent[:len(w.sent):len(w.sent)], w.received...) {
		assert.NotEmpty(m, message.Text, "Message.Text")
		assert.False(m, strings.ContainsAny(message.Text, "\r\n"), "Message.Text %q is one line without its end", message.Text)
	}
}

func sessionRules() []rule[*mails] {
	return []rule[*mails]{
		{"Ping may come between messages", "a pool asks whether a session is alive", pingBetween},
		{"many messages go on one session", "each once; a server that takes so many a session and no more is met by not being Reusable", manyMessages},
		{"messages may go at once", "on sessions of their own, or on one that is Parallel", atOnce},
		{"Send after Close fails", "a message must not be taken by a session that has ended", sendClosed},
		{"no goroutine is left by messages", "neither by those that went well nor by those that did not", mailLeaks},
	}
}

func pingBetween(m *mails) {
	s := m.session()
	for range 3 {
		require.NoError(m, s.Ping(m.ctx), "Ping")
		m.delivers(m.sized(1000))
	}
	require.NoError(m, s.Ping(m.ctx), "Ping")
}

func manyMessages(m *mails) {
	const many = 250
	var letters []*letter
	for i := range many {
		if !reusable(m.mailer) {
			m.Logf("not Reusable after %d messages", i)
			m.reopen()
		}
		letters = append(letters, m.sized(500+i))
		m.sent(m.to(m.To[0]), letters[i])
	}
	m.allArrive(letters)
}

func atOnce(m *mails) {
	const apiece = 10
	n, mailers := parallelism(m.mailer, 4), []hawser.Mailer{m.mailer}
	for range n - 1 {
		mailers = append(mailers, m.mailer)
	}
	for n = max(n, 4); len(mailers) < n; {
		mailers = append(mailers, m.Open(m.T))
	}
	var letters []*letter
	for i := range n * apiece {
		letters = append(letters, m.sized(5000+100*i))
	}
	err := within(m, patience, "Send at once", func() error {
		return each(n, n, func(i int) error {
			for _, l := range letters[i*apiece : (i+1)*apiece] {
				if _, err := mailers[i].Send(m.ctx, m.to(m.To[0]), l); err != nil {
					return err
				}
			}
			return nil
		})
	})
	require.NoError(m, err, "%d goroutines, each with messages of its own", n)
	m.allArrive(letters)
}

func sendClosed(m *mails) {
	s := m.session()
	require.NoError(m, s.Close(), "Close")
	l := m.sized(1000)
	_, err := m.fails(m.ctx, prompt, m.to(m.To[0]), l)
	assert.NotErrorIs(m, err, hawser.ErrInvalid, "Send after Close")
	unwritten(m, l)
	m.absent(l)
}

func mailLeaks(m *mails) {
	require.NoError(m, m.session().Close(), "Close")
	check := leaks(m)
	broken := errors.New("the source broke")
	for _, n := range []int{-1, 0, 1 << 20} {
		m.reopen()
		ctx, cancel := context.WithCancel(m.ctx)
		l := m.breaks(max(0, n), func() error { cancel(); return broken })
		if n < 0 {
			l = m.sized(1000)
		}
		_, err := m.send(ctx, patience, m.to(m.To[0]), l)
		assert.Equal(m, n < 0, err == nil, "Send gave %v", err)
		cancel()
		assert.NoError(m, m.session().Close(), "Close")
	}
	check()
}
