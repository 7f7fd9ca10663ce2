package sftp

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/pkg/sftp"

	"github.com/hawser/hawser"
)

// maxWindow is how many requests of one transfer are under way at most. With
// packets of 255 KiB that is 16 MiB of buffers.
const maxWindow = 64

// A transfer moves the content of one open file in chunks of at most a packet,
// which never lose bytes to pkg/sftp #658. It is the one place that knows how
// bytes travel; a faster engine on the same stream takes its place.
//
// Its chunks run concurrently; its other methods are for the goroutine that
// reads or writes the file.
type transfer struct {
	s        *Session
	name     string
	file     *sftp.File
	inFlight sync.WaitGroup // chunks
	free     []*chunk       // for reuse; only those that are in nobody's hands
}

// A chunk is a range of a file on its way.
type chunk struct {
	offset int64
	buf    []byte
	n      int           // bytes of buf that are content
	err    error         // valid once done is closed
	done   chan struct{} // closed when the server answered
}

// newTransfer takes over file. The caller calls close.
func newTransfer(s *Session, name string, file *sftp.File) *transfer {
	s.fileOpened()
	return &transfer{s: s, name: name, file: file}
}

// take returns an empty chunk for offset.
func (t *transfer) take(offset int64) *chunk {
	var c *chunk
	if last := len(t.free) - 1; last >= 0 {
		c, t.free = t.free[last], t.free[:last]
	} else {
		c = &chunk{buf: make([]byte, t.s.packet)}
	}
	c.offset, c.n, c.err, c.done = offset, 0, nil, make(chan struct{})
	return c
}

// give back a chunk that nothing refers to any more.
func (t *transfer) give(c *chunk) { t.free = append(t.free, c) }

// read starts to fill all of c. At the end of the file c.err is io.EOF and
// c.n what there was.
func (t *transfer) read(c *chunk) {
	t.start(c, func() (int, error) {
		n, err := t.file.ReadAt(c.buf, c.offset)
		if n < len(c.buf) && err == nil {
			// pkg/sftp lets a STATUS of OK pass as an answer to a READ.
			err = fmt.Errorf("the server answered a READ of %d bytes with %d and no reason", len(c.buf), n)
		}
		return n, err
	})
}

// write starts to send the first c.n bytes of c.
func (t *transfer) write(c *chunk) {
	t.start(c, func() (int, error) { return t.file.WriteAt(c.buf[:c.n], c.offset) })
}

func (t *transfer) start(c *chunk, run func() (int, error)) {
	t.inFlight.Add(1)
	finish := func(n int, err error) {
		c.n, c.err = n, err
		close(c.done)
		t.inFlight.Done()
	}
	started := t.s.calls.Start(func() { finish(guarded(t.s, run)()) })
	if !started {
		finish(0, t.s.shell.Cause())
	}
}

// wait returns when the server answered c or ctx ended. The error is only
// ctx's; that of the answer is in c.err.
func (t *transfer) wait(ctx context.Context, c *chunk) error {
	select {
	case <-c.done:
		return nil
	default:
	}
	select {
	case <-c.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// settle runs last when no chunk is in flight any more, then closes the file.
// It does not wait; the channel is closed when all is done, which an end of
// the session hurries.
func (t *transfer) settle(last func() error) (done chan struct{}, result *error) {
	done, result = make(chan struct{}), new(error)
	finish := func(err error) {
		*result = err
		t.s.fileClosed()
		close(done)
	}
	started := t.s.calls.Go(func() {
		t.inFlight.Wait() // each chunk has its own watchdog
		if !t.s.calls.Start(func() { finish(t.end(last)) }) {
			finish(t.s.shell.Cause())
		}
	})
	if !started {
		finish(t.s.shell.Cause())
	}
	return done, result
}

// end runs last and closes the file.
func (t *transfer) end(last func() error) error {
	_, err := guarded(t.s, func() (struct{}, error) {
		return struct{}{}, errors.Join(last(), t.file.Close())
	})()
	return err
}

// report tells the traces of ctx how far the file is.
func (t *transfer) report(ctx context.Context, done int64) {
	for _, trace := range hawser.ContextTraces(ctx) {
		if trace.Progress != nil {
			trace.Progress(t.name, done, -1)
		}
	}
}
