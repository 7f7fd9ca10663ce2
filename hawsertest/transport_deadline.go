package hawsertest

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// deadlineRules are about deadlines, by which drivers bound each wait.
func deadlineRules() []rule[*transport] {
	return []rule[*transport]{
		{"a read deadline ends a Read, and the connection works on", "a driver that waits for a while asks again", deadlineOfRead},
		{"a write deadline ends a Write", "a server that takes nothing more must not hold a job for ever", deadlineOfWrite},
		{"a deadline in the past fails at once", "a context that ends is told to a connection so", deadlinePast},
		{"a deadline wakes a Read that waits", "a context may end while a driver reads", deadlineWakesRead},
		{"a deadline wakes a Write that waits", "a context may end while a driver writes", deadlineWakesWrite},
		{"a deadline may be removed", "the next command has more time", deadlineRemoved},
		{"the deadlines of Read and Write are apart", "an upload may go on though no reply is due", deadlinesApart},
	}
}

// read reads one byte and returns the error.
func (s *transport) read(conn net.Conn, what string) error {
	s.Helper()
	return within(s, prompt, what, func() error {
		_, err := conn.Read(make([]byte, 1))
		return err
	})
}

// timedOut checks that err is one of a deadline.
func (s *transport) timedOut(err error, what string) {
	s.Helper()
	assert.ErrorIs(s, err, os.ErrDeadlineExceeded, what)
	var timeout net.Error
	assert.True(s, errors.As(err, &timeout) && timeout.Timeout(), "%s gave %v, whose Timeout is not true", what, err)
}

func deadlineOfRead(s *transport) {
	conn := s.dial(s.target(echo).addr)
	for range 2 {
		deadline := time.Now().Add(short)
		require.NoError(s, conn.SetReadDeadline(deadline), "SetReadDeadline")
		s.timedOut(s.read(conn, "Read with a deadline"), "Read with a deadline")
		assert.False(s, time.Now().Before(deadline), "Read ended %v before its deadline", time.Until(deadline))
	}
	require.NoError(s, conn.SetReadDeadline(time.Time{}), "SetReadDeadline")
	s.works(conn, "the echo after a Read that ended with its deadline")
}

func deadlineOfWrite(s *transport) {
	conn := s.dial(s.target(deaf).addr)
	require.NoError(s, conn.SetWriteDeadline(time.Now().Add(short)), "SetWriteDeadline")
	var written atomic.Int64
	err := within(s, prompt, "Write with a deadline", func() error { return fill(conn, &written) })
	s.timedOut(err, "Write with a deadline")
}

func deadlinePast(s *transport) {
	conn := s.dial(s.target(echo).addr)
	s.works(conn, "the echo")
	require.NoError(s, conn.SetDeadline(time.Unix(1, 0)), "SetDeadline")
	s.timedOut(s.read(conn, "Read after the deadline"), "Read after the deadline")
	err := within(s, prompt, "Write after the deadline", func() error {
		_, err := conn.Write([]byte{1})
		return err
	})
	s.timedOut(err, "Write after the deadline")
}

func deadlineWakesRead(s *transport) {
	conn := s.dial(s.target(echo).addr)
	reading := make(chan error, 1)
	go func() { // ends with conn
		_, err := conn.Read(make([]byte, 1))
		reading <- err
	}()
	<-time.After(short) // most likely Read waits by then; it must end either way
	require.NoError(s, conn.SetReadDeadline(time.Unix(1, 0)), "SetReadDeadline while a Read waits")
	err := within(s, prompt, "Read of which the deadline was set later", func() error { return <-reading })
	s.timedOut(err, "Read of which the deadline was set later")
	require.NoError(s, conn.SetReadDeadline(time.Time{}), "SetReadDeadline")
	s.works(conn, "the echo after a Read that a deadline ended")
}

func deadlineWakesWrite(s *transport) {
	conn := s.dial(s.target(deaf).addr)
	var written atomic.Int64
	writing := make(chan error, 1)
	go func() { writing <- fill(conn, &written) }() // ends with conn
	s.stands(&written)
	require.NoError(s, conn.SetDeadline(time.Unix(1, 0)), "SetDeadline while a Write waits")
	err := within(s, prompt, "Write of which the deadline was set later", func() error { return <-writing })
	s.timedOut(err, "Write of which the deadline was set later")
}

// deadlineRemoved has a server that answers after the deadline would have passed.
func deadlineRemoved(s *transport) {
	conn := s.dial(s.target(func(p peer) {
		question := make([]byte, 1)
		if _, err := p.Read(question); err == nil {
			<-time.After(3 * short)
			_, _ = p.Write(question)
			echo(p)
		}
	}).addr)
	require.NoError(s, conn.SetDeadline(time.Now().Add(short)), "SetDeadline")
	_, err := conn.Write([]byte{1})
	require.NoError(s, err, "Write")
	require.NoError(s, conn.SetDeadline(time.Time{}), "SetDeadline of none")
	require.NoError(s, s.read(conn, "Read without a deadline"), "Read without a deadline")
	s.works(conn, "the echo without a deadline")
}

func deadlinesApart(s *transport) {
	conn := s.dial(s.target(echo).addr)
	require.NoError(s, conn.SetReadDeadline(time.Unix(1, 0)), "SetReadDeadline")
	_, err := conn.Write([]byte{1})
	require.NoError(s, err, "Write after the deadline of Read")
	s.timedOut(s.read(conn, "Read after its deadline"), "Read after its deadline")
	require.NoError(s, conn.SetReadDeadline(time.Time{}), "SetReadDeadline")
	require.NoError(s, conn.SetWriteDeadline(time.Unix(1, 0)), "SetWriteDeadline")
	require.NoError(s, s.read(conn, "Read after the deadline of Write"), "Read after the deadline of Write")
	require.NoError(s, conn.SetWriteDeadline(time.Time{}), "SetWriteDeadline")
	s.works(conn, "the echo after both deadlines")
}
