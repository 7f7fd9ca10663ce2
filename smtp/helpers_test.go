package smtp_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/smtp"
)

// open logs in; the session is closed with the test.
func open(t testing.TB, c hawser.Connection) *smtp.Session {
	t.Helper()
	s, err := tryOpen(t, t.Context(), c)
	require.NoError(t, err)
	return s
}

func tryOpen(t testing.TB, ctx context.Context, c hawser.Connection) (*smtp.Session, error) {
	t.Helper()
	require.NoError(t, c.Validate())
	s, err := smtp.Dialer{}.Open(ctx, c)
	if err == nil {
		t.Cleanup(func() { _ = s.Close() })
	}
	return s, err
}

// letter is a message of n bytes of text.
func letter(subject string, n int) *strings.Reader {
	const line = "All work and no play makes Jack a dull boy, says the proverb.\r\n"
	text := strings.Repeat(line, n/len(line)+1)[:n]
	return strings.NewReader("From: jobs@example.com\r\nSubject: " + subject + "\r\n\r\n" + text)
}

func to(recipients ...string) hawser.Envelope {
	return hawser.Envelope{From: "jobs@example.com", To: recipients}
}

// A journal collects what a Trace tells.
type journal struct {
	mu   sync.Mutex // guards text
	text strings.Builder
}

func (j *journal) trace() *hawser.Trace {
	note := func(m hawser.Message) { j.add("%s", m.Text) }
	return &hawser.Trace{Sent: note, Received: note, Step: func(_ string, s hawser.Step) { j.add("%s %s %v", s.Phase, s.Detail, s.Err) }}
}

func (j *journal) add(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	_, _ = fmt.Fprintf(&j.text, format+"\n", args...)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// requireNoSecret looks for secret in text, plain and within base64 at any offset.
func requireNoSecret(t testing.TB, text, secret string) {
	t.Helper()
	assert.NotContains(t, text, secret)
	for shift := range 3 {
		encoded := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("\x00", shift) + secret + "\x00\x00"))
		const border = 4 // characters that mix with what is beside
		middle := encoded[border : len(encoded)-border]
		assert.NotContains(t, text, middle, "base64, shifted by %d", shift)
	}
}

// WriteTo calls w.
func (w writerTo) WriteTo(to io.Writer) (int64, error) {
	return 0, w(func(text string) error {
		_, err := io.WriteString(to, text)
		return err
	})
}
