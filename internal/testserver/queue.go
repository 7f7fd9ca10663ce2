package testserver

import (
	"net"
	"sync"
)

// queuedConn writes in the background. Both ends of SSH begin by writing their version, and both block for ever on
// a net.Pipe, which holds nothing. SSH's own windows bound what waits here.
type queuedConn struct {
	net.Conn
	wake    chan struct{} // holds one token if the flusher has something to look at
	flushed chan struct{} // closed when the flusher has ended

	mu      sync.Mutex // guards what follows
	pending []byte
	closed  bool
}

// newQueuedConn starts the flusher, which Close ends and flushed announces.
func newQueuedConn(c net.Conn) *queuedConn {
	q := &queuedConn{Conn: c, wake: make(chan struct{}, 1), flushed: make(chan struct{})}
	go q.flush()
	return q
}

func (q *queuedConn) Write(b []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return 0, net.ErrClosed
	}
	q.pending = append(q.pending, b...)
	q.rouse()
	return len(b), nil
}

// Close closes the connection once everything has been written, as the kernel does for TCP, and does not wait.
func (q *queuedConn) Close() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.rouse()
	return nil
}

func (q *queuedConn) rouse() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *queuedConn) flush() {
	defer close(q.flushed)
	defer func() { _ = q.Conn.Close() }()
	for {
		b, closed := q.take()
		if len(b) == 0 && closed {
			return
		}
		if len(b) == 0 {
			<-q.wake
			continue
		}
		if _, err := q.Conn.Write(b); err != nil {
			_ = q.Close()
			return
		}
	}
}

func (q *queuedConn) take() (b []byte, closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	b, q.pending = q.pending, nil
	return b, q.closed
}
