package hawser_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/hawser/hawser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWithTrace(t *testing.T) {
	t.Parallel()
	t.Run("adds to the traces that are there, the first first", func(t *testing.T) {
		t.Parallel()
		a, b := &hawser.Trace{}, &hawser.Trace{}
		ctx := hawser.WithTrace(hawser.WithTrace(t.Context(), a), b)
		traces := hawser.ContextTraces(ctx)
		require.Len(t, traces, 2)
		require.Same(t, a, traces[0])
		require.Same(t, b, traces[1])
	})
	t.Run("leaves the context that it was given alone", func(t *testing.T) {
		t.Parallel()
		base := t.Context()
		for range 3 { // so that a slice has room for a fourth
			base = hawser.WithTrace(base, &hawser.Trace{})
		}
		one, two := &hawser.Trace{}, &hawser.Trace{}
		left, right := hawser.WithTrace(base, one), hawser.WithTrace(base, two)
		require.Len(t, hawser.ContextTraces(base), 3)
		require.Same(t, one, hawser.ContextTraces(left)[3])
		require.Same(t, two, hawser.ContextTraces(right)[3])
	})
	t.Run("of none changes nothing", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, t.Context(), hawser.WithTrace(t.Context(), nil))
		require.Empty(t, hawser.ContextTraces(t.Context()))
	})
}

func TestLogTo(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		log  hawser.Log
		want string
	}{
		{"nothing", hawser.Log{}, ""},
		{"what was sent", hawser.Log{Outgoing: true}, "bank > QUIT\n"},
		{"what was received", hawser.Log{Incoming: true}, "bank < 221 Bye\n"},
		{"both", hawser.Log{Outgoing: true, Incoming: true}, "bank > QUIT\nbank < 221 Bye\n"},
	} {
		t.Run("writes "+row.name+" as the connection's Log says", func(t *testing.T) {
			t.Parallel()
			var b strings.Builder
			trace := hawser.LogTo(&b)
			trace.Sent(hawser.Message{Connection: "bank", Log: row.log, Text: "QUIT"})
			trace.Received(hawser.Message{Connection: "bank", Log: row.log, Text: "221 Bye"})
			require.Equal(t, row.want, b.String())
		})
	}
	both := hawser.Log{Outgoing: true, Incoming: true}
	t.Run("keeps a server from forging lines", func(t *testing.T) {
		t.Parallel()
		var b strings.Builder
		hawser.LogTo(&b).Received(hawser.Message{Connection: "ba\nnk", Log: both, Text: "x\r\nbank > DELE y\x1b[2J\xff"})
		require.Equal(t, `ba\nnk < x\r\nbank > DELE y\x1b[2J\xff`+"\n", b.String())
	})
	t.Run("writes each line whole, from many goroutines", func(t *testing.T) {
		t.Parallel()
		var w lineWriter
		trace := hawser.LogTo(&w)
		var all sync.WaitGroup
		for i := range 10 {
			all.Go(func() {
				for range 50 {
					trace.Sent(hawser.Message{Connection: "bank", Log: both, Text: fmt.Sprint("NOOP ", i)})
				}
			})
		}
		all.Wait()
		require.Len(t, w, 500)
		for _, line := range w {
			assert.Regexp(t, `^bank > NOOP \d\n$`, line)
		}
	})
	t.Run("passes over the errors of its writer", func(t *testing.T) {
		t.Parallel()
		hawser.LogTo(failingWriter{errFake}).Sent(hawser.Message{Log: both})
	})
}

// lineWriter needs no lock, because LogTo makes one call at a time.
type lineWriter []string

func (w *lineWriter) Write(p []byte) (int, error) {
	*w = append(*w, string(p))
	return len(p), nil
}
