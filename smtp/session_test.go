package smtp_test

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/smtp"
)

func TestSessionShowsNoSecret(t *testing.T) {
	t.Parallel()
	c, _ := startInProcess(t, testserver.SMTPConfig{})
	s := open(t, c)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
		assert.Equal(t, "smtp session with "+c.Addr(), fmt.Sprintf(verb, s))
	}
	assert.NotContains(t, fmt.Sprintf("%+v %#v", []any{s}, struct{ s *smtp.Session }{s}), password)
}

// Not parallel: it counts what the whole process allocates.
func TestLargeAttachmentIsStreamed(t *testing.T) {
	const size = 64 << 20
	for _, without := range [][]string{nil, {"CHUNKING"}} {
		s, err := testserver.StartSMTP(testserver.SMTPConfig{Discard: true, Without: without})
		require.NoError(t, err)
		defer s.Close()
		c := hawser.Connection{Name: "mail", Protocol: hawser.SMTP, Host: s.Host(), Port: s.Port(), TLS: hawser.TLSOptions{Mode: hawser.TLSNone}}
		session := open(t, c)
		m := &smtp.Message{
			From: "jobs@example.com", To: []string{"a@example.com"}, Subject: "64 MiB",
			Attachments: []smtp.Attachment{{Name: "zeros.bin", Size: size, Open: func() (io.ReadCloser, error) {
				return io.NopCloser(io.LimitReader(zeros{}, size)), nil
			}}},
		}
		env, err := m.Envelope()
		require.NoError(t, err)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err = session.Send(t.Context(), env, m)
		require.NoError(t, err)
		runtime.ReadMemStats(&after)
		require.Len(t, s.Mails(), 1)
		assert.Equal(t, m.Size(), s.Mails()[0].Size)
		assert.Contains(t, s.Mails()[0].MailLine, fmt.Sprintf(" SIZE=%d", m.Size()))
		allocated := after.TotalAlloc - before.TotalAlloc
		t.Logf("without %s: %d KiB allocated in all, by client and server", strings.Join(without, " "), allocated>>10)
		assert.Less(t, allocated, uint64(8<<20))
	}
}

// zeros are endless.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
