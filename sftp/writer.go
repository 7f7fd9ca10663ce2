package sftp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"time"

	"github.com/hawser/hawser"
)

// Create writes a file from offset; see hawser.FileSystem. The writer has
// ReadFrom, by which io.Copy is the fast path. It is for one goroutine. If it
// is given up, Close returns a *hawser.PartialError within moments; where the
// server is slow to settle what is under way, the file is cut a little later.
func (s *Session) Create(ctx context.Context, name string, offset int64) (io.WriteCloser, error) {
	if offset < 0 {
		return nil, &fs.PathError{Op: "create", Path: name, Err: fmt.Errorf("%w: negative offset", fs.ErrInvalid)}
	}
	flags := uint32(openWrite) // without reading, which some servers refuse uploads (AWS Transfer)
	if offset == 0 {
		flags |= openCreate | openTruncate
	}
	f, err := s.openFile(ctx, "create", name, flags)
	if err != nil {
		return nil, err
	}
	w := &writer{transfer: newTransfer(f), ctx: ctx, unlisten: s.log.Listen(ctx)}
	if offset > 0 {
		err = w.resume(offset)
	}
	if err != nil {
		w.unlisten()
		s.finish()
		s.engine.start(f.closing())
		return nil, s.pathError("create", name, err)
	}
	return w, nil
}

// A writer keeps a window of chunks under way. It holds the ctx that governs
// it.
type writer struct {
	*transfer
	ctx      context.Context
	unlisten func()

	filling *chunk // nil: none
	next    int64  // offset of the next chunk
	begin   int64  // where writing began
	before  int64  // size of the file that is continued
	err     error  // sticky
	closed  bool

	mu    sync.Mutex // guards all below
	queue []*chunk   // under way, in order of offset
	good  int64      // offset up to which the server acknowledged everything
	final bool       // good is what Close tells and may not change any more
}

// resume checks that the file reaches up to offset.
func (w *writer) resume(offset int64) error {
	size, err := w.file.size(w.ctx)
	if err != nil {
		return err
	}
	if offset > size {
		return fmt.Errorf("%w: offset %d is behind the end of the file at %d", fs.ErrInvalid, offset, size)
	}
	w.begin, w.before = offset, size
	w.next, w.good = offset, offset
	return nil
}

// Write takes p into the file; the server has it when Close returned nil.
func (w *writer) Write(p []byte) (int, error) {
	written := 0
	for len(p) > 0 {
		if err := w.ready(); err != nil {
			return written, err
		}
		c := w.chunk()
		n := copy(c.content[c.filled:], p)
		c.filled += n
		written += n
		p = p[n:]
		if c.filled == len(c.content) {
			w.send()
		}
	}
	return written, w.err
}

// ReadFrom takes what r has into the file. Where r fails, so does the file.
func (w *writer) ReadFrom(r io.Reader) (int64, error) {
	var taken int64
	for {
		if err := w.ready(); err != nil {
			return taken, err
		}
		c := w.chunk()
		n, err := c.fill(r)
		taken += int64(n)
		if err == io.EOF {
			return taken, nil
		}
		if err != nil {
			w.err = err
			return taken, err
		}
		w.send()
	}
}

// fill reads from r until c is full; io.EOF is the end of r alone. io.ReadFull
// does not tell that end from a source that was itself cut short and says
// io.ErrUnexpectedEOF, as the body of an HTTP response does.
func (c *chunk) fill(r io.Reader) (taken int, err error) {
	const most = 100 // reads in a row that bring nothing
	for idle := 0; c.filled < len(c.content); idle++ {
		if idle == most {
			return taken, io.ErrNoProgress
		}
		n, err := r.Read(c.content[c.filled:])
		c.filled += n
		taken += n
		if err != nil {
			return taken, err
		}
		if n > 0 {
			idle = 0
		}
	}
	return taken, nil
}

// Close waits until the server has everything and closes the file. A further
// Close does nothing and returns fs.ErrClosed.
func (w *writer) Close() error {
	if w.closed {
		return &fs.PathError{Op: "close", Path: w.name, Err: fs.ErrClosed}
	}
	defer w.unlisten()
	if err := w.ready(); err == nil && w.filling != nil {
		w.send()
	}
	w.closed = true
	for w.err == nil && w.reap(0) {
	}
	if w.err != nil {
		return w.abandon()
	}
	return w.complete()
}

// ready makes sure that there is room in the window and that nothing failed.
func (w *writer) ready() error {
	if w.closed {
		return &fs.PathError{Op: "write", Path: w.name, Err: fs.ErrClosed}
	}
	if err := w.ctx.Err(); err != nil && w.err == nil {
		w.err = err
	}
	for w.err == nil && w.reap(maxWindow-1) {
	}
	if w.err != nil {
		return w.s.pathError("write", w.name, w.err)
	}
	return nil
}

func (w *writer) chunk() *chunk {
	if w.filling == nil {
		w.filling = w.take(w.next)
	}
	return w.filling
}

// send puts the chunk that is being filled on its way.
func (w *writer) send() {
	c := w.filling
	w.filling = nil
	w.next += int64(c.filled)
	w.mu.Lock()
	w.queue = append(w.queue, c)
	w.mu.Unlock()
	w.write(c)
}

// reap takes the answer of the oldest chunk, waiting for it if more than most
// are under way. It reports whether it took one.
func (w *writer) reap(most int) bool {
	w.mu.Lock()
	queue := w.queue
	w.mu.Unlock()
	if len(queue) == 0 || len(queue) <= most && !queue[0].answered() {
		return false
	}
	if err := queue[0].wait(w.ctx); err != nil {
		w.err = err
		return false
	}
	w.mu.Lock()
	w.err = w.acknowledge()
	w.mu.Unlock()
	if w.err == nil {
		w.give(queue[0])
		w.report(w.ctx, w.good)
	}
	return w.err == nil
}

// acknowledge takes the oldest chunk, which is answered, off the queue. mu is
// held.
func (w *writer) acknowledge() error {
	c := w.queue[0]
	if err := c.failure(); err != nil {
		return err
	}
	w.good += int64(c.filled)
	w.queue = w.queue[1:]
	return nil
}

// complete cuts off what a continued file had behind the end, and closes.
func (w *writer) complete() error {
	defer w.s.finish()
	var err error
	if w.before > w.good {
		err = w.truncate(w.ctx, w.good)
	}
	if w.ctx.Err() != nil {
		w.s.engine.start(w.closing()) // nobody waits, but the server shall not keep the handle
	}
	if closing := w.close(w.ctx); err == nil {
		err = closing
	}
	switch {
	case err == nil:
		return nil
	case isContext(err):
		return &hawser.PartialError{Name: w.name, Good: w.good, Err: err}
	}
	// A server may have kept the content back until now, so none of it is sure.
	// The handle is gone, and the file is cut by its name.
	cutting := w.s.do(w.ctx, "truncate", w.name, func() error { return w.s.client.Truncate(w.name, w.begin) })
	return &hawser.PartialError{Name: w.name, Good: w.begin, Err: w.notCut(w.s.explain(err), cutting)}
}

// notCut adds to err that the file could not be cut, if that is so.
func (w *writer) notCut(err, cutting error) error {
	if cutting == nil || w.s.shell.Cause() != nil {
		return err
	}
	return errors.Join(err, fmt.Errorf("the file could not be cut to that: %w", w.s.explain(cutting)))
}

// abandon cuts the file to what is right.
func (w *writer) abandon() error {
	const patience = 500 * time.Millisecond
	cut := make(chan error, 1)
	started := w.s.calls.Go(func() { cut <- w.cut() })
	err := w.s.explain(w.err)
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case cutting := <-cut:
		err = w.notCut(err, cutting)
	case <-timer.C:
	case <-w.s.shell.Ended():
	}
	if !started {
		w.s.finish()
	}
	return &hawser.PartialError{Name: w.name, Good: w.conclude(), Err: err}
}

// cut waits for what is under way, cuts the file and closes it. The writer's
// own ctx may have ended; the session's end, or the server's silence, bounds
// this.
func (w *writer) cut() error {
	defer w.s.finish()
	w.mu.Lock()
	queue := w.queue
	w.mu.Unlock()
	for _, c := range queue {
		<-c.done
	}
	ctx := context.WithoutCancel(w.ctx)
	return errors.Join(w.truncate(ctx, w.conclude()), w.close(ctx))
}

// conclude settles how much is right: whatever was acknowledged by now.
func (w *writer) conclude() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	for !w.final && len(w.queue) > 0 && w.queue[0].answered() {
		if w.acknowledge() != nil {
			break
		}
	}
	w.final = true
	return w.good
}
