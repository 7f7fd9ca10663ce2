package ftp

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/hawser/hawser"
)

// A writer is a file that is being uploaded. One goroutine uses it, but for the
// end of its context.
type writer struct {
	t      *transfer
	line   string // as the server has it
	path   func(error) error
	offset int64 // where writing began
	sent   int64
	meter
	err    error // why the file will not be complete
	closed error // what every later Close returns
}

// Write sends p.
func (w *writer) Write(p []byte) (int, error) {
	if w.t.over {
		return 0, fmt.Errorf("file: %w", os.ErrClosed)
	}
	if w.err != nil {
		return 0, w.err
	}
	total := 0
	for len(p) > 0 {
		// In parts, so that not all of it has to go out in the time of one.
		n, err := w.writePart(p[:min(len(p), 1<<20)])
		total += n
		if err != nil {
			return total, err
		}
		p = p[n:]
	}
	return total, nil
}

func (w *writer) writePart(p []byte) (int, error) {
	if err := w.t.step(); err != nil {
		return 0, w.failed(err)
	}
	n, err := w.t.d.Write(p)
	if err == nil && w.t.d.out != nil {
		err = w.t.d.out.flush() // what a slow source has brought is to be on its way
	}
	if n > 0 && !w.t.d.isTLS() && errors.Is(err, os.ErrDeadlineExceeded) && w.t.ctx.Err() == nil {
		err = nil // it moves, if slowly
	}
	if w.sent += int64(n); n > 0 {
		w.at(w.offset + w.sent)
	}
	if err != nil {
		return n, w.failed(err)
	}
	return n, nil
}

// failed keeps why writing ended. Where the server hung up, it says why on the
// control connection, such as that the disk is full.
func (w *writer) failed(err error) error {
	w.err = w.t.explain(err)
	if w.t.ctx.Err() == nil && !errors.Is(err, os.ErrDeadlineExceeded) && !w.t.answered && w.t.s.wire.Ready(time.Second) {
		w.t.d.drop()
		r, broken := w.t.final()
		if broken != nil {
			w.err = fmt.Errorf("%w; then: %w", w.err, broken)
		} else {
			w.err = w.t.d.refused(r)
		}
	}
	return w.err
}

// ReadFrom sends all of r. If r fails, the file is not complete, and Close says
// so.
func (w *writer) ReadFrom(r io.Reader) (int64, error) {
	if w.t.over {
		return 0, fmt.Errorf("file: %w", os.ErrClosed)
	}
	before := w.sent
	buffer := make([]byte, bufferSize)
	for w.err == nil {
		n, err := r.Read(buffer)
		if n > 0 {
			if _, err := w.Write(buffer[:n]); err != nil {
				return w.sent - before, err
			}
		}
		if err == io.EOF { // itself: what wraps it may be the end of something else
			break
		}
		if err != nil {
			w.err = err
		}
		if w.t.ctx.Err() != nil {
			w.err = w.t.ctx.Err()
		}
	}
	return w.sent - before, w.err
}

// Close completes the file: the server has to say that it has all of it, and,
// where it tells sizes, to have it in the size that was sent. A file that was
// given up is a *hawser.PartialError.
func (w *writer) Close() error {
	if w.t.over {
		return w.closed
	}
	if err := w.t.ctx.Err(); err != nil && w.err == nil {
		w.err = err
	}
	var err error
	if w.err == nil {
		if err = w.complete(); err == nil {
			err = w.t.s.checkSize(w.line, w.offset+w.sent)
		}
	}
	if w.err != nil { // of the data connection, be it as late as at its end
		err = w.t.abandon(w.err)
	}
	good := w.good(err)
	if err = w.t.end(err); err == nil {
		w.closed = fmt.Errorf("file: %w", os.ErrClosed)
		return nil
	}
	w.closed = w.path(&hawser.PartialError{Name: w.name, Good: good, Err: err})
	return w.closed
}

// good is how much of the file is right, where it is not complete: what the
// server has of it, since there is no way to cut it. If that cannot be asked,
// nothing is sure but what was there before.
func (w *writer) good(err error) int64 {
	if err == nil || w.t.ctx.Err() != nil || w.t.s.Cause() != nil || errors.Is(err, hawser.ErrLost) {
		return w.offset
	}
	size, err := w.t.s.size(w.line)
	if err != nil {
		return w.offset
	}
	return min(size, w.offset+w.sent)
}

// complete ends the data connection so that the server gets all of it. With TLS
// 1.3 the server's tickets wait to be read, and to close with something unread
// resets the connection, which takes away what is on its way: so the close is
// said first, and then read for the server's own.
func (w *writer) complete() error {
	if err := w.t.step(); err != nil {
		return w.failed(err)
	}
	if conn, ok := w.t.d.Conn.(*tls.Conn); ok {
		if err := w.t.d.out.flush(); err != nil {
			return w.failed(err)
		}
		if err := w.closeTLS(conn); err != nil {
			return w.failed(err)
		}
	}
	return w.t.finish()
}

func (w *writer) closeTLS(conn *tls.Conn) error {
	if err := conn.CloseWrite(); err != nil {
		return err
	}
	half, ok := w.t.d.tcp.(interface{ CloseWrite() error })
	if !ok {
		return nil
	}
	// Most proxies (squid, tinyproxy, microsocks) end a tunnel in both directions
	// when one is closed, and reset what leads to the server if they have not yet
	// passed on what it said, by which it loses what is on its way. So there the
	// server's answer to the close of TLS comes first.
	if _, direct := half.(*net.TCPConn); !direct {
		if answersClose(conn) {
			return nil
		}
		if err := w.t.step(); err != nil { // time for the rest
			return err
		}
	}
	if err := half.CloseWrite(); err != nil {
		return err
	}
	// What comes is thrown away, and so is the way it ends: the reply counts.
	_, _ = io.Copy(io.Discard, conn)
	return nil
}

// answersClose waits a moment for the end of what the server says.
func answersClose(conn *tls.Conn) bool {
	const moment = time.Second
	if conn.SetReadDeadline(time.Now().Add(moment)) != nil {
		return false
	}
	_, err := io.Copy(io.Discard, conn)
	return !errors.Is(err, os.ErrDeadlineExceeded)
}
