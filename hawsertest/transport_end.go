package hawsertest

import (
	"errors"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// endRules are about Close.
func endRules() []rule[*transport] {
	return []rule[*transport]{
		{"what was written before Close arrives, and then the end", "a mail or a file that was sent must not be lost, and the server must not wait for more", closesWhole},
		{"Close unblocks a Read", "a connection that hangs is ended by closing it, and was not ended by the server", closesReading},
		{"Close unblocks a Write", "a server that takes nothing more must not hold a job for ever", closesWriting},
		{"a connection may be closed twice", "whoever gives up and whoever is done both close", closesTwice},
		{"Read and Write after Close fail", "and not with io.EOF, which a caller takes for the whole stream", usesClosed},
	}
}

func closesWhole(s *transport) {
	want := noise(7, 100_000)
	there := make(chan error, 1)
	server := s.target(func(p peer) {
		got, err := io.ReadAll(p)
		there <- errors.Join(err, unequal(got, want))
	})
	conn := s.dial(server.addr)
	_, err := conn.Write(want)
	require.NoError(s, err, "Write")
	require.NoError(s, within(s, prompt, "Close", conn.Close), "Close")
	err = within(s, prompt, "the end of the stream, at the server", func() error { return <-there })
	assert.NoError(s, err, "what was written before Close, at the server")
}

// closesBusy closes conn while busy waits for it, and returns the error of busy.
func (s *transport) closesBusy(conn net.Conn, what string, busy <-chan error) error {
	s.Helper()
	_ = within(s, prompt, "Close while a "+what+" waits", conn.Close) // which may tell of bytes that were not sent
	return within(s, prompt, "the "+what+" of a connection that is closed", func() error { return <-busy })
}

func closesReading(s *transport) {
	conn := s.dial(s.target(deaf).addr)
	reading := make(chan error, 1)
	go func() { // ends with conn
		_, err := conn.Read(make([]byte, 1))
		reading <- err
	}()
	<-time.After(short) // most likely Read waits by then; it must end either way
	err := s.closesBusy(conn, "Read", reading)
	assert.Error(s, err, "Read of a connection that is closed")
	assert.NotErrorIs(s, err, io.EOF, "Read of a connection that is closed")
}

func closesWriting(s *transport) {
	conn := s.dial(s.target(deaf).addr)
	var written atomic.Int64
	writing := make(chan error, 1)
	go func() { writing <- fill(conn, &written) }() // ends with conn
	s.stands(&written)
	assert.Error(s, s.closesBusy(conn, "Write", writing), "Write of a connection that is closed")
}

// fill writes until that fails, and counts the bytes in written.
func fill(conn net.Conn, written *atomic.Int64) error {
	block := noise(8, 64<<10)
	for {
		n, err := conn.Write(block)
		written.Add(int64(n))
		if err != nil {
			return err
		}
	}
}

// stands returns when count has grown no more for some time: all buffers on the
// way are full, most likely.
func (s *transport) stands(count *atomic.Int64) {
	s.Helper()
	tick := time.NewTicker(short / 2)
	defer tick.Stop()
	for last, times := int64(-1), 0; times < 3; {
		select {
		case <-tick.C:
		case <-s.ctx.Done():
			s.Fatalf("a server that reads nothing takes more and more: %d bytes", count.Load())
		}
		now := count.Load()
		if now != last {
			last, times = now, 0
			continue
		}
		times++
	}
}

func closesTwice(s *transport) {
	conn := s.dial(s.target(echo).addr)
	require.NoError(s, within(s, prompt, "Close", conn.Close), "Close")
	// Package net says by an error that it is closed already.
	_ = within(s, prompt, "Close, again", conn.Close)
	s.works(s.dial(s.target(echo).addr), "the next connection")
}

func usesClosed(s *transport) {
	conn := s.dial(s.target(echo).addr)
	s.works(conn, "the echo")
	require.NoError(s, within(s, prompt, "Close", conn.Close), "Close")
	for _, what := range []string{"once", "again"} {
		err := within(s, prompt, "Read after Close", func() error {
			_, err := conn.Read(make([]byte, 1))
			return err
		})
		assert.Error(s, err, "Read after Close, %s", what)
		assert.NotErrorIs(s, err, io.EOF, "Read after Close, %s", what)
		err = within(s, prompt, "Write after Close", func() error {
			_, err := conn.Write([]byte{1})
			return err
		})
		assert.Error(s, err, "Write after Close, %s", what)
	}
}
