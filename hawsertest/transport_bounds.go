package hawsertest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// boundDialRules are about contexts, and about dials beside each other.
func boundDialRules() []rule[*transport] {
	return []rule[*transport]{
		{"an ended context reaches no server", "a job that was stopped must not show up in the server's log", dialsEnded},
		{"a context that ends during DialNet gives its error or a connection that works", "a job that is stopped says so, and whoever was in time must not get a stream with a deadline in the past", dialsInterrupted},
		{"the context bounds DialNet alone", "a stream lives until Close; who opened it has gone on", dialsForLong},
		{"many may dial at once", "all sessions of a program share one Transport, and each needs a stream of its own", dialsAtOnce},
		{"no goroutine of a connection is left", "neither by one that was closed nor by a dial that failed", dialsLeak},
	}
}

func dialsEnded(s *transport) {
	server := s.target(echo)
	s.dial(server.addr)
	err := s.fails(ended(s.ctx), "tcp", server.addr)
	assert.ErrorIs(s, err, context.Canceled, "DialNet with an ended context")
	late, cancel := context.WithDeadline(s.ctx, time.Unix(1, 0))
	defer cancel()
	err = s.fails(late, "tcp", server.addr)
	assert.ErrorIs(s, err, context.DeadlineExceeded, "DialNet after the deadline of its context")
	s.reachedOnlyTwice(server)
}

// dialsInterrupted cancels during dials, as far as a timer can tell when that is, and
// right after the last ones. It uses the connections when all is over, so that what a
// context does when it ends has been done.
func dialsInterrupted(s *transport) {
	const dials, during = 20, 16
	server := s.target(echo)
	usual := s.usual(server.addr)
	var conns []net.Conn
	for i := range dials {
		ctx, cancel := context.WithCancel(s.ctx)
		if i < during {
			time.AfterFunc(usual*time.Duration(i)/during, cancel)
		}
		conn, err := s.attempt(ctx, prompt, s.to(server.addr), "tcp", server.addr)
		cancel()
		if err != nil {
			require.ErrorIs(s, err, context.Canceled, "DialNet whose context is cancelled")
			continue
		}
		conns = append(conns, conn)
	}
	for _, conn := range conns {
		s.works(conn, "a connection whose context was cancelled when DialNet was as good as done")
	}
}

func dialsForLong(s *transport) {
	server := s.target(echo)
	usual := s.usual(server.addr)
	ctx, cancel := context.WithCancel(s.ctx)
	first, err := s.attempt(ctx, patience, s.to(server.addr), "tcp", server.addr)
	cancel()
	require.NoError(s, err, "DialNet")
	ctx, cancel = context.WithTimeout(s.ctx, 3*usual+2*short)
	defer cancel()
	second, err := s.attempt(ctx, patience, s.to(server.addr), "tcp", server.addr)
	require.NoError(s, err, "DialNet with a deadline, of which it took a third the last time")
	<-ctx.Done()
	<-time.After(short) // whatever else waits for the same moment has had its turn
	s.works(first, "a connection whose context was cancelled after DialNet")
	s.works(second, "a connection whose context had a deadline, which has passed")
}

func dialsAtOnce(s *transport) {
	const size = 10_000
	server := s.target(echo)
	conns := make([]net.Conn, concurrency)
	err := within(s, patience, "DialNet of many at once", func() error {
		return each(concurrency, concurrency, func(i int) (err error) {
			conns[i], err = s.Transport.DialNet(s.ctx, s.to(server.addr), "tcp", server.addr)
			return err
		})
	})
	for _, conn := range conns {
		if conn != nil {
			s.closeLater(conn)
		}
	}
	require.NoError(s, err, "%d dials at once", concurrency)
	err = within(s, patience, "the echo of many connections at once", func() error {
		said := each(concurrency, concurrency, func(i int) error {
			_, err := conns[i].Write(noise(byte(i), size))
			return err
		})
		// The other way round, each hears its own only if it has a stream of its own.
		heard := each(concurrency, concurrency, func(i int) error {
			i = concurrency - 1 - i
			got := make([]byte, size)
			_, err := io.ReadFull(conns[i], got)
			if err = errors.Join(err, unequal(got, noise(byte(i), size))); err != nil {
				return fmt.Errorf("connection %d: %w", i, err)
			}
			return nil
		})
		return errors.Join(said, heard)
	})
	require.NoError(s, err, "%d connections at once", concurrency)
	assert.Equal(s, concurrency, server.count(), "connections that reached the server")
}

// dialsLeak dials once before it counts, because the session of a jump host stays
// for the next dial.
func dialsLeak(s *transport) {
	server, unused := s.target(echo), unusedAddr(s)
	usual := s.usual(server.addr)
	check := leaks(s)
	for i := range 5 {
		conn := s.dial(server.addr)
		s.works(conn, "the echo of "+server.addr)
		if i%2 == 0 { // there is a difference between closing while a Read waits and not
			go func() { _, _ = conn.Read(make([]byte, 1)) }() // ends with conn
		}
		assert.NoError(s, within(s, prompt, "Close", conn.Close), "Close")
	}
	s.fails(s.ctx, "tcp", unused)
	s.fails(ended(s.ctx), "tcp", server.addr)
	s.fails(s.ctx, "tcp", "127.0.0.1:0")
	ctx, cancel := context.WithTimeout(s.ctx, usual/2)
	defer cancel()
	if conn, err := s.attempt(ctx, prompt, s.to(server.addr), "tcp", server.addr); err == nil {
		assert.NoError(s, conn.Close(), "Close")
	}
	check()
}
