package smtp_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/testcert"
	"github.com/hawser/hawser/internal/testserver"
	"github.com/hawser/hawser/smtp"
)

// A strike ends a context as soon as a fault has struck that leaves the client
// waiting.
type strike struct {
	context.Context
	cancel context.CancelFunc
	stop   chan struct{}
	done   sync.WaitGroup
	ended  time.Time // when ctx ended; zero: it did not
}

func awaitStrike(ctx context.Context, f *testserver.ScriptedSMTP, fault testserver.Fault) *strike {
	s := &strike{stop: make(chan struct{})}
	s.Context, s.cancel = context.WithCancel(ctx)
	if fault != testserver.Stall && fault != testserver.Garble {
		return s // the client has to notice by itself
	}
	s.done.Go(func() {
		tick := time.NewTicker(200 * time.Microsecond)
		defer tick.Stop()
		for !f.Struck() {
			select {
			case <-tick.C:
			case <-s.stop:
				return
			}
		}
		patience := time.Duration(0)
		if fault == testserver.Garble {
			patience = 500 * time.Millisecond // a garbled byte may not matter, and then all else is still to come
		}
		select {
		case <-time.After(patience):
			s.ended = time.Now()
			s.cancel()
		case <-s.stop:
		}
	})
	return s
}

// over returns how long the client took, since the context ended or since start.
func (s *strike) over(start time.Time) time.Duration {
	end := time.Now()
	close(s.stop)
	s.done.Wait()
	s.cancel()
	if !s.ended.IsZero() {
		start = s.ended
	}
	return end.Sub(start)
}

func faultsOf() map[string]testserver.Fault {
	return map[string]testserver.Fault{"cut": testserver.Cut, "reset": testserver.Reset, "stall": testserver.Stall, "garble": testserver.Garble}
}

// offsets are those of n bytes at which a fault strikes: all, or most of them.
func offsets(n int64, most int64) []int64 {
	step := max(1, n/most)
	if testing.Short() || raceEnabled {
		step *= 7
	}
	var all []int64
	for at := int64(0); at < n; at += step {
		all = append(all, at)
	}
	return append(all, n-1)
}

// strikeAt sends d to a server that fails at one byte, and checks that what Send
// says of it is true.
func strikeAt(t *testing.T, d delivery, fault testserver.SMTPFault) {
	t.Helper()
	where := fmt.Sprintf("%s: fault %v of stream %v after %d", d.name, fault.Fault, fault.On, fault.After)
	f := testserver.SMTPScript{Steps: slices.Concat(hello(d.features...), d.steps), Fault: fault}.Start(lenient{t})
	defer f.Close()
	j := &journal{}
	s, err := smtp.Dialer{}.Open(hawser.WithTrace(t.Context(), j.trace()), scripted(t, f.Addr(), ""))
	require.NoError(t, err, where)
	defer s.Close()
	ctx := awaitStrike(hawser.WithTrace(t.Context(), j.trace()), f, fault.Fault)
	start := time.Now()
	_, err = send(ctx, s, d)
	took := ctx.over(start)
	assert.Less(t, took, soon, where)
	judge(t, where, d, f, fault, err)
	if fault.Fault == testserver.Stall && f.Struck() && (err != nil || arrived(f) == 0) { // else it came after the answer
		require.ErrorIs(t, err, context.Canceled, where)
	}
	// A context that had ended before anything was sent leaves the session as it was.
	if errors.Is(err, hawser.ErrLost) || errors.Is(err, context.Canceled) && strings.Contains(j.String(), "MAIL FROM") {
		assert.False(t, s.Reusable(), where)
	}
	assert.NotContains(t, j.String(), strings.TrimSpace(ending), where)
}

// judge compares what Send says with what came to the server.
func judge(t *testing.T, where string, d delivery, f *testserver.ScriptedSMTP, fault testserver.SMTPFault, err error) {
	t.Helper()
	var e *hawser.Error
	if err != nil {
		require.ErrorAs(t, err, &e, where)
		require.True(t, errors.Is(err, hawser.ErrLost) || errors.Is(err, context.Canceled) || errors.As(err, new(*smtp.Error)), "%s: %v", where, err)
	}
	maybe := errors.Is(err, hawser.ErrMaybeSent)
	require.False(t, maybe && hawser.Retryable(err), where)
	settled := func() bool {
		switch n := arrived(f); {
		case n > 1:
			return false
		case err == nil:
			return n == 1
		case n == 1:
			return maybe
		}
		return true
	}
	// What was sent may be on its way still.
	if !assert.Eventually(t, settled, soon, time.Millisecond, "%s: %d arrived, %v", where, arrived(f), err) {
		return
	}
	if maybe && d.answers && fault.On == testserver.SMTPReplies {
		first := slices.Concat(hello(d.features...), d.steps[:len(d.steps)-1]).ReplyBytes()
		assert.GreaterOrEqual(t, fault.After, first, "%s: the end is in doubt, and was sent before all else was answered", where)
	}
}

func TestFaultsInReplies(t *testing.T) {
	t.Parallel()
	for _, d := range deliveries() {
		for name, fault := range faultsOf() {
			t.Run(d.name+" "+name, func(t *testing.T) {
				t.Parallel()
				before := hello(d.features...).ReplyBytes()
				for _, at := range offsets(d.steps.ReplyBytes(), 60) {
					strikeAt(t, d, testserver.SMTPFault{Fault: fault, On: testserver.SMTPReplies, After: before + at})
				}
			})
		}
	}
}

func TestFaultsInMessages(t *testing.T) {
	t.Parallel()
	for _, d := range deliveries() {
		for name, fault := range faultsOf() {
			if fault == testserver.Garble {
				continue // the server cannot know, and so it takes it
			}
			t.Run(d.name+" "+name, func(t *testing.T) {
				t.Parallel()
				before, n := int64(len("EHLO jobs.example.com\r\n")+1), int64(len(d.message))+100
				for _, at := range offsets(n, 60) {
					strikeAt(t, d, testserver.SMTPFault{Fault: fault, On: testserver.SMTPReceived, After: before + at})
				}
			})
		}
	}
}

func TestFaultsInLogins(t *testing.T) {
	t.Parallel()
	id, err := testserver.NewIdentity()
	require.NoError(t, err)
	ca := testcert.File(t, "ca.pem", id.PEM())
	steps := secureHello("PIPELINING")
	for name, fault := range faultsOf() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, at := range offsets(steps.ReplyBytes(), 250) {
				where := fmt.Sprintf("%s after %d", name, at)
				f := testserver.SMTPScript{Steps: steps, Identity: id, Fault: testserver.SMTPFault{Fault: fault, On: testserver.SMTPReplies, After: at}}.Start(lenient{t})
				j := &journal{}
				ctx := awaitStrike(hawser.WithTrace(t.Context(), j.trace()), f, fault)
				start := time.Now()
				s, err := smtp.Dialer{}.Open(ctx, scripted(t, f.Addr(), ca))
				assert.Less(t, ctx.over(start), soon, where)
				if err == nil {
					require.Equal(t, testserver.Garble, fault, "%s: a letter that is none may be of a text", where)
					_ = s.Close()
				} else {
					var e *hawser.Error
					require.ErrorAs(t, err, &e, where)
					requireNoSecret(t, err.Error(), password)
				}
				requireNoSecret(t, j.String(), password)
				require.NoError(t, f.Close())
			}
		})
	}
}
