package smtp_test

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/smtp"
)

// flood writes lines of 64 bytes until it is told to stop, or for so many.
type flood struct{ lines, written int }

func (e *flood) WriteTo(w io.Writer) (int64, error) {
	line := []byte(strings.Repeat("y", 62) + "\r\n")
	for range e.lines {
		n, err := w.Write(line)
		e.written += n
		if err != nil {
			return int64(e.written), err
		}
	}
	return int64(e.written), nil
}

// A sized is a message that says how large it is.
type sized struct {
	io.WriterTo
	size int64
}

func (s sized) Size() int64 { return s.size }

func TestSize(t *testing.T) {
	t.Parallel()
	for _, without := range [][]string{nil, {"CHUNKING"}} {
		t.Run(fmt.Sprint("without ", without), func(t *testing.T) {
			t.Parallel()
			c, s := startInProcess(t, testserver.SMTPConfig{MaxSize: 1 << 20, Without: without})
			session := open(t, c)
			t.Run("a message that is too large by what it says is not sent", func(t *testing.T) {
				huge := &flood{lines: 1 << 20}
				_, err := session.Send(t.Context(), to("a@example.com"), sized{huge, 64 << 20})
				require.ErrorIs(t, err, smtp.ErrTooLarge)
				require.ErrorContains(t, err, "it has 67108864 bytes, and the server takes 1048576 at most")
				assert.False(t, hawser.Retryable(err))
				assert.Zero(t, huge.written, "it was not even read")
				_, err = session.Send(t.Context(), to("a@example.com"), letter("x", 2<<20))
				require.ErrorIs(t, err, smtp.ErrTooLarge)
				assert.Zero(t, countPrefix(s.Commands(), "MAIL"))
			})
			t.Run("a message that says nothing is sent until it is too much", func(t *testing.T) {
				huge := &flood{lines: 1 << 20}
				_, err := session.Send(t.Context(), to("a@example.com"), huge)
				require.ErrorIs(t, err, smtp.ErrTooLarge)
				assert.Less(t, huge.written, 2<<20)
				require.NotErrorIs(t, err, hawser.ErrMaybeSent)
			})
			t.Run("the session goes on", func(t *testing.T) {
				assert.True(t, session.Reusable())
				_, err := session.Send(t.Context(), to("a@example.com"), letter("x", 500<<10))
				require.NoError(t, err)
				require.Len(t, s.Mails(), 1)
				assert.Contains(t, s.Mails()[0].MailLine, " SIZE=512")
			})
		})
	}
}
