package testserver

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// A Fault is what a [Relay] does to one direction of a connection once enough bytes have passed.
type Fault int

// The faults of a direction.
const (
	Pass   Fault = iota // forwards everything
	Stall               // forwards nothing more; the connections stay open
	Cut                 // closes both connections
	Reset               // closes both connections so that the peers get a reset
	Garble              // changes one byte and goes on forwarding
)

// garble is what the byte that [Garble] changes is combined with by exclusive or. Every bit changes, so that a digit
// becomes no digit and a letter no ASCII.
const garble = 0xff

// Flow is how a [Relay] treats one direction of each connection. The zero value forwards everything.
type Flow struct {
	// Fault happens once After bytes of the connection have been forwarded in this direction; Garble changes the next
	// one. With After zero, a Stall forwards nothing, and a Cut and a Reset wait for the first byte.
	Fault Fault
	After int64
}

// RelayConfig says what a [Relay] does. The zero value forwards everything at once.
type RelayConfig struct {
	// Delay is how long each byte is on its way, in either direction. It adds twice itself to the round trip and
	// does not limit the rate.
	Delay time.Duration
	// Up is from client to server, Down from server to client.
	Up, Down Flow
}

// Relay stands in front of any TCP server and delays, stalls or cuts what passes. All methods may be called
// concurrently.
type Relay struct {
	TCP
	target   string
	cfg      RelayConfig
	gate     *gate
	up, down atomic.Int64
}

// StartRelay starts a relay to target, a host:port that it dials anew for each client. The caller closes it.
func StartRelay(target string, cfg RelayConfig) (*Relay, error) {
	r := &Relay{TCP: TCP{conns: newTracker()}, target: target, cfg: cfg, gate: newGate()}
	if err := r.listen(r.handle); err != nil {
		return nil, err
	}
	return r, nil
}

// Freeze stops forwarding on present and future connections, which stay open. Drop and Close still work.
func (r *Relay) Freeze() { r.gate.freeze() }

// Thaw undoes Freeze. No byte is lost between the two.
func (r *Relay) Thaw() { r.gate.thaw() }

// Bytes counts what has been forwarded up and down on all connections since the start.
func (r *Relay) Bytes() (up, down int64) { return r.up.Load(), r.down.Load() }

// handle is the Handler of one client.
func (r *Relay) handle(ctx context.Context, c net.Conn) {
	var d net.Dialer
	s, err := d.DialContext(ctx, "tcp", r.target)
	if err != nil {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	client, server := r.gate.wrap(c), r.gate.wrap(s)
	cut := func() {
		_ = client.Close()
		_ = server.Close()
	}
	defer cut()
	stop := context.AfterFunc(ctx, cut)
	defer stop()

	var wg sync.WaitGroup
	wg.Go(func() {
		stream{src: client, dst: server, flow: r.cfg.Up, delay: r.cfg.Delay, count: &r.up, cut: cancel}.run(ctx)
	})
	wg.Go(func() {
		stream{src: server, dst: client, flow: r.cfg.Down, delay: r.cfg.Delay, count: &r.down, cut: cancel}.run(ctx)
	})
	wg.Wait()
}

const (
	relayRead  = 32 << 10 // bytes per read
	relayQueue = 1024     // reads on their way: 32 MiB, so that a delay does not limit the rate
)

// stream is one direction of a relayed connection.
type stream struct {
	src, dst *gatedConn
	flow     Flow
	delay    time.Duration
	count    *atomic.Int64
	cut      func() // ends both directions
}

// parcel is what was read at one time. The one with an err is the last.
type parcel struct {
	due   time.Time
	bytes []byte
	err   error
}

// run forwards until the source ends or the connection is cut.
func (s stream) run(ctx context.Context) {
	queue := make(chan parcel, relayQueue)
	var wg sync.WaitGroup
	wg.Go(func() { s.read(ctx, queue) })
	s.write(ctx, queue)
	wg.Wait()
}

// read ends with the source, which run's caller closes when ctx ends.
func (s stream) read(ctx context.Context, queue chan<- parcel) {
	for {
		b := make([]byte, relayRead)
		n, err := s.src.Read(b)
		select {
		case queue <- parcel{due: time.Now().Add(s.delay), bytes: b[:n], err: err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

func (s stream) write(ctx context.Context, queue <-chan parcel) {
	var passed int64
	for {
		var p parcel
		select {
		case p = <-queue:
		case <-ctx.Done():
			return
		}
		if !sleep(ctx, time.Until(p.due)) {
			return
		}
		bytes, fault := s.admit(p.bytes, passed)
		n, err := s.dst.Write(bytes)
		passed += int64(n)
		s.count.Add(int64(n))
		switch {
		case fault == Reset:
			s.src.reset()
			s.dst.reset()
			s.cut()
			return
		case err != nil, fault == Cut, p.err != nil && p.err != io.EOF:
			s.cut()
			return
		case fault == Stall:
			<-ctx.Done()
			return
		case p.err != nil:
			_ = s.dst.CloseWrite()
			return
		}
	}
}

// admit returns what of b may pass after the bytes that have, and the fault that happens then.
func (s stream) admit(b []byte, passed int64) ([]byte, Fault) {
	after := s.flow.After - passed
	switch {
	case s.flow.Fault == Garble:
		if after >= 0 && after < int64(len(b)) {
			b[after] ^= garble
		}
		return b, Pass
	case s.flow.Fault == Pass, after > int64(len(b)):
		return b, Pass
	}
	return b[:after], s.flow.Fault
}

// sleep waits for d, and reports false if ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
