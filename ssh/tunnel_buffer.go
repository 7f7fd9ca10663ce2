package ssh

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

const (
	// tunnelPiece is how much goes between a buffer and its channel at once, in
	// bytes: the data of one packet.
	tunnelPiece = 32 << 10
	// tunnelBuffer is how much waits in one direction of a tunnel, in bytes,
	// beside the channel's own window.
	tunnelBuffer = 8 * tunnelPiece
)

// A tunnelFlow is the bytes of one direction of a tunnel, on their way between
// its user, who has deadlines, and a channel, which has none: a ring between a
// producer and a consumer. All methods may be called concurrently, but those of
// the channel's side by one goroutine alone.
type tunnelFlow struct {
	changed *sync.Cond

	// changed.L guards all below.
	ring       []byte
	head, size int
	moved      int64 // bytes that the consumer took
	boundless  bool  // the channel ended, so what it still holds is taken at once
	dropped    bool  // nobody takes the bytes any more
	ended      error // why nothing is added any more; io.EOF: the end is in good order
	refused    error // of each call of the user from now on, whatever is still there
	spilled    error // why bytes that the user wrote were not sent
	turn       bool  // a write of the user is under way
	deadline   time.Time
	timer      *time.Timer
}

func newTunnelFlow() *tunnelFlow { return &tunnelFlow{changed: sync.NewCond(&sync.Mutex{})} }

// Read is that of the user.
func (f *tunnelFlow) Read(p []byte) (int, error) {
	f.changed.L.Lock()
	defer f.changed.L.Unlock()
	for {
		if err := f.forbids(); err != nil {
			return 0, err
		}
		if f.size > 0 || len(p) == 0 {
			return f.take(p), nil
		}
		if f.ended != nil {
			return 0, f.ended
		}
		f.changed.Wait()
	}
}

// Write is that of the user. One Write is not mixed with another.
func (f *tunnelFlow) Write(p []byte) (int, error) {
	f.changed.L.Lock()
	defer f.changed.L.Unlock()
	for f.turn {
		if err := f.forbids(); err != nil {
			return 0, err
		}
		f.changed.Wait()
	}
	f.turn = true
	defer func() {
		f.turn = false
		f.changed.Broadcast()
	}()
	for n := 0; ; {
		if err := f.forbids(); err != nil {
			return n, err
		}
		if f.ended != nil {
			return n, io.ErrClosedPipe
		}
		n += f.add(p[n:])
		if n == len(p) {
			return n, nil
		}
		f.changed.Wait()
	}
}

// forbids is the error that the user's calls have at this moment.
func (f *tunnelFlow) forbids() error {
	if f.refused != nil {
		return f.refused
	}
	if !f.deadline.IsZero() && !time.Now().Before(f.deadline) {
		return os.ErrDeadlineExceeded
	}
	return nil
}

// add copies as much of p as there is room for, and returns how much it is.
func (f *tunnelFlow) add(p []byte) int {
	n := 0
	for n < len(p) {
		back := f.back(len(p) - n)
		if len(back) == 0 {
			break
		}
		moved := copy(back, p[n:])
		f.size += moved
		n += moved
	}
	if n > 0 {
		f.changed.Broadcast()
	}
	return n
}

// setDeadline bounds the user's calls, also those that are under way.
func (f *tunnelFlow) setDeadline(t time.Time) error {
	f.changed.L.Lock()
	defer f.changed.L.Unlock()
	if f.refused == net.ErrClosed {
		return net.ErrClosed
	}
	f.deadline = t
	f.changed.Broadcast()
	switch {
	case t.IsZero():
		if f.timer != nil {
			f.timer.Stop()
		}
	case f.timer == nil:
		f.timer = time.AfterFunc(time.Until(t), f.wake)
	default:
		f.timer.Reset(time.Until(t))
	}
	return nil
}

// wake has those who wait look at the clock.
func (f *tunnelFlow) wake() {
	f.changed.L.Lock()
	defer f.changed.L.Unlock()
	f.changed.Broadcast()
}

// room waits until the channel may add bytes, and returns the place for them,
// which belongs to the caller until put. Where nobody takes them, they go nowhere.
func (f *tunnelFlow) room() []byte {
	f.changed.L.Lock()
	defer f.changed.L.Unlock()
	for {
		if f.dropped {
			f.size = 0
		}
		if f.size == 0 {
			f.head = 0
		}
		// Less than a piece is not worth waking up for.
		if back := f.back(tunnelPiece); len(f.ring)-f.size >= tunnelPiece {
			return back
		}
		f.changed.Wait()
	}
}

// put adds the first n bytes of the place that room returned.
func (f *tunnelFlow) put(n int) {
	f.changed.L.Lock()
	defer f.changed.L.Unlock()
	if !f.dropped {
		f.size += n
		f.changed.Broadcast()
	}
}

// next waits for bytes to send, of which it returns some; they stay where they
// are until sent. Its error is io.EOF behind the last of them.
func (f *tunnelFlow) next() ([]byte, error) {
	f.changed.L.Lock()
	defer f.changed.L.Unlock()
	for !f.dropped {
		if f.size > 0 {
			front := f.front()
			return front[:min(len(front), tunnelPiece)], nil
		}
		if f.ended != nil {
			return nil, f.ended
		}
		f.changed.Wait()
	}
	return nil, io.ErrClosedPipe
}

// sent lets go of the first n bytes.
func (f *tunnelFlow) sent(n int) {
	f.changed.L.Lock()
	defer f.changed.L.Unlock()
	if !f.dropped {
		f.advance(n)
	}
}

// end says that nothing is added any more, and why. The first reason stays.
func (f *tunnelFlow) end(err error) {
	f.changed.L.Lock()
	defer f.changed.L.Unlock()
	if f.ended == nil {
		f.ended = err
		f.changed.Broadcast()
	}
}

// refuse ends the user's calls with err. With drop, what is in the flow is lost.
// The first reason stays, and it returns whether it is this one.
func (f *tunnelFlow) refuse(err error, drop bool) bool {
	f.changed.L.Lock()
	defer f.changed.L.Unlock()
	first := f.refused == nil
	if first {
		f.refused = err
	}
	if drop && !f.dropped {
		f.dropped = true
		if f.size > 0 {
			f.spilled = err
		}
	}
	if f.timer != nil {
		f.timer.Stop()
	}
	f.changed.Broadcast()
	return first
}

// unbind makes room for all that a channel that ended still holds.
func (f *tunnelFlow) unbind() {
	f.changed.L.Lock()
	defer f.changed.L.Unlock()
	f.boundless = true
	f.changed.Broadcast()
}

// progress is how many bytes were taken so far.
func (f *tunnelFlow) progress() int64 {
	f.changed.L.Lock()
	defer f.changed.L.Unlock()
	return f.moved
}

// failed is the error of the user's calls, and why bytes were not sent.
func (f *tunnelFlow) failed() (refused, spilled error) {
	f.changed.L.Lock()
	defer f.changed.L.Unlock()
	return f.refused, f.spilled
}
