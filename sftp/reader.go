package sftp

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"slices"
)

// Open reads a file from offset; see hawser.FileSystem. The reader has
// WriteTo, by which io.Copy is the fast path. It is for one goroutine. Closing
// it does not wait for the server.
func (s *Session) Open(ctx context.Context, name string, offset int64) (io.ReadCloser, error) {
	if offset < 0 {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fmt.Errorf("%w: negative offset", fs.ErrInvalid)}
	}
	f, err := s.openFile(ctx, "open", name, openRead)
	if err != nil {
		return nil, err
	}
	return &reader{
		transfer: newTransfer(f),
		ctx:      ctx, unlisten: s.log.Listen(ctx),
		next: offset, done: offset, window: 1,
	}, nil
}

// A reader reads ahead: it keeps a window of chunks under way, which opens as
// they are consumed. It holds the ctx that governs it.
type reader struct {
	*transfer
	ctx      context.Context
	unlisten func()

	queue  []*chunk // under way or read, in order of offset
	window int      // how long queue may be
	next   int64    // offset of the next chunk to ask for
	used   int      // bytes of queue[0] that were consumed
	done   int64    // offset up to which everything was consumed
	err    error    // sticky; io.EOF at the end
	closed bool
}

// Read reads the next bytes.
func (r *reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	content, err := r.peek()
	if err != nil {
		return 0, err
	}
	n := copy(p, content)
	r.consume(n)
	return n, nil
}

// WriteTo writes the rest of the file to w.
func (r *reader) WriteTo(w io.Writer) (int64, error) {
	var written int64
	for {
		content, err := r.peek()
		if err == io.EOF {
			return written, nil
		}
		if err != nil {
			return written, err
		}
		n, err := w.Write(content)
		r.consume(n)
		written += int64(n)
		if err == nil && n < len(content) {
			err = io.ErrShortWrite
		}
		if err != nil {
			return written, err
		}
	}
}

// Close lets go of the file. What is still under way is dropped.
func (r *reader) Close() error {
	if r.closed {
		return &fs.PathError{Op: "close", Path: r.name, Err: fs.ErrClosed}
	}
	r.closed = true
	r.unlisten()
	for _, c := range r.queue {
		if c.answered() && c.kind != 0 { // else it may be on its way out still
			r.give(c)
		}
	}
	r.s.finish()
	r.s.engine.start(r.closing()) // an answer to reading tells nothing more
	return nil
}

// peek returns what is read and not yet consumed, at least one byte.
func (r *reader) peek() ([]byte, error) {
	if r.closed {
		return nil, &fs.PathError{Op: "read", Path: r.name, Err: fs.ErrClosed}
	}
	for r.err == nil {
		if err := r.ctx.Err(); err != nil {
			return nil, r.fail(err)
		}
		r.ask()
		head := r.queue[0]
		if err := head.wait(r.ctx); err != nil {
			return nil, r.fail(err)
		}
		if r.used < head.n {
			return head.content[r.used:head.n], nil
		}
		r.advance(head)
	}
	return nil, r.err
}

// ask fills the window, unless the end of the file, or a failure, is in sight.
func (r *reader) ask() {
	for len(r.queue) < r.window && !slices.ContainsFunc(r.queue, isLast) {
		c := r.take(r.next)
		r.next += int64(len(c.content))
		r.queue = append(r.queue, c)
		r.read(c)
	}
}

// isLast reports whether nothing behind c will be read.
func isLast(c *chunk) bool { return c.answered() && c.err != nil }

// advance leaves head, which is consumed, behind: for the next chunk, or for
// good if it was the last.
func (r *reader) advance(head *chunk) {
	if err := head.failure(); err != nil {
		_ = r.fail(err)
		return
	}
	r.queue = append(r.queue[:0], r.queue[1:]...)
	r.used = 0
	r.give(head)
	const growth = 4 // to the whole window in three round trips
	r.window = min(r.window*growth, maxWindow)
}

func (r *reader) consume(n int) {
	r.used += n
	r.done += int64(n)
	r.report(r.ctx, r.done)
}

// fail makes err what every further call returns.
func (r *reader) fail(err error) error {
	if err != io.EOF {
		err = r.s.pathError("read", r.name, err)
	}
	r.err = err
	return err
}
