package wirelog_test

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.uber.org/goleak"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/wirelog"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func box() hawser.Connection {
	return hawser.Connection{Name: "box", Protocol: hawser.SSH, Log: hawser.Log{Outgoing: true}}
}

// A recorder is a Trace that keeps what it is told.
type recorder struct {
	hawser.Trace
	mu  sync.Mutex // guards all
	all []hawser.Message
}

func newRecorder() *recorder {
	r := &recorder{}
	note := func(m hawser.Message) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.all = append(r.all, m)
	}
	r.Sent, r.Received = note, note
	return r
}

func (r *recorder) texts() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	texts := []string{}
	for _, m := range r.all {
		texts = append(texts, m.Text)
	}
	return texts
}

func TestLog(t *testing.T) {
	t.Parallel()
	t.Run("each trace is told once, while it listens", func(t *testing.T) {
		t.Parallel()
		l := wirelog.New(box())
		one, other := newRecorder(), newRecorder()
		first := hawser.WithTrace(t.Context(), &one.Trace)
		both := hawser.WithTrace(first, &other.Trace)
		l.Sent("before")
		stopFirst := l.Listen(first)
		l.Sent("a %d", 1)
		stopBoth := l.Listen(both)
		stopAgain := l.Listen(both)
		l.Received("b")
		stopFirst()
		l.Sent("c")
		stopBoth()
		l.Sent("d")
		stopAgain()
		l.Sent("after")
		assert.Equal(t, []string{"a 1", "b", "c", "d"}, one.texts())
		assert.Equal(t, []string{"b", "c", "d"}, other.texts())
	})
	t.Run("a trace that is in a context twice is told once", func(t *testing.T) {
		t.Parallel()
		l := wirelog.New(box())
		r := newRecorder()
		stop := l.Listen(hawser.WithTrace(hawser.WithTrace(t.Context(), &r.Trace), &r.Trace))
		l.Sent("x")
		stop()
		assert.Equal(t, []string{"x"}, r.texts())
		assert.False(t, l.Listening())
	})
	t.Run("hooks that are nil are passed over", func(t *testing.T) {
		t.Parallel()
		l := wirelog.New(box())
		var received []string
		stop := l.Listen(hawser.WithTrace(t.Context(), &hawser.Trace{Received: func(m hawser.Message) { received = append(received, m.Text) }}))
		l.Sent("sent")
		l.Received("received")
		stop()
		assert.Equal(t, []string{"received"}, received)
	})
	t.Run("it listens only while somebody wants messages", func(t *testing.T) {
		t.Parallel()
		l := wirelog.New(box())
		assert.False(t, l.Listening())
		stop := l.Listen(context.Background())
		assert.False(t, l.Listening())
		stop()
		stop = l.Listen(hawser.WithTrace(t.Context(), &hawser.Trace{Step: func(string, hawser.Step) {}}))
		assert.False(t, l.Listening(), "of a trace that wants steps alone")
		stop()
		stop = l.Listen(hawser.WithTrace(t.Context(), &newRecorder().Trace))
		assert.True(t, l.Listening())
		stop()
		assert.False(t, l.Listening())
	})
	t.Run("nothing is formatted while nobody listens", func(t *testing.T) {
		t.Parallel()
		l := wirelog.New(box())
		l.Sent("%v", explosive{t})
		l.Received("%v", explosive{t})
	})
	t.Run("messages are those of who leased the session", func(t *testing.T) {
		t.Parallel()
		l := wirelog.New(box())
		r := newRecorder()
		defer l.Listen(hawser.WithTrace(t.Context(), &r.Trace))()
		l.Sent("x")
		l.Lease(hawser.Connection{Name: "next", Log: hawser.Log{Incoming: true}})
		l.Received("y")
		assert.Equal(t, []hawser.Message{
			{Connection: "box", Protocol: hawser.SSH, Log: hawser.Log{Outgoing: true}, Text: "x"},
			{Connection: "next", Protocol: hawser.SSH, Log: hawser.Log{Incoming: true}, Text: "y"},
		}, r.all)
	})
	t.Run("a message is one printable line", func(t *testing.T) {
		t.Parallel()
		l := wirelog.New(box())
		r := newRecorder()
		defer l.Listen(hawser.WithTrace(t.Context(), &r.Trace))()
		l.Received("%s", "a\r\nb\x1b[0m\x00")
		assert.NotContains(t, r.texts()[0], "\n")
		assert.NotContains(t, r.texts()[0], "\r")
		assert.NotContains(t, r.texts()[0], "\x1b")
		assert.NotContains(t, r.texts()[0], "\x00")
	})
	t.Run("all at once", func(t *testing.T) {
		t.Parallel()
		l := wirelog.New(box())
		r := newRecorder()
		ctx := hawser.WithTrace(t.Context(), &r.Trace)
		var users sync.WaitGroup
		for range 8 {
			users.Go(func() {
				for range 100 {
					stop := l.Listen(ctx)
					l.Sent("x")
					l.Lease(box())
					stop()
				}
			})
		}
		users.Wait()
		assert.Len(t, r.texts(), 800)
		assert.False(t, l.Listening())
	})
	t.Run("a hook may end its own listening", func(t *testing.T) {
		t.Parallel()
		l := wirelog.New(box())
		var stop func()
		stop = l.Listen(hawser.WithTrace(t.Context(), &hawser.Trace{Sent: func(hawser.Message) { stop() }}))
		l.Sent("x")
		assert.False(t, l.Listening())
	})
}

// An explosive must not be formatted.
type explosive struct{ t *testing.T }

func (e explosive) String() string { e.t.Error("formatted"); return "" }
