package smtp

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
)

// The answer to the end of a message has ten minutes, whatever Timeout is, and
// not for ever.
func TestAnswerThatNeverComes(t *testing.T) {
	t.Parallel()
	require.Equal(t, 10*time.Minute, endWithin)
	for _, features := range []string{"250-PIPELINING\n250 CHUNKING", "250 PIPELINING", "250 HELP"} {
		t.Run(features, func(t *testing.T) {
			t.Parallel()
			steps := testserver.SMTPSteps{
				{Reply: "220 x"},
				{Want: "EHLO *", Reply: "250-x\n" + features},
				{Want: "MAIL *", Reply: "250 ok"},
				{Want: "RCPT *", Reply: "250 ok"},
			}
			if strings.Contains(features, "CHUNKING") {
				steps = append(steps, testserver.SMTPStep{Want: "BDAT *", Body: true, Stall: true})
			} else {
				steps = append(steps, testserver.SMTPStep{Want: "DATA", Reply: "354 go"}, testserver.SMTPStep{Body: true, Stall: true})
			}
			f := testserver.SMTPScript{Steps: steps}.Start(t)
			c := hawser.Connection{Protocol: hawser.SMTP, Host: f.Host(), Port: f.Port(), TLS: hawser.TLSOptions{Mode: hawser.TLSNone}}
			s, err := Dialer{}.Open(t.Context(), c)
			require.NoError(t, err)
			t.Cleanup(func() { _ = s.Close() })
			s.endWithin = 20 * time.Millisecond
			_, err = s.Send(t.Context(), hawser.Envelope{To: []string{"a@example.com"}}, strings.NewReader("A: b\r\n\r\nc\r\n"))
			require.ErrorIs(t, err, hawser.ErrMaybeSent)
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
			require.ErrorContains(t, err, "no answer within ")
			assert.False(t, hawser.Retryable(err))
			assert.False(t, s.Reusable())
		})
	}
}
