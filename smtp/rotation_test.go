package smtp_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testserver"
)

func TestRotation(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		cfg  testserver.SMTPConfig
		want int
	}{
		{"after 100 messages", testserver.SMTPConfig{}, 3},
		{"after as many as the server takes", testserver.SMTPConfig{MaxMessages: 40}, 7},
		{"after as many as a server without PIPELINING takes", testserver.SMTPConfig{MaxMessages: 40, Without: []string{"PIPELINING"}}, 7},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			c, s := startInProcess(t, row.cfg)
			session := open(t, c)
			for i := range 250 {
				_, err := session.Send(t.Context(), to("a@example.com"), letter(fmt.Sprint("number ", i), 100))
				require.NoError(t, err)
			}
			mails := s.Mails()
			require.Len(t, mails, 250)
			for i, m := range mails {
				require.Contains(t, string(m.Data), fmt.Sprintf("Subject: number %d\r\n", i))
				require.Equal(t, user, m.User, "each connection logs in")
			}
			assert.Equal(t, row.want, s.Accepted())
		})
	}
}

// A server that closes an idle session, some after ten seconds, costs no message.
func TestServerThatHungUpBetween(t *testing.T) {
	t.Parallel()
	for _, cfg := range []testserver.SMTPConfig{{}, {TLS: testserver.SMTPExplicit}, {Without: []string{"PIPELINING", "CHUNKING"}}} {
		t.Run(cfg.TLS+fmt.Sprint(cfg.Without), func(t *testing.T) {
			t.Parallel()
			c, s := startInProcess(t, cfg)
			session := open(t, c)
			for range 3 {
				_, err := session.Send(t.Context(), to("a@example.com"), letter("x", 100))
				require.NoError(t, err)
				s.Drop()
				require.Eventually(t, func() bool { return s.Sessions() == 0 }, time.Minute, time.Millisecond)
			}
			assert.Len(t, s.Mails(), 3)
			assert.Equal(t, 3, s.Accepted())
		})
	}
}

// Each reply that a command can get while the server ends the session.
func TestHangups(t *testing.T) {
	t.Parallel()
	for _, without := range [][]string{nil, {"CHUNKING"}, {"CHUNKING", "PIPELINING"}} {
		for _, verb := range []string{"MAIL", "RCPT", "DATA", "BDAT", "."} {
			if usesBDAT := without == nil; usesBDAT != (verb == "BDAT") && verb != "MAIL" && verb != "RCPT" {
				continue
			}
			t.Run(fmt.Sprint(verb, " without ", without), func(t *testing.T) {
				t.Parallel()
				var left atomic.Int64 // how often it hangs up
				c, s := startInProcess(t, testserver.SMTPConfig{Without: without, Reply: func(command, reply string) string {
					if strings.HasPrefix(command, verb) && left.Add(-1) >= 0 {
						return "421 4.3.2 going down"
					}
					return reply
				}})
				session := open(t, c)
				left.Store(1)
				_, err := session.Send(t.Context(), to("a@example.com"), letter("x", 100))
				require.NoError(t, err, "the message goes on a new connection, for the server has said that it did not take it")
				require.Len(t, s.Mails(), 1)
				left.Store(100)
				_, err = session.Send(t.Context(), to("a@example.com"), letter("x", 100))
				require.ErrorIs(t, err, hawser.ErrLost)
				require.NotErrorIs(t, err, hawser.ErrMaybeSent)
				assert.True(t, hawser.Retryable(err), "nothing was sent")
				require.Len(t, s.Mails(), 1)
			})
		}
	}
}

func TestReset(t *testing.T) {
	t.Parallel()
	for _, without := range [][]string{nil, {"CHUNKING"}, {"CHUNKING", "PIPELINING"}} {
		t.Run(fmt.Sprint("without ", without), func(t *testing.T) {
			t.Parallel()
			c, s := startInProcess(t, testserver.SMTPConfig{Without: without})
			session := open(t, c)
			send := func(recipients ...string) error {
				_, err := session.Send(t.Context(), to(recipients...), letter("x", 100))
				return err
			}
			require.NoError(t, send("a@example.com"))
			require.NoError(t, send("a@example.com", nobody))
			assert.Zero(t, countPrefix(s.Commands(), "RSET"), "what came to its end need not be reset")
			require.Error(t, send(nobody))
			require.Error(t, send(nobody))
			require.NoError(t, send("a@example.com"))
			require.NoError(t, send("a@example.com"))
			assert.Equal(t, 2, countPrefix(s.Commands(), "RSET"), "once for each that did not")
			assert.Equal(t, 1, countPrefix(s.Commands(), "EHLO"))
			assert.Len(t, s.Mails(), 4)
			assert.Equal(t, 1, s.Accepted())
		})
	}
}
