package sftp

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/hawser/hawser"
	"github.com/hawser/hawser/internal/bounded"
)

// firstID is where the request ids of an engine begin. pkg/sftp counts its own
// from one, on the same stream.
const firstID = 1 << 31

// A request is one packet to the server and its answer. The fields behind done
// are valid once that is closed.
type request struct {
	packet []byte // with room for length and id
	into   []byte // of a READ: what is to be filled; nil for all others

	got int // bytes of into that have come; only the receiving goroutine uses it

	done chan struct{}
	answer
}

// An answer is what came of a request.
type answer struct {
	kind byte   // of the packet; 0: there is none
	body []byte // behind the id; not of DATA
	n    int    // of a READ: how much was read
	err  error  // why there is no packet, or what a READ met instead of data
}

// An engine sends requests without waiting for the answers of others, which is
// what the content of files needs: answers are read straight into the memory
// of whoever asked, and small requests that wait are sent together. All
// methods may be called concurrently.
type engine struct {
	send  func([]byte) error // writes whole packets to the server
	calls *bounded.Caller

	mu      sync.Mutex // guards all below
	wake    *sync.Cond // queue or ended changed
	next    uint32
	pending map[uint32]*request
	queue   []*request // to be sent, in order
	ended   error
	moved   time.Time   // when an answer last came, or the first of pending was asked for
	watch   *time.Timer // runs while there is something pending
}

func newEngine(send func([]byte) error, calls *bounded.Caller) *engine {
	e := &engine{send: send, calls: calls, next: firstID, pending: map[uint32]*request{}}
	e.wake = sync.NewCond(&e.mu)
	calls.Go(e.run) // ends with end
	return e
}

// start puts r on its way; it never blocks. r.done is closed when the answer
// is there or the session is over.
func (e *engine) start(r *request) {
	r.done = make(chan struct{})
	r.got, r.answer = 0, answer{}
	e.enqueue(r)
}

// enqueue gives r an id and has it sent.
func (e *engine) enqueue(r *request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ended != nil {
		r.err = e.ended
		close(r.done)
		return
	}
	binary.BigEndian.PutUint32(r.packet, uint32(len(r.packet)-4))
	binary.BigEndian.PutUint32(r.packet[5:], e.next)
	if len(e.pending) == 0 {
		e.moved = time.Now()
	}
	e.pending[e.next] = r
	e.next = max(e.next+1, firstID) // round the end of the numbers
	e.queue = append(e.queue, r)
	e.wake.Signal()
	if e.watch == nil {
		e.watch = time.AfterFunc(e.calls.Timeout, e.check)
	}
}

// call starts r and waits for its answer until ctx ends; then the answer, if
// it still comes, is for late.
func (e *engine) call(ctx context.Context, r *request, late func()) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	e.start(r)
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
	}
	if late != nil {
		e.calls.Go(func() {
			<-r.done
			late()
		})
	}
	return ctx.Err()
}

// run sends what is queued, until the end.
func (e *engine) run() {
	const together = 32 << 10 // bytes; what is larger goes alone
	var batch []byte
	for {
		requests := e.take()
		if requests == nil {
			return
		}
		for _, r := range requests {
			if len(batch)+len(r.packet) > together && len(batch) > 0 {
				e.write(batch)
				batch = batch[:0]
			}
			if len(r.packet) > together {
				e.write(r.packet)
			} else {
				batch = append(batch, r.packet...)
			}
		}
		if len(batch) > 0 {
			e.write(batch)
			batch = batch[:0]
		}
	}
}

// take waits for something to send; nil is the end.
func (e *engine) take() []*request {
	e.mu.Lock()
	defer e.mu.Unlock()
	for len(e.queue) == 0 && e.ended == nil {
		e.wake.Wait()
	}
	if e.ended != nil {
		return nil
	}
	requests := e.queue
	e.queue = nil
	return requests
}

func (e *engine) write(packets []byte) {
	if err := e.send(packets); err != nil {
		e.calls.Lost(fmt.Errorf("%w: %w", hawser.ErrLost, err))
	}
}

// end makes err the answer to everything.
func (e *engine) end(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ended != nil {
		return
	}
	e.ended = err
	if e.watch != nil {
		e.watch.Stop()
	}
	for _, r := range e.pending {
		r.err = err
		close(r.done)
	}
	e.pending, e.queue = nil, nil
	e.wake.Broadcast()
}

// check ends the session if the server owes answers and is silent. It does not
// bound single requests: on a slow link the last of a window may be minutes
// behind the first, while the file is moving all along.
func (e *engine) check() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ended != nil || len(e.pending) == 0 {
		e.watch = nil
		return
	}
	if left := e.calls.Left(time.Since(e.moved)); left > 0 {
		e.watch = time.AfterFunc(left, e.check)
		return
	}
	e.calls.Lost(bounded.NoAnswer(e.calls.Timeout)) // only marks the end; whoever watches for it calls end
}

// receive reads the rest of the packet that has the given type and id from r:
// length bytes. An error ends the session.
func (e *engine) receive(r io.Reader, kind byte, id uint32, length int) error {
	e.mu.Lock()
	request := e.pending[id]
	e.mu.Unlock()
	if request == nil {
		return malformed(fmt.Errorf("to request %d, which was not made", id))
	}
	if kind == fxpData && request.into != nil {
		return e.receiveData(r, request, id, length)
	}
	if length > maxReply {
		return malformed(fmt.Errorf("of %d bytes", length))
	}
	body := make([]byte, length)
	if _, err := io.ReadFull(r, body); err != nil {
		return err
	}
	got := answer{kind: kind, body: body}
	if request.into != nil {
		got = answer{kind: kind, n: request.got, err: endOfRead(kind, body)}
	}
	e.finish(request, id, got)
	return nil
}

// endOfRead is what an answer other than DATA means to a READ.
func endOfRead(kind byte, body []byte) error {
	if kind != fxpStatus {
		return fmt.Errorf("%w: %s to a READ", errMalformed, packetName(kind))
	}
	err := parseStatus(body)
	if err == nil {
		return fmt.Errorf("%w: OK to a READ, without data", errMalformed)
	}
	return err
}

// receiveData reads a DATA into where it was asked for. One that is short is
// no end: the rest is asked for again.
func (e *engine) receiveData(r io.Reader, q *request, id uint32, length int) error {
	var head [4]byte
	if length < len(head) {
		return malformed(fmt.Errorf("DATA of %d bytes", length))
	}
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	n := int(min(binary.BigEndian.Uint32(head[:]), 1<<30))
	if want := len(q.into) - q.got; n == 0 || n > want || n != length-len(head) {
		return malformed(fmt.Errorf("%d bytes of data in %d to a READ of %d", n, length, want))
	}
	if _, err := io.ReadFull(r, q.into[q.got:q.got+n]); err != nil {
		return err
	}
	q.got += n
	if q.got == len(q.into) {
		e.finish(q, id, answer{kind: fxpData, n: q.got})
		return nil
	}
	e.forget(id)
	readRest(q.packet, n)
	e.enqueue(q)
	return nil
}

// readRest moves the range of a READ packet n bytes on: its last fields are
// the offset and the length.
func readRest(packet []byte, n int) {
	offset, length := packet[len(packet)-12:], packet[len(packet)-4:]
	binary.BigEndian.PutUint64(offset, binary.BigEndian.Uint64(offset)+uint64(n))
	binary.BigEndian.PutUint32(length, binary.BigEndian.Uint32(length)-uint32(n))
}

func (e *engine) forget(id uint32) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.pending, id)
	e.moved = time.Now()
}

// finish gives r its answer, unless the session ended, and r with it.
func (e *engine) finish(r *request, id uint32, got answer) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.pending[id] != nil {
		delete(e.pending, id)
		e.moved = time.Now()
		r.answer = got
		close(r.done)
	}
}
