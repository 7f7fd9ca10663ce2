package testserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
)

// A Handler serves one connection and returns when it has done so. The caller closes c afterwards. Once the server
// is closed or drops its connections, ctx is cancelled and c closed, and the handler must return.
type Handler func(ctx context.Context, c net.Conn)

// TCP is a server on a free port of 127.0.0.1 that hands each connection to a [Handler]. All methods may be called
// concurrently.
type TCP struct {
	listener net.Listener
	conns    *tracker
}

// StartTCP starts a server that gives each connection to handle in a goroutine of its own.
func StartTCP(handle Handler) (*TCP, error) {
	t := &TCP{conns: newTracker()}
	if err := t.listen(handle); err != nil {
		return nil, err
	}
	return t, nil
}

// Addr is host:port, ready for net.Dial.
func (t *TCP) Addr() string { return t.listener.Addr().String() }

// Host is the address without the port: 127.0.0.1.
func (t *TCP) Host() string { return t.addr().IP.String() }

// Port is the port that the system chose.
func (t *TCP) Port() uint16 { return t.addr().AddrPort().Port() }

// Open counts the connections that have not ended yet. One that the client closed counts until the server noticed.
func (t *TCP) Open() int { return t.conns.count() }

// Drop cuts every open connection; the server goes on listening.
func (t *TCP) Drop() { t.conns.drop() }

// Close stops listening, cuts every connection and returns when all handlers have. Closing twice is harmless.
// A handler must not call it.
func (t *TCP) Close() error {
	err := t.listener.Close()
	t.conns.close()
	if err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("testserver: close listener: %w", err)
	}
	return nil
}

func (t *TCP) addr() *net.TCPAddr {
	// The listener is a TCP one by construction; the zero value never shows.
	addr, ok := t.listener.Addr().(*net.TCPAddr)
	if !ok {
		return &net.TCPAddr{}
	}
	return addr
}

func (t *TCP) listen(handle Handler) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("testserver: %w", err)
	}
	t.listener = listener
	// Close ends the loop through the listener and waits for it in tracker.close.
	t.conns.spawn(func() { t.accept(handle) })
	return nil
}

func (t *TCP) accept(handle Handler) {
	for {
		c, err := t.listener.Accept()
		if err != nil {
			return
		}
		if !t.conns.spawn(func() { t.conns.serve(c, handle) }) {
			_ = c.Close()
			return
		}
	}
}

// tracker owns the goroutines and connections of a server, with or without a listener.
type tracker struct {
	wg sync.WaitGroup

	mu     sync.Mutex // guards what follows
	open   map[net.Conn]context.CancelFunc
	closed bool
}

func newTracker() *tracker {
	return &tracker{open: make(map[net.Conn]context.CancelFunc)}
}

// spawn runs f in a goroutine that close waits for. It reports false, without running f, once the tracker is closed.
func (t *tracker) spawn(f func()) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	t.wg.Go(f)
	return true
}

// serve runs handle on c in the calling goroutine, and closes c.
func (t *tracker) serve(c net.Conn, handle Handler) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	defer func() { _ = c.Close() }()
	if !t.add(c, cancel) {
		return
	}
	defer t.remove(c)
	handle(ctx, c)
}

func (t *tracker) add(c net.Conn, cancel context.CancelFunc) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	t.wg.Add(1)
	t.open[c] = cancel
	return true
}

func (t *tracker) remove(c net.Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.open, c)
	t.wg.Done()
}

func (t *tracker) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.open)
}

func (t *tracker) drop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for c, cancel := range t.open {
		cancel()
		_ = c.Close()
	}
}

func (t *tracker) close() {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	t.drop()
	t.wg.Wait()
}
