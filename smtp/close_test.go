package smtp_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
)

func TestClose(t *testing.T) {
	t.Parallel()
	t.Run("ends a message that is under way", func(t *testing.T) {
		t.Parallel()
		c, s := startInProcess(t, testserver.SMTPConfig{})
		session := open(t, c)
		first := make(chan struct{})
		sent := make(chan error, 1)
		go func() {
			_, err := session.Send(t.Context(), to("a@example.com"), writerTo(func(write func(string) error) error {
				if err := write(strings.Repeat("x\r\n", 100_000)); err != nil {
					return err
				}
				close(first)
				for {
					if err := write(strings.Repeat("x\r\n", 1000)); err != nil {
						return err
					}
				}
			}))
			sent <- err
		}()
		<-first
		assert.False(t, session.Reusable())
		require.NoError(t, session.Close())
		err := <-sent
		require.Error(t, err)
		require.NotErrorIs(t, err, hawser.ErrMaybeSent)
		assert.Empty(t, s.Mails())
	})
	t.Run("ends the opening of a new connection", func(t *testing.T) {
		t.Parallel()
		f := testserver.SMTPScript{
			Steps: append(hello("PIPELINING"), testserver.SMTPStep{Want: "MAIL *", Reply: "421 going", Close: true}),
			Later: []testserver.SMTPSteps{{{Stall: true}}},
		}.Start(lenient{t})
		session := open(t, scripted(t, f.Addr(), ""))
		sent := make(chan error, 1)
		go func() {
			_, err := session.Send(context.WithoutCancel(t.Context()), to("a@example.com"), letter("x", 10))
			sent <- err
		}()
		require.Eventually(t, func() bool { return f.Open() == 1 && countPrefix(f.Commands(), "MAIL") == 1 }, soon, time.Millisecond)
		require.NoError(t, session.Close())
		select {
		case err := <-sent:
			require.Error(t, err)
		case <-time.After(soon):
			t.Fatal("Close did not end it")
		}
	})
}

// writerTo makes a message of a func.
type writerTo func(write func(string) error) error
